//! `run` uses chance.
use durable::prelude::*;

mod rand {
    pub(crate) fn random() -> u32 {
        4
    }
}
mod uuid {
    pub(crate) struct Uuid;
    impl Uuid {
        pub(crate) fn new_v4() -> Self {
            Self
        }
    }
}
use uuid::Uuid;

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        let _ = Uuid::new_v4();
        let _: Vec<u32> = (0..3).map(|_| rand::random()).collect();
        self.twice(n + rand::random()).await
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
