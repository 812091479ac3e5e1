//! `run` takes nothing but `self`.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self) -> Result<u32> {
        self.twice(1).await
    }

    #[step]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(());
}
