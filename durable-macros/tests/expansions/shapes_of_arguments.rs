#[workflow]
impl<C: Client> Shapes<C>
where
    C: Clone,
{
    async fn run(&self, cx: &Context, input: (u32, String)) -> Result<u32, ShapeError> {
        Ok(1)
    }

    #[step]
    async fn no_arguments(&self) -> Result<()> {
        Ok(())
    }

    #[step]
    #[cfg(unix)]
    async fn conditional<'a>(self: &Self, text: &'a str, cow: Cow<'_, str>) -> Result<Self::Out> {
        Ok(())
    }

    #[step(retry)]
    async fn generic<T: Serialize + Send, const N: usize>(&self, value: T, list: [u8; N]) -> Result<T>
    where
        T: Clone,
    {
        Ok(value)
    }

    #[step]
    async fn opaque(&self, show: impl Display + Send, borrowed: &impl Display, callback: impl Fn(&str) -> u32) -> Result<()> {
        Ok(())
    }

    #[step(name = "patterns", was("a", "b"))]
    async fn r#match(&self, (a, b): (u32, u32), mut x: Vec<u8>, _: u32, digest: u32) -> Result<()> {
        Ok(())
    }
}
