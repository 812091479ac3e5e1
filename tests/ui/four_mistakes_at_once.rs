//! Four mistakes give four errors and nothing else.
use durable::prelude::*;

struct Flow;

#[workflow(versoin = 2)]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step(timeout = 30)]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }

    #[step]
    fn thrice(&self, n: u32) -> Result<u32> {
        Ok(3 * n)
    }

    #[step(name = "twice")]
    async fn again(&self, n: u32) -> Result<u32> {
        Ok(n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
    let _ = (Flow.twice(1), Flow.thrice(1), Flow.again(1));
}
