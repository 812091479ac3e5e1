//! The output of a step that has a compensation is generic.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.keep(n).await
    }

    #[step(compensate = undo)]
    async fn keep<T: serde::Serialize + serde::de::DeserializeOwned + Send>(&self, n: T) -> Result<T> {
        Ok(n)
    }

    #[compensation]
    async fn undo(&self, _twice: u32) -> Result<()> {
        Ok(())
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
