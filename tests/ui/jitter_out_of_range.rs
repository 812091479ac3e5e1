//! The jitter is more than the whole delay.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step(retry(jitter = 1.5))]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }

    #[step(retry(jitter = -1))]
    async fn thrice(&self, n: u32) -> Result<u32> {
        Ok(3 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
