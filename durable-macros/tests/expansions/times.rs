#[workflow(timeout = "2h", time_to_live = "1h30m", retention = "30d")]
impl ProcessOrder {
    async fn run(&self, cx: &Context, order: Order) -> Result<Receipt> {
        Ok(Receipt)
    }
}
