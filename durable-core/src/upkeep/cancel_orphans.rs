//! Cancels orphans: children whose parent ended or abandoned them in a process that crashed before it cancelled them.

use std::sync::Arc;
use std::time::Duration;

use super::turns::Duties;
use crate::store::families;
use crate::worker::Worker;

/// Most orphans in one statement; each, and each of their children, takes an entry in the server's lock table.
const BATCH: i64 = 100;

/// The period only affects children that a crash left behind.
const DUTIES: Duties<'_> = Duties { names: &["cancel_orphans"], period: Duration::from_secs(30) };

/// Looks after workers were lost, and when it is this worker's turn.
pub(crate) async fn cancel_orphans(worker: Arc<Worker>) {
    loop {
        tokio::select! {
            _ = DUTIES.turns(&worker) => {}
            () = worker.workers_lost.notified() => {}
        }
        if let Err(error) = cancel_all(&worker).await {
            tracing::debug!(%error, "cannot look for orphaned children; trying again at the next turn");
        }
    }
}

async fn cancel_all(worker: &Worker) -> Result<(), sqlx::Error> {
    let store = &worker.store;
    loop {
        let ended_early = families::cancel_orphans(store, &store.pool, BATCH).await?;
        if ended_early.is_empty() {
            return Ok(());
        }
        for orphan in &ended_early {
            tracing::info!(execution_id = %orphan.id, "cancelled: its parent no longer waits for it");
            worker.forget(orphan.id);
        }
        worker.families.announce(&ended_early).await;
    }
}
