//! `run` does not take the context.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    let _ = Flow.run(1);
}
