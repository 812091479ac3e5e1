//! Tells parents of children whose end they have not heard of: the process that ended the child died, or the parent was busy.

use std::sync::Arc;

use crate::store::parents::{self, Told};
use crate::worker::Worker;

/// Most children in one statement; each takes an entry in the server's lock table.
const BATCH: i64 = 500;

pub(super) async fn tell_parents(worker: Arc<Worker>) {
    loop {
        match tell_untold(&worker).await {
            Ok(More::Left) => continue,
            Ok(More::None) => {}
            Err(error) => tracing::debug!(%error, "cannot look for untold ends of children; trying again at the next poll"),
        }
        tokio::time::sleep(worker.options.poll_interval).await;
    }
}

/// Whether another look at once would find more.
pub(super) enum More {
    Left,
    None,
}

/// Tells those that were not told; who is busy is told by a later look.
pub(super) async fn tell_untold(worker: &Worker) -> Result<More, sqlx::Error> {
    let store = &worker.store;
    let untold = parents::untold(store, &store.pool, BATCH).await?;
    if untold.is_empty() {
        return Ok(More::None);
    }
    let told = parents::tell(store, &store.pool, &untold).await?;
    let mut busy = false;
    for told in told.values() {
        match told {
            Told::Heard(effect) => worker.signals.affected(effect),
            Told::Unheard => {}
            Told::Busy => busy = true,
        }
    }
    let full = i64::try_from(untold.len()).is_ok_and(|count| count == BATCH);
    Ok(if full && !busy { More::Left } else { More::None })
}
