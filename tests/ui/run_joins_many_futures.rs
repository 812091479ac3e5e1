//! `run` awaits many futures at once, in ways that the journal does not know.
use durable::prelude::*;
use futures_util::future::join_all;
use futures_util::stream::{self, FuturesUnordered, StreamExt};

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<usize> {
        let doubled = join_all((0..n).map(|number| self.double(number))).await;
        let tried = futures_util::future::try_join_all((0..n).map(|number| self.double(number))).await?;
        let unordered: FuturesUnordered<_> = (0..n).map(|number| self.double(number)).collect();
        let buffered = stream::iter(0..n).map(|number| self.double(number)).buffer_unordered(4).count().await;
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async {});
        Ok(doubled.len() + tried.len() + unordered.len() + buffered)
    }

    #[step]
    async fn double(&self, number: u32) -> Result<u32> {
        Ok(2 * number)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
