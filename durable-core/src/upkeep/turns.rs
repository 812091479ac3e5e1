//! Has one worker in each period do what need not be done by all.
//!
//! The row of a duty says when it is due again, and is moved on before the duty is done. Should its worker die over it, another
//! does it a period later; so these are duties whose work is found again.

use std::pin::pin;
use std::time::Duration;

use crate::store::duties;
use crate::worker::Worker;

/// What one worker does for all, once in a period.
#[derive(Debug)]
pub(super) struct Duty {
    /// Its name in the table of duties.
    pub(super) name: &'static str,
    pub(super) period: Duration,
}

impl Duty {
    /// Returns when it is this worker's turn.
    pub(super) async fn turn(&self, worker: &Worker) {
        loop {
            // Listen before asking, or a clock that is turned in between is missed.
            let mut clock_turned = pin!(worker.signals.clock_turned.notified());
            clock_turned.as_mut().enable();
            match duties::take(&worker.store, &worker.store.pool, self.name, worker.id(), self.period).await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => tracing::debug!(duty = self.name, %error, "cannot ask whose turn it is; trying again soon"),
            }
            tokio::select! {
                () = tokio::time::sleep(self.period) => {}
                () = clock_turned => {}
            }
        }
    }
}
