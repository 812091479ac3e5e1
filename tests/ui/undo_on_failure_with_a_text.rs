//! `undo_on_failure` is given a value that is no yes or no.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step(compensate = undo, undo_on_failure = "always")]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }

    #[compensation]
    async fn undo(&self, _twice: Option<u32>) -> Result<()> {
        Ok(())
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
