#[workflow(name = "order", version = 2, queue = "orders", timeout = "2h")]
impl ProcessOrder {
    async fn run(&self, cx: &Context, order: Order) -> Result<Receipt> {
        let payment = self.charge(&order, 1).await?;
        Ok(Receipt { payment })
    }

    /// Takes the money.
    #[step(
        was = "old_charge",
        retry(max_attempts = 3, backoff = linear, base = "250ms", max = "1m", jitter = 0.5),
        timeout = "30s"
    )]
    #[expect(clippy::unused_async, reason = "a stand-in")]
    pub async fn charge(&self, order: &Order, n: u32) -> Result<Payment> {
        Ok(Payment)
    }

    fn helper(&self) -> u32 {
        7
    }
}
