//! A compensation takes a transaction.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step(transaction, compensate = undo)]
    async fn twice(&self, _tx: &mut Transaction, n: u32) -> Result<u32> {
        Ok(2 * n)
    }

    #[compensation]
    async fn undo(&self, _tx: &mut Transaction, _twice: u32) -> Result<()> {
        Ok(())
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
