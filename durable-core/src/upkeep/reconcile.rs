//! Compares what this worker runs with what the database says it holds: cancelled executions stop, paused ones too, lost claims
//! are taken up.

use std::sync::Arc;

use crate::store;
use crate::worker::Worker;

/// Looks this often in one lease; cancelling is usually heard at once.
const LOOKS_PER_LEASE: u32 = 3;

pub(crate) async fn reconcile(worker: Arc<Worker>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(worker.options.lease / LOOKS_PER_LEASE) => worker.doubt_again(),
            () = worker.claim_lost.notified() => {}
            () = worker.signals.taken_back.notified() => {}
        }
        if let Err(error) = compare(&worker).await {
            tracing::debug!(%error, "cannot compare with the database; trying again soon");
        }
        if worker.is_in_doubt() {
            tokio::time::sleep(worker.options.poll_interval).await;
            worker.claim_lost.notify_one();
        }
    }
}

async fn compare(worker: &Arc<Worker>) -> Result<(), sqlx::Error> {
    stop_strays(worker).await?;
    if worker.is_in_doubt() {
        worker.adopt_held().await?;
    }
    Ok(())
}

async fn stop_strays(worker: &Worker) -> Result<(), sqlx::Error> {
    let id = worker.id();
    let held = worker.held_by(id);
    if !held.is_empty() {
        let strays = store::executions::stray(&worker.store, &worker.store.pool, id, &held).await?;
        worker.drop_strays(id, &held, &strays);
    }
    Ok(())
}
