//! Puts an engine together: its channels, its lanes, and its background tasks, all in one list.

use std::sync::Arc;
use std::time::Duration;

use durable_migrate::SchemaName;
use tokio::sync::{OwnedMutexGuard, mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{connect, graphs, schedule};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result};
use crate::families::Families;
use crate::model::QueueLimits;
use crate::observer;
use crate::panics;
use crate::registry::Registry;
use crate::running::lanes::Lanes;
use crate::running::ledger::{FamilyNews, Here};
use crate::signals::{self, RunSignal, Signals, Slots};
use crate::store::attempts::Attempts;
use crate::store::notify::Notice;
use crate::store::parents::Notifications;
use crate::store::parks::Parks;
use crate::store::saves::Saves;
use crate::store::starts::Starts;
use crate::store::transactions::Transactions;
use crate::store::{self, Address, Lane, Patience, Session, Store};
use crate::supervision::{Health, TaskSet};
use crate::telemetry::{self, AttemptLog, Levels, StepLogs, Tracing};
use crate::upkeep::{self, Followers, Subscription};
use crate::worker::{self, Heart, Worker, WorkerOptions};

/// An engine as its builder describes it; every option has been checked.
pub(super) struct EngineOptions {
    pub(super) address: Address,
    pub(super) schema: SchemaName,
    pub(super) queues: Vec<(String, usize)>,
    pub(super) limits: Vec<(String, QueueLimits)>,
    pub(super) registry: Registry,
    pub(super) observers: observer::RegisteredObservers,
    pub(super) tracing: Tracing,
    pub(super) step_log_levels: Levels,
    pub(super) measure_every: Option<Duration>,
    pub(super) max_connections: u32,
    pub(super) transaction_connections: u32,
    pub(super) worker: WorkerOptions,
}

/// Everything that runs in this process on behalf of the clients.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) store: Store,
    pub(super) signals: Arc<Signals>,
    pub(super) starts: Lane<Starts>,
    pub(super) families: Arc<Families>,
    pub(super) patience: Patience,
    pub(super) worker: Option<Arc<Worker>>,
    /// To the task that follows watched executions.
    pub(super) subscriptions: mpsc::UnboundedSender<Subscription>,
    /// Ends with the last clone, unless `shutdown` ended it before.
    pub(super) tasks: tokio::sync::Mutex<Option<Tasks>>,
    /// Ends with the runtime on which all of this runs.
    runtime: AbortHandle,
}

/// The background tasks of an engine, in the groups in which a shutdown ends them.
#[derive(Debug)]
pub(super) struct Tasks {
    pub(super) heart: Option<Heart>,
    pub(super) claims: TaskSet,
    pub(super) duties: TaskSet,
    /// Sends notices to other processes, and keeps what steps logged. It outlives the other groups, whose last actions are
    /// notices and logs, too.
    pub(super) notices: TaskSet,
    /// Tells the tasks of notices and logs that those in their queues are the last.
    pub(super) closing: watch::Sender<bool>,
}

/// What the tasks of a worker own: the receiving ends of its channels, and the lease that its heartbeat extends.
struct WorkerInputs {
    run_signals: mpsc::UnboundedReceiver<RunSignal>,
    family_news: mpsc::UnboundedReceiver<FamilyNews>,
    lease: watch::Sender<Instant>,
}

/// What the tasks of every process need.
struct Process {
    store: Store,
    signals: Arc<Signals>,
    poll_interval: Duration,
    measure_every: Option<Duration>,
}

/// Starts tasks that act for a worker.
struct WorkerTasks<'a> {
    worker: &'a Arc<Worker>,
    tasks: &'a mut TaskSet,
}

/// Hands out the long-lived sessions of a process. The first ones may keep their connections, so the order matters.
struct Sessions {
    store: Store,
    count: u32,
}

impl Engine {
    /// Connects, checks the schema, registers the worker if workflows are registered, and starts the tasks.
    pub(super) async fn start(options: EngineOptions) -> Result<Self> {
        let patience = options.worker.patience;
        let store = Store::new(&options.address, options.schema, options.max_connections);
        connect::prepare(&store, patience, &options.limits).await?;
        panics::install_hook();
        telemetry::describe();
        let reading = store::run("read the database's clock", patience, || store::clock::read(&store, &store.pool)).await?;
        // The time for which a live worker may be silent.
        let clock = Arc::new(Clock::new(reading, options.worker.lease / 3));

        let mut sessions = Sessions { store: store.clone(), count: 0 };
        let (outgoing, notices) = mpsc::unbounded_channel();
        let (to_runs, run_signals) = mpsc::unbounded_channel();
        let (step_logs, logs) = StepLogs::new(options.step_log_levels);
        let tracing = options.tracing.with_step_logs(step_logs);
        let slots = options.queues.iter().map(|(name, limit)| (name.clone(), Slots::new(name, *limit))).collect();
        let signals = Arc::new(Signals::new(slots, outgoing, to_runs, options.observers.start()?, tracing));
        let starts = Lane::open(Arc::new(Starts), sessions.next());
        let notifications = Lane::open(Arc::new(Notifications), Session::passing(store.clone()));
        let families = Arc::new(Families::new(store.clone(), signals.clone(), notifications));

        let (poll_interval, measure_every) = (options.worker.poll_interval, options.measure_every);
        let (mut tasks, mut working) = (Tasks::new(&store.health), None);
        if !options.registry.is_empty() {
            let (lease, (news, family_news)) = (worker::no_lease(), mpsc::unbounded_channel());
            let here = Here {
                workflows: options.registry.workflows().collect(),
                queues: signals.queues().map(|slots| slots.queue.clone()).collect(),
            };
            let lanes = Lanes {
                saves: Lane::open_double(Arc::new(Saves), sessions.next(), sessions.next_that_keeps()),
                parks: Lane::open(Arc::new(Parks), sessions.next()),
                attempts: Lane::open(Arc::new(Attempts), sessions.next()),
                news,
                here,
                transactions: Transactions::new(store.clone(), options.transaction_connections),
                store: store.clone(),
                lease: lease.subscribe(),
            };
            let (signals, families) = (signals.clone(), families.clone());
            let worker = Worker::new(store.clone(), options.worker, options.registry, signals, clock, Arc::new(lanes), families);
            // No heartbeat extends the lease yet: what may take long comes before the registration.
            graphs::keep(&store, &worker.registry, patience).await;
            worker.register().await?;
            if schedule::declare(&store, &worker.registry, patience).await? {
                worker.signals.schedules_changed();
            }
            tasks.keep_step_logs(&worker, logs);
            tasks.start_for_worker(&worker, WorkerInputs { run_signals, family_news, lease }, &mut sessions)?;
            working = Some(worker);
        }
        let process = Process { store: store.clone(), signals: signals.clone(), poll_interval, measure_every };
        tasks.start_for_process(&process, notices, sessions.next());
        let (subscriptions, subscribed) = mpsc::unbounded_channel();
        tasks.follow_watched(&process, Followers::new(subscribed));
        let tasks = tokio::sync::Mutex::new(Some(tasks));
        let runtime = tokio::spawn(std::future::pending::<()>()).abort_handle();
        Ok(Self { store, signals, starts, families, patience, worker: working, subscriptions, tasks, runtime })
    }

    /// Fails if the runtime that started the engine is gone, with all its tasks and connections.
    pub(super) fn check_runtime(&self, what: &str) -> Result<()> {
        if !self.runtime.is_finished() {
            return Ok(());
        }
        let problem = format!("cannot {what}: the runtime that started this engine has ended; start another engine");
        Err(Error::of_kind(ErrorKind::Unavailable, problem))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.runtime.abort();
        if let Some(worker) = &self.worker {
            worker.abandon();
        }
    }
}

/// The list of every background task. Two kinds of tasks are not in it: each lane starts one or two for its lines and two for its
/// sidings, and each observer has a thread of its own.
impl Tasks {
    fn new(health: &Health) -> Self {
        let set = || TaskSet::new(health.clone());
        Self { heart: None, claims: set(), duties: set(), notices: set(), closing: watch::Sender::new(false) }
    }

    /// The tasks of a process that runs workflows.
    fn start_for_worker(&mut self, worker: &Arc<Worker>, inputs: WorkerInputs, sessions: &mut Sessions) -> Result<()> {
        let WorkerInputs { run_signals, family_news, lease } = inputs;
        self.heart = Some(Heart::start(worker, lease)?);

        let mut duties = WorkerTasks { worker, tasks: &mut self.duties };
        duties.start_with("wake", sessions.next(), |worker, mut session| async move {
            upkeep::wake(worker, &mut session).await;
        });
        duties.start_with("signal_runs", run_signals, |worker, mut signals| async move {
            worker.signal_runs(&mut signals).await;
        });
        duties.start_with("look_after_children", family_news, |worker, mut news| async move {
            worker.look_after_children(&mut news).await;
        });
        for &(name, duty) in upkeep::DUTIES {
            duties.start(name, duty);
        }

        let mut claims = WorkerTasks { worker, tasks: &mut self.claims };
        for slots in worker.signals.queues().cloned() {
            let name = format!("claim from queue `{}`", slots.queue);
            claims.start_with(name, sessions.next(), move |worker, mut session| {
                let slots = slots.clone();
                async move { worker.claim_from(slots, &mut session).await }
            });
        }
        Ok(())
    }

    /// The tasks of every process, also of a pure client.
    fn start_for_process(&mut self, process: &Process, notices: mpsc::UnboundedReceiver<Notice>, session: Session) {
        let Process { store, signals, poll_interval, measure_every } = process;
        let closing = self.closing.subscribe();
        self.notices.start_with("tell", (session, notices, closing), move |mut own| async move {
            let (session, notices, closing) = &mut *own;
            signals::tell(session, notices, closing).await;
        });
        let (hearing, looking) = ((store.clone(), signals.clone()), (store.clone(), signals.clone(), *poll_interval));
        self.duties.start("hear", move || signals::hear(hearing.0.clone(), hearing.1.clone()));
        self.duties.start("look_for_results", move || upkeep::look_for_results(looking.0.clone(), looking.1.clone(), looking.2));
        if let Some(interval) = *measure_every {
            let measured = store.clone();
            self.duties.start("measure", move || upkeep::measure(measured.clone(), interval));
        }
    }

    /// Keeps what the steps of this process log.
    fn keep_step_logs(&mut self, worker: &Worker, logs: mpsc::Receiver<AttemptLog>) {
        let (own, clock) = ((Session::passing(worker.store.clone()), logs, self.closing.subscribe()), worker.clock.clone());
        self.notices.start_with("keep_step_logs", own, move |mut own| {
            let clock = clock.clone();
            async move {
                let (session, logs, closing) = &mut *own;
                upkeep::keep_step_logs(session, logs, closing, &clock).await;
            }
        });
    }

    /// Hands what changes about watched executions to their watchers.
    fn follow_watched(&mut self, process: &Process, followers: Followers) {
        let (store, signals, poll_interval) = (process.store.clone(), process.signals.clone(), process.poll_interval);
        self.duties.start_with("follow", followers, move |mut followers| {
            let (store, signals) = (store.clone(), signals.clone());
            async move { followers.follow(&store, &signals, poll_interval).await }
        });
    }
}

impl WorkerTasks<'_> {
    fn start<F>(&mut self, name: &'static str, run: impl Fn(Arc<Worker>) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let worker = self.worker.clone();
        self.tasks.start(name, move || run(worker.clone()));
    }

    /// Starts a task that owns something which must survive a panic.
    fn start_with<T, F>(
        &mut self,
        name: impl Into<String>,
        own: T,
        run: impl Fn(Arc<Worker>, OwnedMutexGuard<T>) -> F + Clone + Send + Sync + 'static,
    ) where
        T: Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let worker = self.worker.clone();
        self.tasks.start_with(name, own, move |own| run(worker.clone(), own));
    }
}

impl Sessions {
    fn next(&mut self) -> Session {
        let session = Session::new(self.store.clone(), self.count);
        self.count = self.count.saturating_add(1);
        session
    }

    /// The next session, if the pool can spare a connection for it.
    fn next_that_keeps(&mut self) -> Option<Session> {
        Some(self.next()).filter(Session::keeps)
    }
}
