//! Looks for the results of executions that ended in other processes, for the callers in this process that wait for them.

use std::sync::Arc;
use std::time::Duration;

use crate::signals::Signals;
use crate::store::{self, Store};

pub(crate) async fn look_for_results(store: Store, signals: Arc<Signals>, poll_interval: Duration) {
    loop {
        let notified = tokio::time::timeout(poll_interval, signals.results.look.notified()).await;
        let wanted = signals.results.wanted();
        if wanted.is_empty() {
            continue;
        }
        match store::executions::finished(&store, &store.pool, &wanted).await {
            Ok(finished) => finished.iter().for_each(|finished| signals.results.deliver(finished)),
            Err(error) => {
                tracing::debug!(%error, notified = notified.is_ok(), "cannot look for results; trying again at the next poll")
            }
        }
    }
}
