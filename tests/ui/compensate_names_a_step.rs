//! A step is to be undone by another step.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step(compensate = halve)]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }

    #[step]
    async fn halve(&self, n: u32) -> Result<u32> {
        Ok(n / 2)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
