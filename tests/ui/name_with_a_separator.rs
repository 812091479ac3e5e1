//! Names contain what journal keys are built with.
use durable::prelude::*;

struct Flow;

#[workflow(name = "process order")]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step(name = "twice#2", was = "orders/twice")]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
