//! Has one worker in each period do what need not be done by all.
//!
//! The row of a duty says when it is due again, and is moved on before the duty is done. Should its worker die over it, another
//! does it a period later; so these are duties whose work is found again.

use std::pin::pin;
use std::time::Duration;

use crate::store::duties::{self, Turn};
use crate::worker::Worker;

/// What one worker does for all, once in a period.
#[derive(Debug)]
pub(super) struct Duties<'names> {
    /// Their names in the table of duties.
    pub(super) names: &'names [&'names str],
    pub(super) period: Duration,
}

impl Duties<'_> {
    /// Returns when it is this worker's turn with some of them.
    pub(super) async fn turns(&self, worker: &Worker) -> Vec<Turn> {
        loop {
            // Listen before asking, or a clock that is turned in between is missed.
            let mut clock_turned = pin!(worker.signals.clock_turned.notified());
            clock_turned.as_mut().enable();
            match duties::take(&worker.store, &worker.store.pool, self.names, worker.id(), self.period).await {
                Ok(turns) if !turns.is_empty() => return turns,
                Ok(_) => {}
                Err(error) => tracing::debug!(?self.names, %error, "cannot ask whose turn it is; trying again soon"),
            }
            tokio::select! {
                () = tokio::time::sleep(self.period) => {}
                () = clock_turned => {}
            }
        }
    }
}
