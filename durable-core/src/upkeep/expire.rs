//! Ends executions that have not begun in time. From the moment at which they expire no claim takes them; this duty records it.

use std::sync::Arc;
use std::time::Duration;

use super::turns::Duties;
use crate::store::families;
use crate::worker::Worker;

/// Most executions ended by one statement.
const BATCH: i64 = 1000;

/// Upper bound on how late a caller learns that an execution expired.
const DUTIES: Duties<'_> = Duties { names: &["expire"], period: Duration::from_secs(5) };

pub(crate) async fn expire(worker: Arc<Worker>) {
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
        worker.families.announce(&expired).await;
        if expired.iter().any(|execution| execution.awaited) {
            // A parent that is busy is notified after a later look for work.
            worker.families.notify_missed_parents().await?;
        }
    }
}
