//! A step is called with a value where it borrows, and with too few arguments.
use durable::prelude::*;

#[derive(serde::Serialize)]
struct Order(u32);

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(Order(n)).await?;
        self.twice().await
    }

    #[step]
    async fn twice(&self, order: &Order) -> Result<u32> {
        Ok(2 * order.0)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
