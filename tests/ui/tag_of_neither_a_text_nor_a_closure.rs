//! A tag that is neither a text nor made from the input.
use durable::prelude::*;

struct Flow;

#[workflow(tags(tenant = 42))]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
