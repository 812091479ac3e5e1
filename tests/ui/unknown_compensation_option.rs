//! A compensation has options that only a step has.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step(compensate = undo)]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }

    #[compensation(was = "revert", compensate = undo)]
    async fn undo(&self, _twice: u32) -> Result<()> {
        Ok(())
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
