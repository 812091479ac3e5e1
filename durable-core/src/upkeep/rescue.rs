//! Rescues executions from workers whose lease has run out.

use std::sync::Arc;

use crate::store;
use crate::telemetry;
use crate::worker::Worker;

/// Most executions given back by one statement.
const BATCH: i64 = 1000;

/// Looks this often in one lease, so that a dead worker is noticed soon after its lease is over.
const LOOKS_PER_LEASE: u32 = 3;

/// Declares silent workers lost, then gives their executions back; each is a statement, and either may be the last before a
/// crash.
pub(crate) async fn rescue(worker: Arc<Worker>) {
    let mut looks = 0_u32;
    loop {
        // Nothing waits for the rows of lost workers to go.
        let forgets = looks.is_multiple_of(LOOKS_PER_LEASE);
        looks = looks.wrapping_add(1);
        if let Err(error) = rescue_once(&worker, forgets).await {
            tracing::debug!(%error, "cannot look for lost workers; trying again soon");
        }
        tokio::select! {
            () = tokio::time::sleep(worker.options.lease / LOOKS_PER_LEASE) => {}
            () = worker.lease_lost.notified() => {}
            () = worker.signals.clock_turned.notified() => {}
        }
    }
}

async fn rescue_once(worker: &Worker, forgets: bool) -> Result<(), sqlx::Error> {
    let store = &worker.store;
    // A clock that is set forward ends every lease at once. Live workers then get one lease of time to extend theirs.
    if let Some(now) = worker.clock.settled(worker.options.lease) {
        for lost in store::workers::expire(store, &store.pool, now).await? {
            worker.workers_lost.notify_one();
            tracing::warn!(worker_id = %lost.id, host = ?lost.host, process_id = lost.process_id, "a worker was lost: its lease has run out");
        }
    }
    loop {
        let rescued = store::executions::rescue(store, &store.pool, BATCH).await?;
        store.watched.note(rescued.iter().map(|execution| execution.id));
        for execution in &rescued {
            tracing::info!(execution_id = %execution.id, from = %execution.from, queue = ?execution.queue, "rescued");
            telemetry::recovered(&execution.queue);
            worker.signals.queued(&execution.queue);
        }
        if rescued.is_empty() {
            break;
        }
    }
    if forgets { store::workers::forget(store, &store.pool).await } else { Ok(()) }
}
