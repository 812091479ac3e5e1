//! Hears the notices of other processes and passes them on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{RunSignal, Signals, WATCH_INTERVAL};
use crate::store::Store;
use crate::store::notify::{Listener, Notice};

/// Pause before a lost connection is opened again.
const PAUSE: Duration = Duration::from_millis(500);

/// Pause before testing again whether notifications arrive, if they did not: a pooler may be replaced while this process runs.
const PAUSE_WHEN_DEAF: Duration = Duration::from_secs(300);

/// How long this process remembers which executions another process watches.
const WATCHED_FOR: Duration = WATCH_INTERVAL.saturating_mul(3);

/// Listens until the process shuts down.
pub(crate) async fn hear(store: Store, signals: Arc<Signals>) {
    loop {
        let heard = listen(&store, &signals).await;
        signals.set_hears(false);
        let pause = match heard {
            Ok(Deaf) => {
                tracing::warn!(
                    "notifications do not arrive on this connection (a pooler in transaction mode?); polling alone finds work"
                );
                PAUSE_WHEN_DEAF
            }
            Err(error) => {
                tracing::debug!(%error, "the listening connection was lost; polling until it is back");
                PAUSE
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// The connection works, and carries no notifications.
struct Deaf;

async fn listen(store: &Store, signals: &Signals) -> Result<Deaf, sqlx::Error> {
    let mut listener = Listener::connect(store).await?;
    if !listener.hears(store).await? {
        return Ok(Deaf);
    }
    signals.set_hears(true);
    // Notices sent before the connection was made did not arrive: look at everything once.
    signals.poke_all();
    signals.results.look.notify_one();
    signals.clock_read.notify_one();
    store.watched.note_all();
    signals.tell(Notice::WhoWatches);
    loop {
        match listener.hear().await? {
            Notice::Queued(queue) => drop(signals.poke(&queue)),
            Notice::Finished(ids) => signals.ended(ids),
            Notice::Resolved(ids) => signals.signal_runs(RunSignal::Resolved(ids)),
            Notice::RolledBack | Notice::Paused => signals.taken_back.notify_one(),
            Notice::SchedulesChanged => signals.schedules_changed.notify_one(),
            Notice::ClockTurned => signals.clock_read.notify_one(),
            Notice::Watching(process, ids) if process != signals.process => {
                store.watched.watch_elsewhere(&ids, Instant::now() + WATCHED_FOR);
            }
            Notice::WhoWatches => store.watched.ask(),
            Notice::Changed(ids) => store.watched.note_heard(&ids),
            Notice::Watching(..) | Notice::SelfTest(_) => {}
        }
    }
}
