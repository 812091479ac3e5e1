//! `run` sleeps, or sets a deadline, outside the journal.
use durable::prelude::*;

/// Stands in for the real crates.
mod tokio {
    pub(crate) mod time {
        pub(crate) async fn sleep(_: u64) {}
        pub(crate) async fn timeout<F: Future>(_: u64, future: F) -> F::Output {
            future.await
        }
        pub(crate) async fn interval(_: u64) {}
    }
}

use tokio::time;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        tokio::time::sleep(5).await;
        time::sleep(5).await;
        time::interval(5).await;
        std::thread::sleep(std::time::Duration::from_secs(1));
        time::timeout(5, self.twice(n)).await
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
