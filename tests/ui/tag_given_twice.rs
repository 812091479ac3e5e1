//! A tag that is given twice.
use durable::prelude::*;

struct Flow;

#[workflow(tags(tenant = "acme", tenant = |n: &u32| n.to_string()))]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
