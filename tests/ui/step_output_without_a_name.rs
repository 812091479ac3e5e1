//! The output of a step is an `impl Trait`.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(self.twice(n).await?.into())
    }

    #[step]
    async fn twice(&self, n: u32) -> Result<impl Into<u32>> {
        Ok(2 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
