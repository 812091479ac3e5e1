//! Runs executions: claims them, drives them, parks them, and keeps the lease under which all that counts.

mod cache;
mod claim;
mod conclude;
mod execute;
mod family;
mod flow;
mod heartbeat;
mod shutdown;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedRwLockReadGuard, RwLock, mpsc, watch};
use tokio::time::Instant;

use crate::clock::{Clock, after};
use crate::context::run::{Hold, Lanes, Run, Verdict};
use crate::error::Result;
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::Claimed;
use crate::registry::Registry;
use crate::signals::{Signals, Slot, Slots};
use crate::store::executions::{KnownWorkflows, Strays};
use crate::store::parents::Tells;
use crate::store::workers::NewWorker;
use crate::store::{self, Lane, Patience, Session, Store, executions, journal, workers};
use crate::telemetry::{self, Metrics};

use cache::Cache;

pub(crate) use heartbeat::Heart;

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
}

/// The worker of this process.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) store: Store,
    pub(crate) options: WorkerOptions,
    pub(crate) registry: Registry,
    pub(crate) signals: Arc<Signals>,
    pub(crate) clock: Arc<Clock>,
    lanes: Lanes,
    tells: Lane<Tells>,
    known: KnownWorkflows,
    metrics: Metrics,
    /// The id under which this process holds its lease; a new one after each loss.
    life: watch::Sender<WorkerId>,
    running: Mutex<HashMap<ExecutionId, Arc<Run>>>,
    parked: Mutex<Cache>,
    draining: AtomicBool,
    /// Told from outside to claim nothing more.
    deprecated: AtomicBool,
    /// Told whenever a run leaves `running`.
    run_ended: Notify,
    claiming: Arc<RwLock<()>>,
    /// Told when the answer to a claim was lost.
    pub(crate) claim_lost: Notify,
    /// Whether a run has ended because others seemed to hold its execution, since this was last compared with the database.
    pub(crate) lost_some: AtomicBool,
    /// Told when a life was lost and another has begun: what the lost one held is to be rescued.
    pub(crate) life_lost: Notify,
}

impl Worker {
    pub(crate) fn new(
        store: Store,
        options: WorkerOptions,
        registry: Registry,
        signals: Arc<Signals>,
        clock: Arc<Clock>,
        lanes: Lanes,
        tells: Lane<Tells>,
    ) -> Arc<Self> {
        Arc::new(Self {
            known: registry.known(),
            metrics: Metrics::default(),
            life: watch::Sender::new(WorkerId::new()),
            running: Mutex::default(),
            parked: Mutex::new(Cache::new(options.cached_executions)),
            draining: AtomicBool::new(false),
            deprecated: AtomicBool::new(false),
            run_ended: Notify::new(),
            claiming: Arc::default(),
            claim_lost: Notify::new(),
            lost_some: AtomicBool::new(false),
            life_lost: Notify::new(),
            store,
            options,
            registry,
            signals,
            clock,
            lanes,
            tells,
        })
    }

    pub(crate) fn id(&self) -> WorkerId {
        *self.life.borrow()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Whether this worker takes on executions; one that is deprecated only runs those it has.
    pub(crate) fn takes_work(&self) -> bool {
        !self.is_draining() && !self.deprecated.load(Ordering::Acquire)
    }

    /// Claims nothing more, from now on and in every later life.
    pub(crate) fn deprecate(&self) {
        if !self.deprecated.swap(true, Ordering::AcqRel) {
            tracing::info!(worker_id = %self.id(), "this worker was deprecated: it claims nothing more");
            self.signals.poke_all();
        }
    }

    /// Writes this life's row, under which everything else is fenced.
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
        };
        let store = &self.store;
        store.history.begins(id);
        store::run("register this worker", self.options.patience, || workers::register(store, &store.pool, &new)).await
    }

    /// Begins a new life after the lease was lost: what the old one held belongs to others.
    pub(crate) async fn begin_new_life(self: &Arc<Self>) {
        tracing::warn!(worker_id = %self.id(), "this worker was declared lost; its executions run elsewhere, and it starts anew");
        telemetry::lease_lost();
        self.abandon();
        let next = WorkerId::new();
        while let Err(error) = self.register_as(next).await {
            tracing::warn!(%error, "cannot register again yet");
        }
        // Only now: a heartbeat of a life without a row would count it as lost, too.
        let (over, late) = {
            let running = self.running();
            (self.life.send_replace(next), running.values().cloned().collect::<Vec<_>>())
        };
        // What was claimed before, and has begun since the others were ended.
        late.iter().for_each(|run| run.end(Verdict::Lost));
        self.store.history.is_over(over);
        self.life_lost.notify_one();
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
    pub(crate) async fn claim_from(self: Arc<Self>, slots: Arc<Slots>, session: Session) {
        claim::claim_from(self, slots, session).await;
    }

    /// Runs an execution that was created as held by this worker.
    pub(crate) fn take_over(self: &Arc<Self>, slot: Slot, started: Claimed) {
        let timeout = self.registry.find(&started.workflow, started.version).and_then(|registered| registered.timeout);
        let now = self.clock.now();
        let deadline_at = timeout.map(|timeout| after(now, timeout));
        let started = Claimed { deadline_at, started_at: Some(now), ready_at: Some(now), ..started };
        self.spawn(slot, started, claim::Begin::Fresh);
    }

    /// Whether the execution is under way in this process.
    pub(crate) fn is_running(&self, id: ExecutionId) -> bool {
        self.running().contains_key(&id)
    }

    /// Has those of the executions that run here look at their waits.
    pub(crate) fn nudge(&self, ids: &[ExecutionId]) {
        let running = self.running();
        ids.iter().filter_map(|id| running.get(id)).for_each(|run| run.nudged.notify_one());
    }

    /// Everything this process believes to hold in that life, and at which epoch.
    pub(crate) fn held(&self, life: WorkerId) -> Vec<(ExecutionId, Epoch)> {
        let running = self.running();
        let held = running.iter().map(|(id, run)| (*id, run.hold()));
        held.filter(|(_, hold)| hold.worker == life).map(|(id, hold)| (id, hold.epoch)).collect()
    }

    /// Stops what runs here and was ended by a client, as soon as it is heard of.
    pub(crate) async fn stop_ended(self: Arc<Self>, mut endings: mpsc::UnboundedReceiver<Vec<ExecutionId>>) {
        while let Some(ids) = endings.recv().await {
            self.drop_lost(&ids);
        }
    }

    fn drop_lost(&self, ids: &[ExecutionId]) {
        let lost: Vec<Arc<Run>> = {
            let running = self.running();
            ids.iter().filter_map(|id| running.get(id).cloned()).collect()
        };
        lost.iter().for_each(|run| run.end(Verdict::Lost));
    }

    /// Stops those of `believed` that turned out not to be held, unless they were parked or claimed anew in the meantime.
    pub(crate) fn drop_strays(&self, life: WorkerId, believed: &[(ExecutionId, Epoch)], strays: &Strays) {
        let unchanged = |ids: &[ExecutionId]| -> Vec<Arc<Run>> {
            let running = self.running();
            let unchanged = |id: &ExecutionId| {
                let (_, epoch) = believed.iter().find(|(believed, _)| believed == id)?;
                let believed = Hold { worker: life, epoch: *epoch };
                running.get(id).filter(|run| !run.is_parking() && run.hold() == believed).cloned()
            };
            ids.iter().filter_map(unchanged).collect()
        };
        unchanged(&strays.lost).iter().for_each(|run| run.end(Verdict::Lost));
        unchanged(&strays.paused).iter().for_each(|run| run.drain());
    }

    /// Runs executions that this worker holds without knowing it, as where the answer to their claim was lost on the way.
    pub(crate) async fn adopt_held(self: &Arc<Self>) -> Result<(), sqlx::Error> {
        // With no claim in flight, what the database says and what this process knows can be compared.
        let _alone = self.claiming.write().await;
        let known: Vec<ExecutionId> = self.running().keys().copied().collect();
        let held = executions::held(&self.store, &self.store.pool, self.id(), &known).await?;
        for claimed in held {
            let Some(slots) = self.signals.slots(&claimed.queue) else { continue };
            let ids = claim::journals_wanted(std::iter::once(&claimed));
            let store = &self.store;
            // Each by itself, and through outages: they are claimed, and one that cannot be read must not count against the others.
            match store::run("load journals", Patience::Endless, || journal::load(store, &store.pool, &ids)).await {
                Ok(mut journals) => {
                    tracing::info!(execution_id = %claimed.id, "took up an execution that this worker holds and did not run");
                    let journal = claim::take_journal(&mut journals, &claimed);
                    self.resume(slots.take_anyway(), claimed, journal);
                }
                Err(error) => {
                    tracing::error!(execution_id = %claimed.id, %error, "cannot load a journal; trying again soon");
                    self.lost_some.store(true, Ordering::Relaxed);
                }
            }
        }
        Ok(())
    }

    /// Held while a claim, or a start that is one, is in flight.
    pub(crate) async fn begin_claim(&self) -> OwnedRwLockReadGuard<()> {
        self.claiming.clone().read_owned().await
    }

    /// Ends every run, as when the process dies.
    pub(crate) fn abandon(&self) {
        let runs: Vec<Arc<Run>> = self.running().values().cloned().collect();
        runs.iter().for_each(|run| run.end(Verdict::Lost));
        let parked = self.parked().clear();
        drop(parked);
    }

    fn running(&self) -> MutexGuard<'_, HashMap<ExecutionId, Arc<Run>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parked(&self) -> MutexGuard<'_, Cache> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
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
