//! The worker's heartbeat, on a thread and connection of its own, so that no blocked runtime and no busy pool can starve it.

use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Worker;
use super::stuck::{Stuck, Watch};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::WorkerId;
use crate::store::{Store, is_held_up, workers};
use crate::supervision::{supervise, supervise_with};

/// Beats in one lease: two may fail before it runs out.
const BEATS_PER_LEASE: u32 = 3;

/// Pause before a connection is tried again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(200);

/// The thread that beats.
#[derive(Debug)]
pub(crate) struct Heart {
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread needs to know.
struct Pulse {
    store: Store,
    clock: Arc<Clock>,
    lease: Duration,
    id: watch::Receiver<WorkerId>,
    /// The end of the lease, after which this process begins nothing.
    until: watch::Sender<Instant>,
    /// The worker that was declared lost.
    lost: watch::Sender<Option<WorkerId>>,
    /// How full it is, and where to say that it was deprecated; gone when the engine is.
    worker: Weak<Worker>,
    /// The watch for code that does not return.
    watch: Watch,
    stop: watch::Receiver<bool>,
}

impl Heart {
    /// Starts beating. If the worker turns out to be lost, the process continues as a new worker.
    pub(crate) fn start(worker: &Arc<Worker>, until: watch::Sender<Instant>) -> Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let (lost, losses) = watch::channel(None);
        let pulse = Pulse {
            store: worker.store.clone(),
            clock: worker.clock.clone(),
            lease: worker.options.lease,
            id: worker.id.subscribe(),
            until,
            lost,
            worker: Arc::downgrade(worker),
            watch: Watch::start(worker.options.lease),
            stop: stopped,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread =
            std::thread::Builder::new().name("durable-heartbeat".to_owned()).spawn(move || runtime.block_on(beat_on(pulse)))?;
        let weak = Arc::downgrade(worker);
        tokio::spawn(supervise(worker.store.health.clone(), "register anew", move || {
            register_anew(weak.clone(), losses.clone())
        }));
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Stops beating, and returns when the thread has ended.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.stop.send_replace(true);
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let joined = tokio::task::spawn_blocking(move || thread.join()).await?;
        joined.map_err(|_| Error::of_kind(ErrorKind::Panicked, "the heartbeat thread panicked"))
    }
}

/// Registers this process as a new worker whenever the worker that it was is lost.
async fn register_anew(worker: Weak<Worker>, mut losses: watch::Receiver<Option<WorkerId>>) {
    while losses.changed().await.is_ok() {
        let lost = *losses.borrow_and_update();
        let Some(worker) = worker.upgrade() else { return };
        if lost == Some(worker.id()) && !worker.is_draining() {
            worker.register_anew().await;
        }
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// Beats until the worker stops, even if a beat panics.
async fn beat_on(pulse: Pulse) {
    let health = pulse.store.health.clone();
    supervise_with(health, "heartbeat", pulse, |mut pulse| async move { pulse.beat().await }).await;
}

impl Pulse {
    async fn beat(&mut self) {
        let mut connection: Option<PgConnection> = None;
        loop {
            let stuck = self.worker.upgrade().map(|worker| self.watch.look(&worker)).unwrap_or_default();
            let pause = match self.beat_once(&mut connection, &stuck).await {
                Ok(()) => self.lease / BEATS_PER_LEASE,
                Err(error) => {
                    tracing::debug!(%error, "a heartbeat failed");
                    if !is_held_up(&error) {
                        connection = None;
                    }
                    RECONNECT_PAUSE.min(self.lease / BEATS_PER_LEASE)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                // The worker was just retired, and the process continues as a new one; not on the server that was deposed.
                () = self.store.history.changed() => connection = None,
                // A new worker needs its lease known at once.
                changed = self.id.changed() => if changed.is_err() { return },
                _ = self.stop.changed() => {
                    if let Some(connection) = connection {
                        let _ = connection.close().await;
                    }
                    return;
                }
            }
        }
    }

    async fn beat_once(&mut self, connection: &mut Option<PgConnection>, stuck: &Stuck) -> Result<(), sqlx::Error> {
        let connection = match connection {
            Some(connection) => connection,
            None => connection.insert(self.store.connect().await?),
        };
        let id = *self.id.borrow_and_update();
        let slots = self.worker.upgrade().map(|worker| {
            worker.signals.queues().for_each(|slots| slots.measure());
            worker.signals.slots_in_use()
        });
        let slots = slots.unwrap_or_default();
        let Stuck { unresponsive_for, executions } = stuck;
        let stuck = (*unresponsive_for, executions.as_slice());
        let asked = Instant::now();
        // A statement that hangs must not keep the next from trying on a fresh connection.
        let beat = tokio::time::timeout(self.lease, workers::beat(&self.store, connection, id, self.lease, &slots, stuck));
        let beat = beat.await.map_err(|_| sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()))??;
        self.clock.set(beat.reading);
        if let (true, Some(worker)) = (beat.deprecated, self.worker.upgrade()) {
            worker.deprecate();
        }
        if beat.held {
            self.until.send_replace(asked + self.lease);
        } else {
            self.lost.send_replace(Some(id));
        }
        Ok(())
    }
}
