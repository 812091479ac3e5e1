//! The client: starts executions, sends them events and answers, shows them, and ends them.

mod answer;
mod archive;
mod builder;
mod bulk;
mod cancel;
mod change_mark;
mod connect;
mod cursor;
mod doctor;
mod engine;
mod fork;
mod graphs;
mod handle;
mod introspect;
mod list;
mod page;
mod pause;
mod prune;
mod publish;
mod queue;
mod replay;
mod schedule;
mod schedules;
mod set_inputs;
mod start;
mod start_by_name;
mod step_logs;
mod transaction;
mod update_input;
mod values;
mod wait_for_value;
mod watch;
mod watchdog;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sqlx::PgPool;

use crate::context::Workflow;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::{Delivery, Execution, ExecutionDetails, not_found};
use crate::payload;
use crate::store::messages::{self, Message};
use crate::store::{self, Store, look};

pub use answer::{PendingInputs, ProvideInput};
pub use builder::Builder;
pub use bulk::{Bulk, BulkOutcome, BulkReport};
pub use cancel::Cancel;
pub use change_mark::ChangeMark;
pub use cursor::{Cursor, SortBy, SortOrder};
pub use fork::Fork;
pub use handle::ExecutionHandle;
pub use list::{ExecutionList, ExecutionPage};
pub use page::{InputCursor, Page};
pub use prune::{Prune, Pruned};
pub use publish::Publish;
pub use queue::QueueHandle;
pub use replay::{Divergence, NotCompared, Replay, ReplayReport, UnknownWorkflow, Unreadable};
pub use schedule::PutSchedule;
pub use schedules::{FiringList, ScheduleList, TriggerSchedule};
pub use set_inputs::SetInputs;
pub use start::{Start, StartMany};
pub use start_by_name::{ByName, StartByName};
pub use update_input::UpdateInput;
pub use wait_for_value::WaitForValue;
pub use watch::Watch;

use engine::Engine;
use watchdog::Watchdog;

/// How long [`Durable::shutdown`] waits for steps under way; a deployment usually allows a process this long to end.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(30);

/// How long [`Durable::shutdown`] waits for observers to receive the last calls; only an observer that hangs takes this long.
const LAST_NEWS_LIMIT: Duration = Duration::from_secs(5);

/// How long [`Durable::shutdown`] waits until the last notices to other processes are sent, which poll anyway, and the last logs
/// of steps are kept.
const LAST_NOTICES_LIMIT: Duration = Duration::from_secs(2);

/// The engine in this process. It is always a client, and also a worker if workflows are registered. Clones share one engine.
///
/// ```no_run
/// use durable::prelude::*;
///
/// struct Greeting;
///
/// #[workflow]
/// impl Greeting {
///     async fn run(&self, cx: &Context, name: String) -> Result<String> {
///         cx.sleep(seconds(1)).await?;
///         self.greet(&name).await
///     }
///
///     #[step]
///     async fn greet(&self, name: &str) -> Result<String> {
///         Ok(format!("Hello, {name}!"))
///     }
/// }
///
/// # async fn example(url: &str) -> Result<()> {
/// let durable = Durable::builder().database_url(url).register(Greeting).start().await?;
/// let handle = durable.start::<Greeting>("Ada".to_owned()).key("greet-ada").await?;
/// assert_eq!(handle.result().await?, "Hello, Ada!");
/// durable.shutdown().await
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Durable {
    engine: Arc<Engine>,
}

impl Durable {
    /// Describes an engine; [`Builder::start`] starts it.
    ///
    /// ```no_run
    /// # async fn example() -> durable::Result<()> {
    /// // A client without workflows: it starts executions, and workers elsewhere run them.
    /// let client = durable::Durable::builder().database_url("postgres://localhost/shop").start().await?;
    /// # drop(client); Ok(()) }
    /// ```
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts many executions of `W` in one statement: all of them, or none. Await the returned builder, after options such as
    /// `.keys(…)`.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # struct Remind;
    /// # #[workflow] impl Remind { async fn run(&self, _cx: &Context, customer: u64) -> Result<()> { Ok(drop(customer)) } }
    /// # async fn example(durable: &Durable) -> Result<()> {
    /// let reminders = durable.start_many::<Remind>([7, 8, 9]).keys(|customer| format!("remind-{customer}")).await?;
    /// assert_eq!(reminders.len(), 3);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`start`](Self::start); then none of the executions was started.
    pub fn start_many<W: Workflow>(&self, inputs: impl IntoIterator<Item = W::Input>) -> StartMany<'_, W> {
        StartMany::new(self, inputs.into_iter().collect())
    }

    /// A handle to an execution of `W` that was started earlier, in this process or another. It asks the database nothing: an
    /// unknown id is noticed when the handle is used.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # struct Ship;
    /// # #[workflow] impl Ship { async fn run(&self, _cx: &Context, id: i64) -> Result<i64> { Ok(id) } }
    /// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
    /// let parcel = durable.handle::<Ship>(id).result().await?;
    /// # drop(parcel); Ok(()) }
    /// ```
    pub fn handle<W: Workflow>(&self, id: ExecutionId) -> ExecutionHandle<W> {
        ExecutionHandle::new(self.clone(), id)
    }

    /// Sends an event to an execution. The event is kept until a wait takes it, so it may come before, during or after the wait.
    /// The returned [`Delivery`] says whether a wait has taken it; if not, it names the events that the execution waits for now.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
    /// let delivery = durable.send_event(id, "picked_up", "DHL").await?;
    /// println!("{delivery:?}");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for an unknown execution, `Finished` for an execution that has ended or whose deadline has passed, `Payload`
    /// for a payload that cannot be stored.
    pub async fn send_event<T: Serialize + ?Sized>(&self, id: ExecutionId, name: &str, payload: &T) -> Result<Delivery> {
        let payload = payload::encode(format_args!("event `{name}`"), payload)?;
        let message = Message::new(id, name, payload);
        let sent = self.run("send an event", |pool| messages::send_event(self.store(), pool, &message)).await?;
        self.store().watched.note([id]);
        self.engine.signals.affected(&sent.effect);
        Ok(sent.delivery)
    }

    /// An execution with its steps, their attempts and compensations, its waits, and its children.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
    /// let details = durable.get_execution(id).await?;
    /// for step in &details.steps {
    ///     println!("{}: {} attempts", step.key, step.attempts.len());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for an unknown execution.
    pub async fn get_execution(&self, id: ExecutionId) -> Result<ExecutionDetails> {
        let found = self.run("get an execution", |pool| look::details(self.store(), pool, id)).await?;
        found.ok_or_else(|| not_found(id))
    }

    /// Lists executions, newest first unless `.order_by(…)` is given. Await the returned builder after filters such as
    /// `.workflow("process_order")`, or call `.count()` for the number of executions that pass the filters.
    ///
    /// # Errors
    /// `Invalid` for a limit that is not between 1 and 1000, and for a cursor of a list in another order.
    pub fn list_executions(&self) -> ExecutionList<'_> {
        ExecutionList::new(self)
    }

    /// Shuts down in order: claims nothing more, gives running steps 30 seconds to end, and returns the other executions to their
    /// queues, where other workers take them at once. A client without workflows should shut down, too: otherwise workers may
    /// find what it started only at their next poll.
    pub async fn shutdown(&self) -> Result<()> {
        self.shutdown_within(SHUTDOWN_LIMIT).await
    }

    /// Like [`shutdown`](Self::shutdown), with another limit for running steps. A step that takes longer runs again elsewhere.
    pub async fn shutdown_within(&self, limit: Duration) -> Result<()> {
        self.end_within(limit).await.map(drop)
    }

    /// Shuts down; returns how many executions keep a thread of the runtime, because their code does not return.
    async fn end_within(&self, limit: Duration) -> Result<usize> {
        let Some(mut tasks) = self.engine.tasks.lock().await.take() else { return Ok(0) };
        if self.engine.check_runtime("shut down").is_err() {
            // The engine's tasks ended with the runtime, but the heartbeat has its own thread. Stop it, so that the lease runs
            // out.
            if let Some(heart) = tasks.heart.take() {
                heart.stop().await?;
            }
            return self.engine.check_runtime("shut down").map(|()| 0);
        }
        let mut blocked = 0;
        if let Some(worker) = &self.engine.worker {
            blocked = worker.shut_down(limit).await;
        }
        tasks.claims.shutdown().await;
        tasks.duties.shutdown().await;
        let stopped = match tasks.heart.take() {
            Some(heart) => heart.stop().await,
            None => Ok(()),
        };
        self.engine.signals.observers.drain(LAST_NEWS_LIMIT).await;
        tasks.closing.send_replace(true);
        if tokio::time::timeout(LAST_NOTICES_LIMIT, tasks.notices.ended()).await.is_err() {
            tracing::debug!("the last notices and logs could not be sent in time; other processes will find out by polling");
        }
        stopped.map(|()| blocked)
    }

    /// Works until the process receives SIGTERM or Ctrl-C, then shuts down in order.
    ///
    /// A thread outside the runtime receives the signals. If the runtime does not answer within 30 seconds, or if code that does
    /// not return keeps its threads after the shutdown, the process ends with exit code 70.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # struct Ship;
    /// # #[workflow] impl Ship { async fn run(&self, _cx: &Context, id: i64) -> Result<i64> { Ok(id) } }
    /// # async fn example() -> Result<()> {
    /// let worker = Durable::builder().database_url("postgres://localhost/shop").register(Ship).start().await?;
    /// worker.run_until_signal().await
    /// # }
    /// ```
    pub async fn run_until_signal(&self) -> Result<()> {
        self.run_until_signal_within(SHUTDOWN_LIMIT).await
    }

    /// Like [`run_until_signal`](Self::run_until_signal), with another limit than 30 seconds for running steps.
    pub async fn run_until_signal_within(&self, limit: Duration) -> Result<()> {
        let mut watchdog = Watchdog::start(limit)?;
        watchdog.signalled().await?;
        tracing::info!("received a signal to end: shutting down");
        let ended = self.end_within(limit).await;
        watchdog.shut_down(ended.as_ref().copied().unwrap_or_default());
        ended.map(drop)
    }

    fn store(&self) -> &Store {
        &self.engine.store
    }

    async fn run<'a, T, F>(&'a self, what: &str, statement: impl Fn(&'a PgPool) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        self.run_on(&self.engine.store.pool, what, statement).await
    }

    /// As [`run`](Self::run), for a statement with filters that may be null.
    async fn read<'a, T, F>(&'a self, what: &str, statement: impl Fn(&'a PgPool) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        self.run_on(&self.engine.store.readers, what, statement).await
    }

    async fn run_on<'a, T, F>(&'a self, pool: &'a PgPool, what: &str, statement: impl Fn(&'a PgPool) -> F) -> Result<T>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        self.engine.check_runtime(what)?;
        let done = store::run(what, self.engine.patience, || statement(pool)).await;
        done.map_err(|error| match error.kind() {
            ErrorKind::Unavailable => Error::of_kind(ErrorKind::Unavailable, format!("{error} ({})", self.store().address)),
            _ => error,
        })
    }

    /// The execution without its journal.
    async fn execution(&self, id: ExecutionId) -> Result<Execution> {
        let found = self.run("get an execution", |pool| look::execution(self.store(), pool, id)).await?;
        found.ok_or_else(|| not_found(id))
    }
}
