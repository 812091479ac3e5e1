//! A tag that is made from another input.
use durable::prelude::*;

struct Flow;

#[workflow(tags(tenant = |name: &String| name.clone()))]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
