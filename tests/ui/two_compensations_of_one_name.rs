//! Two compensations have the same name.
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

    #[compensation]
    async fn undo(&self, _twice: u32) -> Result<()> {
        Ok(())
    }

    #[step(compensate = halve)]
    async fn double(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }

    #[compensation(name = "undo")]
    async fn halve(&self) -> Result<()> {
        Ok(())
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
