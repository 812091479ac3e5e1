//! Has one worker in each period do what need not be done by all.
//!
//! The row of a duty says when it is due again, and is moved on before the duty is done. Should its worker die over it, another
//! does it a period later; so these are duties whose work is found again.

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
            // Before asking, or a clock that is turned in between is missed.
            let over = self.over(worker);
            match duties::take(&worker.store, &worker.store.pool, self.names, worker.id(), self.period).await {
                Ok(turns) if !turns.is_empty() => return turns,
                Ok(_) => {}
                Err(error) => tracing::debug!(?self.names, %error, "cannot ask whose turn it is; trying again soon"),
            }
            over.await;
        }
    }

    /// Returns when a period is over, or when the clock has been turned since this was called.
    pub(super) fn over(&self, worker: &Worker) -> impl Future<Output = ()> {
        let (period, clock_turned) = (self.period, worker.signals.clock_turned.notified());
        async move {
            tokio::select! {
                () = tokio::time::sleep(period) => {}
                () = clock_turned => {}
            }
        }
    }
}
