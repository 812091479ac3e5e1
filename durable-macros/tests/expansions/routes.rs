#[workflow(queue = "studies")]
impl Study {
    async fn run(&self, cx: &Context, name: String) -> Result<f64> {
        let model = self.train(&name, [1, 2], &[0.5]).await?;
        self.warm_up().await?;
        Ok(model)
    }

    /// Trains a model.
    #[step(queue = "gpu", was("fit", "learn"), retry(max_attempts = 2), compensate = delete)]
    #[expect(clippy::unused_async)]
    pub async fn train<'a>(&self, name: &'a str, [from, to]: [u32; 2], rates: &[f64]) -> Result<f64> {
        Ok(rates[0])
    }

    #[cfg(feature = "warm")]
    #[step(queue = "gpu")]
    async fn warm_up(&self) -> Result<()> {
        Ok(())
    }

    #[step(queue = "ledger", transaction)]
    async fn charge(&self, tx: &mut Transaction, cents: u64) -> Result<()> {
        Ok(())
    }

    #[compensation]
    async fn delete(&self) -> Result<()> {
        Ok(())
    }
}
