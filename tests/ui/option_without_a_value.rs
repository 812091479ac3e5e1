//! An option lacks its value, or has one of another kind.
use durable::prelude::*;

struct Flow;

#[workflow(name, version = "two", queue(orders))]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step(name = twice, was(), retry = 3, timeout)]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
