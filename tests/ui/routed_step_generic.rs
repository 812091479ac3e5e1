//! A step that runs in another queue is generic, and takes what has no name.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.count(n, "n", [n]).await
    }

    #[step(queue = "gpu")]
    async fn count<T: serde::Serialize>(&self, _n: T, _name: impl AsRef<str>, all: [u32; 1]) -> Result<u32> {
        Ok(all[0])
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
