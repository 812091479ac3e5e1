//! A step uses the lifetime that the macro adds.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        Ok(n + self.length("Ada").await? as u32)
    }

    #[step]
    async fn length<'step>(&self, name: &'step str) -> Result<usize> {
        Ok(name.len())
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
