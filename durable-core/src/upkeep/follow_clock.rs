//! Follows the database's clock when a test turns it, or when it was set back; the heartbeat keeps it in step otherwise.

use std::sync::Arc;

use crate::store;
use crate::worker::Worker;

pub(crate) async fn follow_clock(worker: Arc<Worker>) {
    loop {
        tokio::select! {
            () = worker.signals.clock_read.notified() => {}
            () = worker.clock.doubted() => {}
        }
        match store::clock::read(&worker.store, &worker.store.pool).await {
            Ok(reading) => {
                worker.clock.set(reading);
                worker.signals.clock_turned.notify_waiters();
                worker.signals.timer_set.notify_one();
            }
            Err(error) => tracing::debug!(%error, "cannot read the clock; the next heartbeat does"),
        }
    }
}
