//! A step is undone also when it failed, and nothing says by what.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step(undo_on_failure)]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
