//! The output of a workflow cannot be stored.
use durable::prelude::*;

struct Receipt(u32);

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<Receipt> {
        Ok(Receipt(self.twice(n).await?))
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
