//! Looks for work that no notification announced: queues with pending executions, and parents to tell that a child ended. One
//! statement at every poll interval serves all queues of this process, so that an idle queue costs no transaction of its own.

use std::sync::Arc;

use crate::store::executions;
use crate::worker::Worker;

/// Makes the claims of each queue with pending executions look, and tells parents that were missed.
pub(crate) async fn look_for_work(worker: Arc<Worker>) {
    loop {
        if let Err(error) = look(&worker).await {
            tracing::debug!(%error, "cannot look for work; trying again at the next poll");
        }
        tokio::time::sleep(worker.options.poll_interval).await;
    }
}

async fn look(worker: &Worker) -> Result<(), sqlx::Error> {
    // A full queue is looked at when a slot comes free.
    let free = worker.signals.queues().filter(|slots| slots.has_free() && worker.takes_work());
    let free: Vec<&str> = free.map(|slots| slots.queue.as_str()).collect();
    let found = executions::look(&worker.store, &worker.store.pool, &free).await?;
    found.queued.iter().for_each(|queue| _ = worker.signals.poke(queue));
    if found.has_unnotified { worker.families.notify_missed_parents().await } else { Ok(()) }
}
