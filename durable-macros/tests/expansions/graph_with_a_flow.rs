#[workflow]
impl Loan {
    #[input]
    fn applicant(&self) -> String;

    #[step(retry(max_attempts = 2))]
    async fn research(&self, cx: &Context, applicant: &str) -> Result<u32> {
        cx.sleep(days(1)).await?;
        self.lookup(applicant, 7).await
    }

    #[step]
    async fn lookup(&self, name: &str, depth: u32) -> Result<u32> {
        Ok(name.len() as u32 + depth)
    }

    #[output]
    #[step]
    async fn letter(&self, research: u32) -> Result<String> {
        Ok(format!("{research}"))
    }
}
