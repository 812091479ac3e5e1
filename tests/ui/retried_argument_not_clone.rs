//! A step that is retried takes an argument that cannot be copied.
use durable::prelude::*;

struct Token(u32);

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(Token(n)).await
    }

    #[step(retry(max_attempts = 2))]
    async fn twice(&self, token: Token) -> Result<u32> {
        Ok(2 * token.0)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
