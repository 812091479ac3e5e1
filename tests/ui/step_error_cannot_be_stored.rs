//! The error of a step cannot be stored.
use durable::prelude::*;

#[derive(Debug)]
struct Broken;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(self.twice(n).await.unwrap_or(0))
    }

    #[step]
    async fn twice(&self, n: u32) -> Result<u32, Broken> {
        if n == 0 { Err(Broken) } else { Ok(2 * n) }
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
