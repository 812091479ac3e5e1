//! A workflow with `run` uses what belongs to a graph.
use durable::prelude::*;

struct Flow;

#[workflow(open)]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[input]
    fn name(&self) -> String;

    #[output]
    #[step(when = |n: &u32| *n > 1, on_failure = skip, ends)]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
