//! A retention is written in a way that is not understood.
use durable::prelude::*;

struct Flow;

#[workflow(retention = "a month")]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
