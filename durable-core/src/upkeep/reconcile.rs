//! Compares what this worker runs with what the database says it holds: cancelled executions stop, paused ones too, lost claims are taken up.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::store::{self, Store};
use crate::worker::Worker;

/// Looks this often in one lease; cancelling is usually heard at once.
const LOOKS_PER_LEASE: u32 = 3;

pub(super) async fn reconcile(worker: Arc<Worker>) {
    loop {
        let answer_lost = tokio::select! {
            () = tokio::time::sleep(worker.options.lease / LOOKS_PER_LEASE) => false,
            () = worker.claim_lost.notified() => true,
            () = worker.signals.taken_back.notified() => false,
        };
        let may_hold_more = worker.lost_some.swap(false, Ordering::Relaxed) || answer_lost;
        let reconciled = async {
            stop_strays(&worker, &worker.store).await?;
            if may_hold_more {
                worker.adopt_held().await?;
            }
            Ok::<(), sqlx::Error>(())
        };
        if let Err(error) = reconciled.await {
            tracing::debug!(%error, "cannot compare with the database; trying again soon");
            if may_hold_more {
                tokio::time::sleep(worker.options.poll_interval).await;
                worker.claim_lost.notify_one();
            }
        }
    }
}

async fn stop_strays(worker: &Worker, store: &Store) -> Result<(), sqlx::Error> {
    let life = worker.id();
    let held = worker.held(life);
    if !held.is_empty() {
        let strays = store::executions::stray(store, &store.pool, life, &held).await?;
        worker.drop_strays(life, &held, &strays);
    }
    Ok(())
}
