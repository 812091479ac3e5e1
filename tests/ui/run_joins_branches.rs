//! `run` lets branches run together.
use durable::prelude::*;

mod tokio {
    macro_rules! join {
        ($($branch:expr),*) => { ($($branch.await),*) };
    }
    macro_rules! select {
        ($name:ident = $branch:expr => $then:expr) => {{ let $name = $branch.await; $then }};
    }
    pub(crate) use {join, select};
}

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        let (left, right) = tokio::join!(self.twice(n), self.twice(n));
        tokio::select! { third = self.twice(3) => Ok(third? + left? + right?) }
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
