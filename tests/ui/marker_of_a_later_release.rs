//! `#[input]` and `#[compensation]` have no meaning yet.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }

    #[input]
    fn name(&self) -> String;

    #[compensation(retry(max_attempts = 5))]
    async fn undo(&self, _n: u32) -> Result<()> {
        Ok(())
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
    let _ = Flow.undo(1);
}
