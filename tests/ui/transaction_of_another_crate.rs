//! A transactional step takes the transaction type of sqlx.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step(transaction)]
    async fn twice(&self, _tx: &mut durable::sqlx::Transaction<'static, durable::sqlx::Postgres>, n: u32) -> Result<u32> {
        Ok(2 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
