//! The input of a workflow cannot be stored.
use durable::prelude::*;

struct Order(u32);

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, order: Order) -> Result<u32> {
        self.twice(order.0).await
    }

    #[step]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(Order(1));
}
