//! A step that runs in another queue takes what cannot be written as JSON.
use durable::prelude::*;

struct Connection(u32);

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.ask(&Connection(n)).await
    }

    #[step(queue = "gpu")]
    async fn ask(&self, connection: &Connection) -> Result<u32> {
        Ok(connection.0)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
