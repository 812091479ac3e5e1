//! A time to live is written in a way that is not understood.
use durable::prelude::*;

struct Flow;

#[workflow(time_to_live = 60)]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(n)
    }
}

struct Other;

#[workflow(time_to_life = "1h")]
impl Other {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
    start::<Other>(1);
}
