//! Graceful shutdown: claim nothing more, let steps end, give the rest back.

use std::sync::Arc;
use std::time::Duration;

use super::Worker;
use super::process::Process;
use crate::running::hold::Verdict;
use crate::store::{self, Patience, workers};

/// How long the database may take to note that this worker is gone; its lease runs out anyway.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long releasing what is left may take.
const RELEASE_LIMIT: Duration = Duration::from_secs(5);

impl Worker {
    /// Stops claiming, waits at most `limit` for claims in flight and steps under way, releases every execution, and retires. Returns how
    /// many executions keep a thread of the runtime, because their code does not return.
    pub(crate) async fn shut_down(self: &Arc<Self>, limit: Duration) -> usize {
        let mut late = Vec::new();
        self.draining.store(true, std::sync::atomic::Ordering::Release);
        self.signals.poke_all();
        let running = self.held().runs();
        running.iter().for_each(|run| run.drain());
        if tokio::time::timeout(limit, self.all_let_go()).await.is_err() {
            late = self.held().end_all();
            late.iter().for_each(|run| run.end(Verdict::Released));
            tracing::warn!(
                executions = late.len(),
                "steps or claims did not end in time; they are interrupted, and run again elsewhere"
            );
            let _ = tokio::time::timeout(RELEASE_LIMIT, self.all_let_go()).await;
        }
        let parked = self.held().forget_all();
        drop(parked);
        self.retire().await;
        for slots in self.signals.queues() {
            self.signals.tell_queued(&slots.queue);
        }
        late.iter().filter(|run| run.polling.under_way().is_some()).count()
    }

    /// Returns when no claim is in flight and no execution is held.
    async fn all_let_go(&self) {
        // A draining worker begins no claim, and a claim in flight registers its executions before it releases this guard.
        drop(self.claiming.write().await);
        self.all_left().await;
    }

    async fn all_left(&self) {
        loop {
            let left = self.left.notified();
            if self.held().len() == 0 {
                return;
            }
            left.await;
        }
    }

    /// Retires this worker in the database: from then on, other workers take over the executions that it still holds.
    async fn retire(&self) {
        let store = &self.store;
        let patience = Patience::AtMost(FAREWELL);
        let retired = store::run("retire this worker", patience, || workers::retire(store, &store.pool, self.id()));
        // It waits for writes in flight, which may be held up.
        match tokio::time::timeout(FAREWELL, retired).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "could not retire; the lease runs out by itself"),
            Err(_) => {
                tracing::warn!("could not retire while a statement of this worker is in flight; the lease runs out by itself")
            }
        }
    }
}
