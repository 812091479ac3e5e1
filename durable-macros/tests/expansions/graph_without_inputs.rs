#[workflow]
impl Pipeline {
    #[step(retry)]
    async fn fetch(&self) -> Result<Page> {
        Ok(Page)
    }

    #[step]
    async fn count(&self, fetch: Page) -> Result<u32> {
        Ok(1)
    }
}
