//! Looks for queues with something to claim: at every poll interval one statement for all queues of this process, so that an idle queue costs
//! no transaction of its own.

use std::sync::Arc;

use crate::store::executions;
use crate::worker::Worker;

/// Makes each queue with pending executions claim, even if no notification arrived.
pub(super) async fn look_for_work(worker: Arc<Worker>) {
    loop {
        tokio::time::sleep(worker.options.poll_interval).await;
        // A full queue is looked at when a slot comes free.
        let free = worker.signals.queues().filter(|slots| slots.has_free()).map(|slots| slots.queue.as_str());
        let free: Vec<&str> = free.collect();
        if free.is_empty() || !worker.takes_work() {
            continue;
        }
        match executions::find_queued(&worker.store, &worker.store.pool, &free).await {
            Ok(queued) => queued.iter().for_each(|queue| _ = worker.signals.poke(queue)),
            Err(error) => tracing::debug!(%error, "cannot look for work; trying again at the next poll"),
        }
    }
}
