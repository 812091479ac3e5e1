//! Graceful shutdown: claim nothing more, let steps end, give the rest back.

use std::sync::Arc;
use std::time::Duration;

use super::Worker;
use crate::context::run::Verdict;
use crate::store::{self, Patience, workers};

/// How long the database may take to note that this worker is gone; its leases run out anyway.
const FAREWELL: Patience = Patience::AtMost(Duration::from_secs(2));

/// How long releasing what is left may take.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);

impl Worker {
    /// Stops claiming, waits at most `limit` for steps under way, releases every execution, and retires. Returns how many executions keep a
    /// thread of the runtime, because their code does not return.
    pub(crate) async fn shut_down(self: &Arc<Self>, limit: Duration) -> usize {
        let mut late = Vec::new();
        self.draining.store(true, std::sync::atomic::Ordering::Release);
        self.signals.poke_all();
        let running = self.holdings().runs();
        running.iter().for_each(|run| run.drain());
        if tokio::time::timeout(limit, self.all_left()).await.is_err() {
            late = self.holdings().end_all();
            late.iter().for_each(|run| run.end(Verdict::Released));
            tracing::warn!(executions = late.len(), "steps did not end in time; they are interrupted and run again elsewhere");
            let _ = tokio::time::timeout(RELEASE_LIMIT, self.all_left()).await;
        }
        self.forget_all();
        let store = &self.store;
        let retired = store::run("retire this worker", FAREWELL, || workers::retire(store, &store.pool, self.id()));
        if let Err(error) = retired.await {
            tracing::warn!(%error, "could not retire; the lease runs out by itself");
        }
        for slots in self.signals.queues() {
            self.signals.tell_queued(&slots.queue);
        }
        late.iter().filter(|run| run.polling.under_way().is_some()).count()
    }

    async fn all_left(&self) {
        loop {
            let left = self.left.notified();
            if self.holdings().len() == 0 {
                return;
            }
            left.await;
        }
    }
}
