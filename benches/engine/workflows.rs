//! The workflows that are measured. Their steps do nothing, so that only the engine is.

pub(crate) mod early;
pub(crate) mod flows;
pub(crate) mod graphs;
pub(crate) mod mapping;
pub(crate) mod ticker;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use durable::prelude::*;

/// How often to look at a counter in memory.
const LOOK: Duration = Duration::from_millis(1);

/// Counts bodies that are at their end, so that the database is asked only about the last of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    ended: Arc<AtomicUsize>,
}

impl Progress {
    fn advance(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns when so many bodies have been at their end.
    pub(crate) async fn reached(&self, bodies: usize) {
        while self.ended.load(Ordering::Relaxed) < bodies {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// One step.
#[derive(Debug, Default)]
pub(crate) struct OneStep {
    pub(crate) progress: Progress,
}

#[workflow]
impl OneStep {
    async fn run(&self, _cx: &Context, number: u64) -> Result<u64> {
        let number = self.pass(number).await?;
        self.progress.advance();
        Ok(number)
    }

    #[step]
    async fn pass(&self, number: u64) -> Result<u64> {
        Ok(number)
    }
}

/// One step, a few at once of each of a hundred keys.
#[derive(Debug)]
pub(crate) struct OfKeys;

#[workflow(concurrency_key = |number: &u64| number % 100, limit = 4)]
impl OfKeys {
    async fn run(&self, _cx: &Context, number: u64) -> Result<u64> {
        self.pass(number).await
    }

    #[step]
    async fn pass(&self, number: u64) -> Result<u64> {
        Ok(number)
    }
}

/// Ten steps in sequence.
#[derive(Debug, Default)]
pub(crate) struct TenSteps {
    pub(crate) progress: Progress,
}

/// The steps of [`TenSteps`].
pub(crate) const STEPS: usize = 10;

#[workflow]
impl TenSteps {
    async fn run(&self, _cx: &Context, mut number: u64) -> Result<u64> {
        for _ in 0..STEPS {
            number = self.pass(number).await?;
        }
        self.progress.advance();
        Ok(number)
    }

    #[step]
    async fn pass(&self, number: u64) -> Result<u64> {
        Ok(number)
    }
}

/// Ten steps in sequence that log ten lines each.
#[derive(Debug, Default)]
pub(crate) struct Talking {
    pub(crate) progress: Progress,
}

#[workflow]
impl Talking {
    async fn run(&self, _cx: &Context, mut number: u64) -> Result<u64> {
        for _ in 0..STEPS {
            number = self.pass(number).await?;
        }
        self.progress.advance();
        Ok(number)
    }

    #[step]
    async fn pass(&self, number: u64) -> Result<u64> {
        for line in 0..10 {
            tracing::info!(number, line, "passed");
        }
        Ok(number)
    }
}

/// So many steps in sequence.
#[derive(Debug)]
pub(crate) struct ManySteps;

#[workflow]
impl ManySteps {
    async fn run(&self, _cx: &Context, steps: u64) -> Result<u64> {
        for number in 0..steps {
            self.pass(number).await?;
        }
        Ok(steps)
    }

    #[step]
    async fn pass(&self, number: u64) -> Result<u64> {
        Ok(number)
    }
}

/// So many steps in sequence, and then the event `go`.
#[derive(Debug)]
pub(crate) struct Journaled;

#[workflow]
impl Journaled {
    async fn run(&self, cx: &Context, steps: u64) -> Result<u64> {
        for number in 0..steps {
            self.pass(number).await?;
        }
        cx.wait_for_event("go").await
    }

    #[step]
    async fn pass(&self, number: u64) -> Result<u64> {
        Ok(number)
    }
}

/// Waits for the event `go`.
#[derive(Debug)]
pub(crate) struct Listener;

#[workflow]
impl Listener {
    async fn run(&self, cx: &Context, _number: u64) -> Result<u64> {
        cx.wait_for_event("go").await
    }
}

/// Asks for texts, and counts them.
#[derive(Debug)]
pub(crate) struct Survey;

#[workflow]
impl Survey {
    async fn run(&self, cx: &Context, _number: u64) -> Result<usize> {
        Ok(cx.wait_for_input::<Vec<String>>("texts").await?.len())
    }
}

/// Sleeps for a second.
#[derive(Debug)]
pub(crate) struct Nap;

#[workflow]
impl Nap {
    async fn run(&self, cx: &Context, number: u64) -> Result<u64> {
        cx.sleep(seconds(1)).await?;
        Ok(number)
    }
}

/// Sleeps for longer than any bench.
#[derive(Debug, Default)]
pub(crate) struct LongSleep {
    pub(crate) progress: Progress,
}

#[workflow]
impl LongSleep {
    async fn run(&self, cx: &Context, number: u64) -> Result<u64> {
        self.progress.advance();
        cx.sleep(days(1)).await?;
        Ok(number)
    }
}
