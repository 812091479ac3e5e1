//! `run` reads the clock.
use durable::prelude::*;

mod chrono {
    pub(crate) struct Utc;
    impl Utc {
        pub(crate) fn now() {}
    }
}
use std::time::{Instant, SystemTime};

struct Flow;

#[workflow]
impl Flow {
    async fn run(&self, _cx: &Context, n: u32) -> Result<u32> {
        let _ = Instant::now();
        let _ = (SystemTime::now(), std::time::SystemTime::now());
        let _ = format!("{:?}", chrono::Utc::now());
        let _ = Some(()).map(|()| Instant::now());
        self.helper();
        self.twice(n).await
    }

    #[step]
    async fn twice(&self, n: u32) -> Result<u32> {
        let _ = Instant::now();
        Ok(2 * n)
    }

    /// Helpers are not read.
    fn helper(&self) -> Instant {
        Instant::now()
    }
}

fn start<W: durable::Workflow>(_: W::Input) {}

fn main() {
    start::<Flow>(1);
}
