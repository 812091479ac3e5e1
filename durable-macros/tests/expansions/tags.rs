#[workflow(tags(tenant = |order: &Order| order.tenant.clone(), type = "sale"))]
impl ProcessOrder {
    async fn run(&self, cx: &Context, order: Order) -> Result<Receipt> {
        Ok(Receipt)
    }
}
