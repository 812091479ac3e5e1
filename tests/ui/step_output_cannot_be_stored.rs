//! The output of a step cannot be stored.
use durable::prelude::*;

struct Raw(u32);

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(self.twice(n).await?.0)
    }

    #[step]
    async fn twice(&self, n: u32) -> Result<Raw> {
        Ok(Raw(2 * n))
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
