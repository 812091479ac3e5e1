//! There is no `run`.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    #[step]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(());
    let _ = Flow.twice(1);
}
