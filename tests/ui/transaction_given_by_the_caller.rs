//! The caller of a transactional step gives it a transaction.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        let mut tx = ();
        self.twice(&mut tx, n).await
    }

    #[step(transaction)]
    async fn twice(&self, _tx: &mut Transaction, n: u32) -> Result<u32> {
        Ok(2 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
