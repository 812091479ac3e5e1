//! Hears the notices of other processes and passes them on.

use std::sync::Arc;
use std::time::Duration;

use super::{RunSignal, Signals};
use crate::store::Store;
use crate::store::notify::{Listener, Notice};
use crate::telemetry;

/// Pause before a lost connection is opened again.
const PAUSE: Duration = Duration::from_millis(500);

/// Pause before testing again whether notifications arrive, if they did not: a pooler may be replaced while this process runs.
const PAUSE_WHEN_DEAF: Duration = Duration::from_secs(300);

/// Listens until the process shuts down.
pub(crate) async fn hear(store: Store, signals: Arc<Signals>) {
    loop {
        let heard = listen(&store, &signals).await;
        telemetry::delivering(false);
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
    telemetry::delivering(true);
    // Notices sent before the connection was made did not arrive: look at everything once.
    signals.poke_all();
    signals.results.look.notify_one();
    signals.clock_read.notify_one();
    loop {
        match listener.hear().await? {
            Notice::Queued(queue) => drop(signals.poke(&queue)),
            Notice::Finished(ids) => signals.ended(ids),
            Notice::Resolved(ids) => signals.signal_runs(RunSignal::Resolved(ids)),
            Notice::RolledBack | Notice::Paused => signals.taken_back.notify_one(),
            Notice::SchedulesChanged => signals.schedules_changed.notify_one(),
            Notice::ClockTurned => signals.clock_read.notify_one(),
            Notice::SelfTest(_) => {}
        }
    }
}
