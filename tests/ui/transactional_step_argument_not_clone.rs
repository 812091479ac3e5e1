//! A transactional step that is retried takes an argument that cannot be copied.
use durable::prelude::*;

struct Token(u32);

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(Token(n)).await
    }

    #[step(transaction, retry)]
    async fn twice(&self, _tx: &mut Transaction, token: Token) -> Result<u32> {
        Ok(2 * token.0)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
