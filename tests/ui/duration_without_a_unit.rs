//! A duration is a bare number, lacks its quotes or its unit.
use durable::prelude::*;

struct Flow;

#[workflow(timeout = 30)]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step(timeout = "30", retry(base = 5s))]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
