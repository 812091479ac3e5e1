//! One test: its database, its clock, its client and its workers.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use durable::chrono::{DateTime, Utc};
use durable::testing::StepName;
use durable::{Builder, Durable, Error, ExecutionHandle, Result, Workflow};
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio::sync::mpsc;

use crate::clock::{self, Advanced};
use crate::crash::Crash;
use crate::database::Database;
use crate::execution::Execution;
use crate::script::{Moment, Order, Script};
use crate::worker::{Slot, WorkerBuilder};

/// How long a test waits, by the machine's clock, for everything to come to rest.
const PATIENCE: Duration = Duration::from_secs(30);

/// Most due times that one call lets pass.
const MOST_DUE_TIMES: usize = 1000;

/// Connections of the pool of the client.
const CLIENT_CONNECTIONS: u32 = 1;

/// How often engines look for work without a notification, by the machine's clock.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// A test with a database of its own, whose clock is stopped; cheap to clone. See the [crate](crate).
#[derive(Clone)]
pub struct Test {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    options: PgConnectOptions,
    pool: PgPool,
    client: Durable,
    pub(crate) script: Arc<Script>,
    workers: Mutex<Vec<Slot>>,
    bounds: Mutex<Bounds>,
}

#[derive(Clone, Copy)]
struct Bounds {
    patience: Duration,
    due_times: usize,
}

impl Test {
    /// Begins a test on a fresh database.
    pub(crate) async fn begin(database: &Database) -> Result<Self> {
        let (options, pool) = (database.connect_options(), database.pool());
        clock::freeze(&pool).await?;
        let client = builder(&options, CLIENT_CONNECTIONS).start().await?;
        let (orders, to_carry_out) = mpsc::unbounded_channel();
        let bounds = Mutex::new(Bounds { patience: PATIENCE, due_times: MOST_DUE_TIMES });
        let inner = Inner { options, pool, client, script: Script::new(orders), workers: Mutex::default(), bounds };
        let test = Self { inner: Arc::new(inner) };
        tokio::spawn(carry_out(Arc::downgrade(&test.inner), to_carry_out));
        Ok(test)
    }

    /// Fails if something went wrong that no call has reported; drops all workers.
    pub(crate) fn end(&self) -> Result<()> {
        self.inner.slots().iter_mut().for_each(|slot| drop(slot.take_engine()));
        self.inner.script.check_at_end()
    }

    /// Describes a worker, which works until the end of the test. A test may have several.
    pub fn worker(&self) -> WorkerBuilder {
        WorkerBuilder::new(self.inner.clone())
    }

    /// A client on the database of this test, for all that this crate has no method for.
    pub fn client(&self) -> &Durable {
        &self.inner.client
    }

    /// Connections to the database of this test, for tables of the application. They take two of the server's connections at
    /// most.
    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    /// How to connect to the database of this test.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.inner.options.clone()
    }

    /// Starts an execution. To start one with a key or other options, use [`client`](Self::client) and
    /// [`execution`](Self::execution).
    ///
    /// # Errors
    /// As for [`Durable::start`].
    pub async fn start<W: Workflow>(&self, input: W::Input) -> Result<Execution<W>> {
        Ok(self.execution(self.inner.client.start::<W>(input).await?))
    }

    /// The execution of a handle, with what this crate can do to it.
    pub fn execution<W: Workflow>(&self, handle: ExecutionHandle<W>) -> Execution<W> {
        Execution::new(self.inner.clone(), handle)
    }

    /// The time of this test's database. It is stopped at the beginning of the test.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn now(&self) -> Result<DateTime<Utc>> {
        clock::now(&self.inner.pool).await
    }

    /// Lets time pass, from one due time to the next: each timer, retry, schedule, deadline and expiry fires in the order of the
    /// due times, and everything that it sets off comes to rest before the clock moves on. So the clock never moves while a step
    /// runs. Returns what became due.
    ///
    /// # Errors
    /// If something is not at rest after 30 s of real time (see [`set_patience`](Self::set_patience)), for example because a step
    /// hangs; the error says what runs, with its whole state. If there are more than 1000 due times (see
    /// [`set_most_due_times`](Self::set_most_due_times)). If a body that replaces a step has panicked.
    pub async fn advance(&self, by: Duration) -> Result<Advanced> {
        let target = clock::after(self.now().await?, by)?;
        self.advance_to(target).await
    }

    /// As [`advance`](Self::advance), up to a time.
    ///
    /// # Errors
    /// As for [`advance`](Self::advance), and if the time has passed.
    pub async fn advance_to(&self, time: DateTime<Utc>) -> Result<Advanced> {
        let (inner, now) = (&self.inner, self.now().await?);
        if time < now {
            return Err(Error::permanent(format!("the clock cannot be moved back, from {now} to {time}")));
        }
        inner.rest("before the clock moves").await?;
        let mut advanced = Advanced::default();
        for _ in 0..inner.most_due_times() {
            let fired = inner.fire_next(Some(time)).await?;
            if fired.is_empty() {
                clock::turn_to(&inner.pool, time).await?;
                inner.rest("after the clock has moved").await?;
                return Ok(advanced);
            }
            advanced.fired.extend(fired);
        }
        Err(inner.too_many(advanced.fired.last()))
    }

    /// Moves the clock at once, even while steps run: for steps that are to time out. Nothing is waited for.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn advance_during_steps(&self, by: Duration) -> Result<()> {
        clock::turn_to(&self.inner.pool, clock::after(self.now().await?, by)?).await
    }

    /// Returns when nothing runs, could run, or is due: every execution has ended, waits, or is held back by its queue.
    ///
    /// # Errors
    /// As for [`advance`](Self::advance).
    pub async fn rest(&self) -> Result<()> {
        self.inner.rest("while the test waits for rest").await
    }

    /// Sets a crash: the worker that next comes to this step dies there, as by SIGKILL, and a new worker with the same workflows
    /// takes its executions over. The crash happens once, wherever the execution is then; [`Crash::happened`] waits for it. A
    /// crash that has not happened by the end of the test fails the test.
    pub fn crash_at(&self, step: impl Into<StepName>, moment: Moment) -> Crash {
        let step = step.into();
        Crash { inner: self.inner.clone(), step, trap: self.inner.script.set_trap(step, moment) }
    }

    /// The next `times` attempts at this step fail with this message, over all executions and workers of the test, and its body
    /// is not called. Then its retries decide, as after an error of its own.
    pub fn fail(&self, step: impl Into<StepName>, times: u32, message: impl Into<String>) {
        self.inner.script.fail(step.into(), times, message.into());
    }

    /// How long this test waits, by the machine's clock, for everything to come to rest; 30 s by default.
    pub fn set_patience(&self, patience: Duration) {
        self.inner.bounds().patience = patience;
    }

    /// How many due times one call lets pass at most; 1000 by default.
    pub fn set_most_due_times(&self, due_times: usize) {
        self.inner.bounds().due_times = due_times;
    }
}

impl Inner {
    pub(crate) fn client(&self) -> &Durable {
        &self.client
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) fn builder(&self, connections: u32) -> Builder {
        builder(&self.options, connections)
    }

    pub(crate) fn patience(&self) -> Duration {
        self.bounds().patience
    }

    pub(crate) fn most_due_times(&self) -> usize {
        self.bounds().due_times
    }

    /// The error for a clock that would have to stop too often.
    pub(crate) fn too_many(&self, last: Option<&clock::Fired>) -> Error {
        let most = self.most_due_times();
        let last = last.map_or_else(String::new, |last| format!("; the last was {last}"));
        Error::permanent(format!(
            "the clock has stopped at {most} due times{last}: advance it in shorter steps, or set_most_due_times"
        ))
    }

    pub(crate) fn has_workers(&self) -> bool {
        self.slots().iter().any(Slot::is_working)
    }

    pub(crate) fn add_slot(&self, slot: Slot) -> usize {
        let mut slots = self.slots();
        slots.push(slot);
        slots.len() - 1
    }

    pub(crate) fn with_slot<T>(&self, number: usize, act: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        self.slots().get_mut(number).map(act)
    }

    pub(crate) fn take_engine(&self, number: usize) -> Option<(Durable, u32)> {
        self.slots().get_mut(number)?.take_engine()
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
        // No code that can panic runs under the lock.
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bounds(&self) -> MutexGuard<'_, Bounds> {
        self.bounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn builder(options: &PgConnectOptions, connections: u32) -> Builder {
    Durable::builder().connect_options(options.clone()).max_connections(connections).poll_interval(POLL_INTERVAL)
}

/// Kills the workers that came to a step at which a crash is set.
async fn carry_out(inner: std::sync::Weak<Inner>, mut orders: mpsc::UnboundedReceiver<Order>) {
    while let Some(order) = orders.recv().await {
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.crash(order.worker).await {
            inner.script.note_problem(format!("failed to replace a crashed worker: {error}"));
        }
        inner.script.end_order(&order);
    }
}

impl fmt::Debug for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Test").field("database", &self.inner.options.get_database()).finish_non_exhaustive()
    }
}
