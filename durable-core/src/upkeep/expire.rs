//! Ends executions that have not begun in time. No claim takes them from the moment at which they expire; this says so.

use std::sync::Arc;
use std::time::Duration;

use super::tell_parents::tell_untold;
use super::turns::Duties;
use crate::store::families;
use crate::worker::Worker;

/// Most executions ended by one statement.
const BATCH: i64 = 1000;

/// Whoever waits for one that expired hears of it this late.
const DUTIES: Duties<'_> = Duties { names: &["expire"], period: Duration::from_secs(5) };

pub(super) async fn expire(worker: Arc<Worker>) {
    loop {
        DUTIES.turns(&worker).await;
        let over = DUTIES.over(&worker);
        if let Err(error) = expire_all(&worker).await {
            tracing::debug!(%error, "cannot look for executions that have expired; trying again at the next turn");
        }
        over.await;
    }
}

async fn expire_all(worker: &Worker) -> Result<(), sqlx::Error> {
    let store = &worker.store;
    loop {
        let expired = families::expire(store, &store.pool, BATCH).await?;
        if expired.is_empty() {
            return Ok(());
        }
        for execution in &expired {
            tracing::info!(execution_id = %execution.id, queue = ?execution.queue, "expired: it had not begun in time");
        }
        worker.signals.called_off(store, &expired).await;
        if expired.iter().any(|execution| execution.awaited) {
            // Those whose parents are busy are told after a later look for work.
            tell_untold(worker).await?;
        }
    }
}
