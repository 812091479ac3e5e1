//! A step wants to change an argument.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, mut n: u32) -> Result<u32> {
        self.twice(&mut n, None).await?;
        Ok(n)
    }

    #[step]
    async fn twice(&self, n: &mut u32, list: Option<&mut Vec<u32>>) -> Result<()> {
        *n *= 2;
        list.map(Vec::clear);
        Ok(())
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
