//! A crash that a test has set at a step.

use std::fmt;
use std::sync::Arc;

use durable::testing::StepName;
use durable::{Error, ExecutionState, Result};

use crate::rest::Watch;
use crate::state;
use crate::test::Inner;

/// Most executions that an error describes.
const DESCRIBED: u32 = 5;

/// A crash that was set with [`Test::crash_at`](crate::Test::crash_at). It stays set if this value is dropped.
pub struct Crash {
    pub(crate) inner: Arc<Inner>,
    pub(crate) step: StepName,
    pub(crate) trap: usize,
}

impl Crash {
    /// Whether a worker has died at the step, and another has taken its place.
    pub fn has_happened(&self) -> bool {
        self.inner.script.is_over(self.trap)
    }

    /// Returns when a worker has died at the step, and another has taken its place.
    ///
    /// # Errors
    /// If everything is at rest and no worker came to the step; the error has the state of the executions.
    pub async fn happened(&self) -> Result<()> {
        let mut watch = Watch::new();
        loop {
            if self.has_happened() {
                return Ok(());
            }
            let rests = watch.look(&self.inner, &format!("a crash at {}", self.step)).await?;
            if rests && !self.has_happened() && !self.inner.script.is_crashing() {
                return Err(self.missed().await);
            }
            watch.pause().await;
        }
    }

    async fn missed(&self) -> Error {
        let mut message = format!("no worker came to {}, where a crash is set, and everything is at rest", self.step);
        let client = self.inner.client();
        for state in [ExecutionState::Waiting, ExecutionState::Failed, ExecutionState::Completed] {
            if let Ok(page) = client.list_executions().state(state).limit(DESCRIBED).await {
                for execution in page.executions {
                    message.push_str("\n\n");
                    message.push_str(&state::describe(client, execution.id).await);
                }
            }
        }
        Error::permanent(message)
    }
}

impl fmt::Debug for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crash").field("step", &self.step).finish_non_exhaustive()
    }
}
