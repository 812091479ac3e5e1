//! Wakes executions whose time has come: sleeps, timeouts, retries, scheduled starts.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::store::Session;
use crate::store::executions::{self, Woken};
use crate::worker::Worker;

/// Most executions woken by one statement; each takes an entry in the server's lock table.
const BATCH: i64 = 500;

/// Pause after a look that came too early.
const PAUSE_WHEN_EARLY: Duration = Duration::from_millis(1);

/// Wakes on time by a timer of this process, and at every poll interval for timers that others set.
pub(crate) async fn wake(worker: Arc<Worker>, session: &mut Session) {
    let mut thought_due = false;
    loop {
        let mut next_at: Option<DateTime<Utc>> = None;
        match look(session).await {
            Ok(woken) => {
                if thought_due && woken.count == 0 {
                    // This process's clock runs ahead of the database's: read it again rather than ask in a circle.
                    worker.clock.doubt();
                    tokio::time::sleep(PAUSE_WHEN_EARLY).await;
                }
                woken.queues.iter().for_each(|queue| worker.signals.queued(queue));
                if woken.count == BATCH {
                    continue;
                }
                next_at = woken.next_at;
            }
            Err(error) => tracing::debug!(%error, "cannot look at the timers; trying again at the next poll"),
        }
        // A timer later than the next one changes nothing; only a nearer one is worth looking again.
        loop {
            if let Some(set) = worker.signals.take_timer() {
                next_at = Some(next_at.map_or(set, |next| next.min(set)));
            }
            let due = async {
                match next_at {
                    Some(next_at) => worker.clock.reached(next_at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {
                    thought_due = true;
                    break;
                }
                () = tokio::time::sleep(worker.options.poll_interval) => {}
                () = worker.signals.clock_turned.notified() => {}
                () = worker.signals.timer_set.notified() => continue,
            }
            thought_due = false;
            break;
        }
    }
}

async fn look(session: &mut Session) -> Result<Woken, sqlx::Error> {
    let mut connection = session.connection().await?;
    let woken = executions::wake(session.store(), &mut connection, BATCH).await;
    session.give_back(connection, woken)
}
