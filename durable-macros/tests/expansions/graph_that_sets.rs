#[workflow(open)]
impl File {
    #[input]
    fn name(&self) -> String;

    #[input(history = 100)]
    fn first(&self) -> String;

    #[input(optional)]
    fn ssn(&self) -> String;

    #[step(sets(first, silently(ssn)))]
    async fn split(&self, name: &str) -> Result<(String, String)> {
        Ok((name.to_owned(), "?".to_owned()))
    }

    #[step(archive, history = 2)]
    async fn forget(&self, first: &str) -> Result<bool> {
        Ok(first.is_empty())
    }
}
