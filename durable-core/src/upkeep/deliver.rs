//! Delivers messages that a wait has missed: a sender in a serializable transaction may not have seen the wait.

use std::sync::Arc;
use std::time::Duration;

use crate::store;
use crate::store::messages::Effect;
use crate::worker::Worker;

/// Most messages delivered by one statement.
const BATCH: i64 = 500;

/// Pause between two looks; only transactions above read committed ever depend on it.
const PAUSE: Duration = Duration::from_secs(5);

pub(crate) async fn deliver(worker: Arc<Worker>) {
    loop {
        match store::messages::deliver_stragglers(&worker.store, &worker.store.pool, BATCH).await {
            Ok(effects) => {
                worker.store.watched.note(effects.iter().filter_map(Effect::execution));
                effects.iter().for_each(|effect| worker.signals.affected(effect));
            }
            Err(error) => tracing::debug!(%error, "cannot look for undelivered messages; trying again soon"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
