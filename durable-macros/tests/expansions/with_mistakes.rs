#[workflow(nmae = "x", version = 0)]
impl Mistaken {
    async fn run(&self, cx: &Context, order: Order) -> Result<Receipt> {
        std::thread::sleep(day);
        self.charge(order)
    }

    #[step(timeout = 30)]
    fn charge(&mut self, order: &mut Order) -> Result<Receipt> {
        Ok(Receipt)
    }
}
