//! `#[step]` is used, but only `#[workflow]` was imported.
use durable::{Context, Result, workflow};

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step]
    async fn twice(&self, n: u32) -> Result<u32> {
        Ok(2 * n)
    }
}

fn main() {
    let _ = Flow.twice(1);
}
