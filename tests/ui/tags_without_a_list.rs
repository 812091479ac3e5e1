//! Tags that are not in a list.
use durable::prelude::*;

struct Flow;

#[workflow(tags = "acme")]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
