#[workflow]
impl Nothing {
    async fn run(&self, _cx: &Context) -> Result<()> {
        Ok(())
    }
}
