//! A duration is written in a way that is not understood.
use durable::prelude::*;

struct Flow;

#[workflow(timeout = "1.5h")]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step(timeout = "half an hour", retry(base = "30m1h", max = true))]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
