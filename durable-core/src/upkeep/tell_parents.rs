//! Tells parents of children whose end they have not heard of: the process that ended the child died, or the parent was busy.

use crate::store::parents::{self, Told};
use crate::worker::Worker;

/// Most children in one statement; each takes an entry in the server's lock table.
const BATCH: i64 = 500;

/// Tells those that were not told; who is busy is told after the next look for work.
pub(super) async fn tell_untold(worker: &Worker) -> Result<(), sqlx::Error> {
    let store = &worker.store;
    loop {
        let untold = parents::untold(store, &store.pool, BATCH).await?;
        let told = parents::tell(store, &store.pool, &untold).await?;
        let mut busy = false;
        for told in told.values() {
            match told {
                Told::Heard(effect) => worker.signals.affected(effect),
                Told::Unheard => {}
                Told::Busy => busy = true,
            }
        }
        let may_be_more = i64::try_from(untold.len()).is_ok_and(|count| count == BATCH);
        if busy || !may_be_more {
            return Ok(());
        }
    }
}
