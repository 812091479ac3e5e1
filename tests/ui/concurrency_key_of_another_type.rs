//! A concurrency key made from something else than the input.
use durable::prelude::*;

struct Flow;

#[workflow(concurrency_key = |order: &String| order.clone(), limit = 1)]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
