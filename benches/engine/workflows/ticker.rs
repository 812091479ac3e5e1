//! A workflow that sets a value at each event, and tells the benchmark when the value was committed.

use std::time::Instant;

use durable::prelude::*;
use tokio::sync::watch;

/// Waits for as many events as its input says.
#[derive(Debug, Clone)]
pub(crate) struct Ticker {
    /// The newest tick whose value is committed, and since when.
    committed: watch::Sender<(u64, Instant)>,
}

impl Default for Ticker {
    fn default() -> Self {
        Self { committed: watch::Sender::new((0, Instant::now())) }
    }
}

#[workflow]
impl Ticker {
    async fn run(&self, cx: &Context, ticks: u64) -> Result<()> {
        for tick in 1..=ticks {
            let _: u64 = cx.wait_for_event("go").await?;
            cx.set("tick", &tick).await?;
            self.note(tick).await?;
        }
        Ok(())
    }

    /// Begins after everything before it is committed.
    #[step]
    async fn note(&self, tick: u64) -> Result<()> {
        self.committed.send_replace((tick, Instant::now()));
        Ok(())
    }
}

impl Ticker {
    /// When the value of this tick was committed.
    pub(crate) async fn committed(&self, tick: u64) -> Instant {
        let mut committed = self.committed.subscribe();
        // The sender is a field of this workflow, so it is not dropped.
        committed.wait_for(|(newest, _)| *newest >= tick).await.map_or_else(|_| Instant::now(), |committed| committed.1)
    }
}
