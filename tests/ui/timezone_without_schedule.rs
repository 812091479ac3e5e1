//! A time zone and a policy are given, and no schedule.
use durable::prelude::*;

struct Flow;

#[workflow(timezone = "Europe/Berlin", overlap = skip)]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
