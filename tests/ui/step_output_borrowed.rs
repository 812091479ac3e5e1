//! The output of a step is borrowed.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(n + self.name().await?.len() as u32)
    }

    #[step]
    async fn name(&self) -> Result<&str> {
        Ok("Ada")
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
