//! A concurrency key that is the same for all.
use durable::prelude::*;

struct Flow;

#[workflow(concurrency_key = "customer", limit = 1)]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
