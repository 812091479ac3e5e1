//! A workflow with `run` has a timer.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(n)
    }

    #[timer]
    async fn later(&self) -> Result<Due> {
        Ok(Due::after(days(1)))
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
