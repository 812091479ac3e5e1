//! A limit under which nothing would ever run.
use durable::prelude::*;

struct Flow;

#[workflow(concurrency_key = |n: &u32| n % 10, limit = 0)]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
