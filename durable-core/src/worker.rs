//! Runs executions: claims them, drives them, parks them, and keeps the lease under which all that counts.

mod adopt;
mod begin;
mod cache;
mod claim;
mod conclude;
mod continuing;
mod drive;
mod ending;
mod engine;
mod family;
mod flow;
mod heartbeat;
mod held;
mod process;
pub(crate) mod replay;
mod shutdown;
mod stuck;
mod take_up;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, OwnedRwLockReadGuard, RwLock, mpsc, watch};
use tokio::time::Instant;

use crate::clock::{Clock, after};
use crate::error::Result;
use crate::families::Families;
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::Claimed;
use crate::registry::Registry;
use crate::running::hold::Verdict;
use crate::running::ledger::SharedLedger;
use crate::signals::{RunSignal, Signals, Slot, Slots};
use crate::store::executions::{KnownWorkflows, Strays};
use crate::store::workers::NewWorker;
use crate::store::{self, Patience, Session, Store, workers};
use crate::telemetry::{self, Metrics};
use crate::testing::Doubles;

use held::HeldExecutions;
use process::Process;

pub(crate) use heartbeat::Heart;

/// What a simulation runs of a worker: all that needs no database.
#[cfg(test)]
pub(crate) mod simulated {
    pub(crate) use super::adopt::adopt;
    pub(crate) use super::ending::Left;
    pub(crate) use super::held::HeldExecutions;
    pub(crate) use super::process::Process;
    pub(crate) use super::take_up::{abandon, take_up};
}

/// How a worker behaves.
#[derive(Debug, Clone)]
pub(crate) struct WorkerOptions {
    pub(crate) version: Option<String>,
    pub(crate) lease: Duration,
    pub(crate) poll_interval: Duration,
    pub(crate) max_claims: i16,
    pub(crate) cached_executions: usize,
    pub(crate) patience: Patience,
    /// How long executions are kept whose workflows say nothing.
    pub(crate) retention: Option<Duration>,
    /// What a test has replaced; `None` in production.
    pub(crate) doubles: Option<Arc<Doubles>>,
}

/// The worker of this process.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) store: Store,
    pub(crate) options: WorkerOptions,
    pub(crate) registry: Registry,
    pub(crate) signals: Arc<Signals>,
    pub(crate) clock: Arc<Clock>,
    ledger: SharedLedger,
    pub(crate) families: Arc<Families>,
    known: KnownWorkflows,
    metrics: Metrics,
    /// The id under which this process holds its lease; a new one after each loss.
    id: watch::Sender<WorkerId>,
    draining: AtomicBool,
    /// Whether a client asked it to claim nothing more.
    deprecated: AtomicBool,
    /// The executions that this worker holds. No code of the application runs under the lock.
    held: Mutex<HeldExecutions>,
    /// Notified whenever this process stops running an execution.
    left: Notify,
    claiming: Arc<RwLock<()>>,
    /// Notified when the answer to a claim was lost.
    pub(crate) claim_lost: Notify,
    /// Notified after this process has registered as a new worker: the executions of the lost worker are to be rescued.
    pub(crate) lease_lost: Notify,
    /// Notified when this worker has declared others lost: children of their executions may be orphans.
    pub(crate) workers_lost: Notify,
}

impl Worker {
    pub(crate) fn new(
        store: Store,
        options: WorkerOptions,
        registry: Registry,
        signals: Arc<Signals>,
        clock: Arc<Clock>,
        ledger: SharedLedger,
        families: Arc<Families>,
    ) -> Arc<Self> {
        Arc::new(Self {
            known: registry.known(),
            metrics: Metrics::default(),
            id: watch::Sender::new(WorkerId::new()),
            held: Mutex::new(HeldExecutions::new(options.cached_executions)),
            draining: AtomicBool::new(false),
            deprecated: AtomicBool::new(false),
            left: Notify::new(),
            claiming: Arc::default(),
            claim_lost: Notify::new(),
            lease_lost: Notify::new(),
            workers_lost: Notify::new(),
            store,
            options,
            registry,
            signals,
            clock,
            ledger,
            families,
        })
    }

    pub(crate) fn id(&self) -> WorkerId {
        *self.id.borrow()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Whether this worker takes on executions; one that is deprecated only runs those it has.
    pub(crate) fn takes_work(&self) -> bool {
        !self.is_draining() && !self.deprecated.load(Ordering::Acquire)
    }

    /// Claims nothing more, also after this process has registered as a new worker.
    pub(crate) fn deprecate(&self) {
        if !self.deprecated.swap(true, Ordering::AcqRel) {
            tracing::info!(worker_id = %self.id(), "this worker was deprecated: it claims nothing more");
            self.signals.poke_all();
        }
    }

    /// Writes this worker's row, which fences everything else that it writes.
    pub(crate) async fn register(&self) -> Result<()> {
        self.register_as(self.id()).await
    }

    async fn register_as(&self, id: WorkerId) -> Result<()> {
        let (host, slots) = (host_name(), self.signals.slots_in_use());
        let mut workflows = self.known.labels.clone();
        workflows.sort_unstable();
        let new = NewWorker {
            id,
            host: &host,
            version: self.options.version.as_deref(),
            lease: self.options.lease,
            slots: &slots,
            workflows: &workflows,
            deprecated: self.deprecated.load(Ordering::Acquire),
            // It may have been deprecated since its last heartbeat.
            follows: Some(self.id()).filter(|before| *before != id),
        };
        let store = &self.store;
        store.history.begins(id);
        store::run("register this worker", self.options.patience, || workers::register(store, &store.pool, &new)).await
    }

    /// Registers this process as a new worker after the lease was lost: what the old worker held belongs to others.
    pub(crate) async fn register_anew(self: &Arc<Self>) {
        tracing::warn!(worker_id = %self.id(), "this worker was declared lost; its executions run elsewhere, and it starts anew");
        telemetry::lease_lost();
        self.abandon();
        let next = WorkerId::new();
        while let Err(error) = self.register_as(next).await {
            tracing::warn!(%error, "cannot register again yet");
        }
        // Only now: a heartbeat of a worker without a row would count it as lost, too.
        let (late, over) = {
            let mut held = self.held();
            // What was claimed before, and has begun since the others were ended.
            (held.end_all(), self.id.send_replace(next))
        };
        late.iter().for_each(|run| run.end(Verdict::Lost));
        self.left.notify_waiters();
        self.store.history.is_over(over);
        self.lease_lost.notify_one();
        self.signals.poke_all();
    }

    /// A slot for an execution that a client is about to start here, if one is free.
    pub(crate) fn slot_for(&self, workflow: &str, version: u32, queue: &str) -> Option<(Slot, WorkerId)> {
        if !self.takes_work() || self.registry.find(workflow, version).is_none() {
            return None;
        }
        Some((self.signals.slots(queue)?.take()?, self.id()))
    }

    /// Claims from one queue until the worker drains.
    pub(crate) async fn claim_from(self: Arc<Self>, slots: Arc<Slots>, session: &mut Session) {
        claim::claim_from(self, slots, session).await;
    }

    /// Runs an execution that was created as held by this worker.
    pub(crate) fn take_over(self: &Arc<Self>, slot: Slot, started: Claimed) {
        let timeout = self.registry.find(&started.workflow, started.version).and_then(|registered| registered.timeout);
        let now = self.clock.now();
        let deadline_at = timeout.map(|timeout| after(now, timeout));
        let started = Claimed { deadline_at, started_at: Some(now), ready_at: Some(now), ..started };
        take_up::take_up(self, [(started, slot)]);
    }

    /// Whether the execution is under way in this process.
    pub(crate) fn is_running(&self, id: ExecutionId) -> bool {
        self.held().run_of(id).is_some()
    }

    /// Everything this process believes to hold as that worker, and at which epoch.
    pub(crate) fn held_by(&self, worker: WorkerId) -> Vec<(ExecutionId, Epoch)> {
        self.held().epochs(worker)
    }

    /// Passes signals on to the runs of this process. A run that misses a signal learns the same at the next poll interval.
    pub(crate) async fn signal_runs(self: Arc<Self>, signals: &mut mpsc::UnboundedReceiver<RunSignal>) {
        while let Some(signal) = signals.recv().await {
            match signal {
                RunSignal::Ended(ids) => {
                    let ended = self.held().end(&ids);
                    ended.iter().for_each(|run| run.end(Verdict::Lost));
                }
                RunSignal::Resolved(ids) => {
                    let held = self.held();
                    ids.iter().filter_map(|id| held.run_of(*id)).for_each(|run| run.nudge());
                }
            }
        }
    }

    /// Stops those that turned out not to be held at these epochs, and those that were paused.
    pub(crate) fn drop_strays(&self, worker: WorkerId, believed: &[(ExecutionId, Epoch)], strays: &Strays) {
        let (lost, paused) = {
            let held = self.held();
            (held.runs_at(worker, believed, &strays.lost), held.runs_at(worker, believed, &strays.paused))
        };
        lost.iter().for_each(|run| run.end(Verdict::Lost));
        paused.iter().for_each(|run| run.drain());
    }

    /// Some time has passed since the answer to a claim was lost: the claim may have been committed meanwhile.
    pub(crate) fn doubt_again(&self) {
        self.held().doubt_again();
    }

    /// Whether this worker may hold what it does not know of.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.held().is_in_doubt()
    }

    /// Claims anew what this worker holds without knowing it, for example because the answer to a claim was lost, and runs it.
    pub(crate) async fn adopt_held(self: &Arc<Self>) -> Result<(), sqlx::Error> {
        // Only with no claim in flight can the database be compared with what this process holds. Starts that are under way are
        // known; the others are not handed to this worker meanwhile, because claims must not wait for a start that is held up.
        let _alone = self.claiming.write().await;
        adopt::adopt(self).await
    }

    /// Marks an execution that is being created as held by this worker, while the guard lives: until the execution begins here.
    /// `None` if it must not be held from its start; then it goes through its queue.
    pub(crate) fn begin_start(self: &Arc<Self>, started: &Claimed) -> Option<Starting> {
        let begun = self.held().begin_start(started.id);
        begun.then(|| Starting { worker: self.clone(), id: started.id })
    }

    /// Held while a claim is in flight.
    pub(crate) async fn begin_claim(&self) -> OwnedRwLockReadGuard<()> {
        self.claiming.clone().read_owned().await
    }

    /// Ends every run, as when the process dies.
    pub(crate) fn abandon(&self) {
        take_up::abandon(self);
    }

    /// Drops an execution that rests in memory: it has ended.
    pub(crate) fn forget(&self, id: ExecutionId) {
        let parked = self.held().forget(id);
        drop(parked);
    }
}

/// A running start: in the database this worker may already hold the execution, which has not begun here.
#[derive(Debug)]
pub(crate) struct Starting {
    worker: Arc<Worker>,
    id: ExecutionId,
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.worker.held().end_start(self.id);
    }
}

/// The name of this host, for people who look at the table of workers.
fn host_name() -> String {
    ["HOSTNAME", "COMPUTERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .or_else(|| std::fs::read_to_string("/etc/hostname").ok())
        .map_or_else(|| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// A lease that ends now, for a process that has none yet.
pub(crate) fn no_lease() -> watch::Sender<Instant> {
    watch::Sender::new(Instant::now())
}
