#[workflow(concurrency_key = |order: &Order| order.customer.to_string(), limit = 2)]
impl ProcessOrder {
    async fn run(&self, cx: &Context, order: Order) -> Result<Receipt> {
        Ok(Receipt)
    }
}
