//! `was` names a step that still exists, or one name twice.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step(was("thrice", "old"))]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }

    #[step(was = "old")]
    async fn thrice(&self, n: u32) -> Result<u32> {
        Ok(3 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
