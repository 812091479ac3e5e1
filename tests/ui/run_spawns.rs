//! `run` starts tasks.
use durable::prelude::*;

mod tokio {
    pub(crate) fn spawn<F: Future>(_: F) {}
    pub(crate) mod task {
        pub(crate) fn spawn_blocking(_: fn()) {}
    }
}

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        tokio::spawn(async {});
        tokio::task::spawn_blocking(|| ());
        if n > 1 {
            std::thread::spawn(|| ());
        }
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
