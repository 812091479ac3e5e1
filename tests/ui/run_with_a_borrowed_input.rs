//! `run` borrows its input.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, name: &str) -> Result<u32> {
        self.twice(name.len() as u32).await
    }

    #[step]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    let _ = Flow.twice(1);
}
