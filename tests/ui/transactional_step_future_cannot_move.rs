//! A transactional step holds across an `.await` what cannot move between threads.
use durable::prelude::*;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        self.twice(n).await
    }

    #[step(transaction)]
    async fn twice(&self, _tx: &mut Transaction, n: u32) -> Result<u32> {
        let shared = std::rc::Rc::new(n);
        std::future::ready(()).await;
        Ok(*shared)
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
