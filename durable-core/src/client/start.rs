//! Starts executions, through the lane that concurrent callers share. If this process has a free slot, it runs the execution at
//! once.

use std::fmt;
use std::future::IntoFuture;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::{Durable, ExecutionHandle};
use crate::clock;
use crate::context::step::BoxFuture;
use crate::context::{Workflow, tags_of};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::{Claimed, Tags};
use crate::payload::{self, Payload};
use crate::plan::start_options::{Defaults, StartOptions, start_setters};
use crate::signals::Slot;
use crate::store::starts::{Creation, NewExecution, StartOutcome, Started};
use crate::store::{FIND_HOLDER, FIRST_PAUSE_WHEN_HELD_UP, LONGEST_PAUSE_WHEN_HELD_UP, Patience};
use crate::telemetry::TraceContext;
use crate::worker::Starting;

/// Most bytes that one call starts. They go out in one statement, and the server accepts no statement of a gigabyte.
const MOST_BYTES_AT_ONCE: usize = 512 * 1024 * 1024;

/// A start of the workflow `W`; await it. See [`Durable::start`], and [`Durable::start_by_name`] for a workflow that is known by
/// its name only.
#[must_use = "a start does nothing until it is awaited"]
pub struct Start<'durable, W> {
    durable: &'durable Durable,
    definition: Definition,
    input: Result<Payload>,
    options: StartOptions,
    trace_context: Option<TraceContext>,
    workflow: PhantomData<fn() -> W>,
}

impl<'durable, W> Start<'durable, W> {
    pub(super) fn new(durable: &'durable Durable, definition: Definition, input: Result<Payload>) -> Self {
        Self { durable, definition, input, options: StartOptions::default(), trace_context: None, workflow: PhantomData }
    }

    start_setters!(queue, priority, concurrency_key, time_to_live, tag);

    /// The key of the execution: for each key and workflow there is one execution. A further start with the same key and the same
    /// input returns a handle to it; a start with another input fails with a conflict. 1 to 1000 bytes.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.options.key = Some(key.into());
        self
    }

    /// While an execution with this deduplication key is unfinished, further starts of the workflow return a handle to it,
    /// whatever their input. Once it has ended or expired, the next start creates a new one. 1 to 1000 bytes.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # struct Sync;
    /// # #[workflow] impl Sync { async fn run(&self, _cx: &Context, customer: u64) -> Result<()> { Ok(drop(customer)) } }
    /// # async fn example(durable: &Durable) -> Result<()> {
    /// // However often the button is pressed, one synchronisation runs at a time.
    /// let sync = durable.start::<Sync>(7).deduplication_key("customer-7").await?;
    /// # drop(sync); Ok(()) }
    /// ```
    pub fn deduplication_key(mut self, key: impl Into<String>) -> Self {
        self.options.deduplication_key = Some(key.into());
        self
    }

    /// Begins the execution once the workflow has not been started with this debounce key for the period. Until it begins, each
    /// further start replaces the one before (its input, queue, version, priority, concurrency key and trace), begins the period
    /// anew, and returns a handle to the same execution. Once a worker has claimed it, the next start creates another.
    ///
    /// The period is above zero; the key has 1 to 1000 bytes. A debounced start cannot have a `key`, a `deduplication_key`, `at`
    /// or `delay`.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # struct Index;
    /// # #[workflow] impl Index { async fn run(&self, _cx: &Context, text: String) -> Result<()> { Ok(drop(text)) } }
    /// # async fn example(durable: &Durable, text: String) -> Result<()> {
    /// // Half a minute after the last change, and at the latest five minutes after the first.
    /// durable.start::<Index>(text).debounce("page-12", seconds(30)).debounce_at_most(minutes(5)).await?;
    /// # Ok(()) }
    /// ```
    pub fn debounce(mut self, key: impl Into<String>, period: Duration) -> Self {
        self.options.debounce = Some((key.into(), period));
        self
    }

    /// How long a debounced execution may be delayed in total, counted from its first start. It is at least as long as the
    /// period; by default there is no limit.
    pub fn debounce_at_most(mut self, limit: Duration) -> Self {
        self.options.debounce_at_most = Some(limit);
        self
    }

    /// Begins at this time by the database's clock, or as soon after it as a worker is free.
    pub fn at(mut self, time: DateTime<Utc>) -> Self {
        self.options.start_at = Some(time);
        self
    }

    /// Begins after this delay by the database's clock, or as soon after it as a worker is free. At most a thousand years.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.options.delay = Some(delay);
        self
    }

    /// The trace that the execution continues, for example from the headers of a request. Default: the trace of the calling code,
    /// if [`Builder::telemetry`](super::Builder::telemetry) was given.
    pub fn trace_context(mut self, context: TraceContext) -> Self {
        self.trace_context = Some(context);
        self
    }

    fn options(&mut self) -> &mut StartOptions {
        &mut self.options
    }

    pub(super) fn durable(&self) -> &'durable Durable {
        self.durable
    }

    pub(super) fn definition(&mut self) -> &mut Definition {
        &mut self.definition
    }

    pub(super) fn into_new(self) -> Result<NewExecution> {
        checked(self.definition, self.input, self.options, self.trace_context)
    }
}

impl<'durable, W: Workflow> IntoFuture for Start<'durable, W> {
    type Output = Result<ExecutionHandle<W>>;
    type IntoFuture = BoxFuture<'durable, Result<ExecutionHandle<W>>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let durable = self.durable;
            let mut started = durable.start_all::<W>(vec![self.into_new()?]).await?;
            started.pop().ok_or_else(|| Error::new("a start returned nothing"))
        })
    }
}

/// A start of many executions of `W` as one statement; await it. See [`Durable::start_many`].
#[must_use = "a start does nothing until it is awaited"]
pub struct StartMany<'durable, W: Workflow> {
    durable: &'durable Durable,
    inputs: Vec<W::Input>,
    options: StartOptions,
    keys: Option<fn(&W::Input) -> String>,
    deduplication_keys: Option<fn(&W::Input) -> String>,
}

impl<'durable, W: Workflow> StartMany<'durable, W> {
    pub(super) fn new(durable: &'durable Durable, inputs: Vec<W::Input>) -> Self {
        Self { durable, inputs, options: StartOptions::default(), keys: None, deduplication_keys: None }
    }

    start_setters!(queue, priority, concurrency_key, time_to_live, tag);

    /// Makes the key of each execution from its input; see [`Start::key`].
    pub fn keys(mut self, key: fn(&W::Input) -> String) -> Self {
        self.keys = Some(key);
        self
    }

    /// Makes the deduplication key of each execution from its input; see [`Start::deduplication_key`]. If several have the same
    /// key, the first is created.
    pub fn deduplication_keys(mut self, key: fn(&W::Input) -> String) -> Self {
        self.deduplication_keys = Some(key);
        self
    }

    fn options(&mut self) -> &mut StartOptions {
        &mut self.options
    }
}

impl<'durable, W: Workflow> IntoFuture for StartMany<'durable, W> {
    type Output = Result<Vec<ExecutionHandle<W>>>;
    type IntoFuture = BoxFuture<'durable, Result<Vec<ExecutionHandle<W>>>>;

    fn into_future(self) -> Self::IntoFuture {
        let durable = self.durable;
        let new: Result<Vec<NewExecution>> = self
            .inputs
            .iter()
            .map(|input| {
                let key = self.keys.map(|key| key(input));
                let deduplication_key = self.deduplication_keys.map(|key| key(input));
                let options = StartOptions { key, deduplication_key, ..self.options.clone() };
                checked(Definition::of::<W>(input), encoded::<W>(input), options, None)
            })
            .collect();
        Box::pin(async move { durable.start_all::<W>(new?).await })
    }
}

/// The workflow to start, as its type or its caller defines it; options override parts of it.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) workflow: String,
    pub(super) version: u32,
    pub(super) queue: &'static str,
    pub(super) timeout: Option<Duration>,
    pub(super) concurrency_key: Option<String>,
    pub(super) time_to_live: Option<Duration>,
    pub(super) tags: Tags,
}

impl Definition {
    pub(super) fn of<W: Workflow>(input: &W::Input) -> Self {
        Self {
            workflow: W::NAME.to_owned(),
            version: W::VERSION,
            queue: W::QUEUE,
            timeout: W::TIMEOUT,
            concurrency_key: W::concurrency_key(input),
            time_to_live: W::TIME_TO_LIVE,
            tags: tags_of::<W>(input),
        }
    }
}

fn encoded<W: Workflow>(input: &W::Input) -> Result<Payload> {
    payload::encode_for_replay(format_args!("the input of workflow `{}`", W::NAME), input)
}

/// The execution to create. Every value is checked here, before anything is written.
fn checked(
    definition: Definition,
    input: Result<Payload>,
    options: StartOptions,
    trace_context: Option<TraceContext>,
) -> Result<NewExecution> {
    let Definition { workflow, version, queue, timeout, concurrency_key, time_to_live, tags } = definition;
    Ok(NewExecution {
        id: ExecutionId::new(),
        options: options.check("an execution", Defaults { queue, priority: 0, concurrency_key, time_to_live, tags })?,
        version: checked_version(&workflow, version)?,
        workflow,
        input: input?,
        // A longer timeout never expires.
        timeout: timeout.filter(|timeout| *timeout <= clock::LONGEST),
        trace_context,
        hand_off: None,
    })
}

/// Checks the version.
fn checked_version(workflow: &str, version: u32) -> Result<i32> {
    i32::try_from(version).ok().filter(|version| *version >= 1).ok_or_else(|| {
        let problem = format!("workflow `{workflow}` has no version {version}; versions start at 1, and end at {}", i32::MAX);
        Error::of_kind(ErrorKind::Invalid, problem)
    })
}

impl Durable {
    /// Starts an execution of `W`; await the returned builder, after options such as `.key("order-42")`.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # struct Ship;
    /// # #[workflow] impl Ship { async fn run(&self, _cx: &Context, id: i64) -> Result<i64> { Ok(id) } }
    /// # async fn example(durable: &Durable) -> Result<()> {
    /// let handle = durable.start::<Ship>(42).key("order-42").priority(5).delay(hours(1)).await?;
    /// println!("started {}", handle.id());
    /// let parcel = handle.result().await?;
    /// # drop(parcel); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Payload` if the input cannot be stored, `Conflict` if the key belongs to an execution with another input, `Invalid` for
    /// an option that makes no sense and for a workflow that is not registered in a process that has workflows, `Unavailable` if
    /// the database does not answer in time.
    pub fn start<W: Workflow>(&self, input: W::Input) -> Start<'_, W> {
        Start::new(self, Definition::of::<W>(&input), encoded::<W>(&input))
    }

    async fn start_all<W: Workflow>(&self, new: Vec<NewExecution>) -> Result<Vec<ExecutionHandle<W>>> {
        self.refuse_unregistered::<W>()?;
        self.judge_starts::<W>(&new)?;
        Ok(self.start_checked(new).await?.into_iter().map(|started| self.handle(started.id)).collect())
    }

    /// Creates executions whose options have been checked.
    pub(super) async fn start_checked(&self, mut new: Vec<NewExecution>) -> Result<Vec<Started>> {
        new.iter_mut().for_each(|new| self.continue_trace(new));
        let bytes: usize = new.iter().map(NewExecution::size).sum();
        if bytes > MOST_BYTES_AT_ONCE {
            let problem = format!(
                "{} executions are started at once, with {bytes} bytes, over the limit of {MOST_BYTES_AT_ONCE}",
                new.len()
            );
            return Err(Error::of_kind(ErrorKind::Payload, format!("{problem}; start fewer in one call")));
        }
        // In a task of its own: an execution handed to this process must begin here, even if the caller stops waiting.
        let obstacle = Arc::new(OnceLock::new());
        let carried = tokio::spawn(self.clone().carry_out(new, obstacle.clone()));
        let started = match self.engine.patience {
            Patience::Endless => carried.await,
            Patience::AtMost(limit) => {
                tokio::time::timeout(limit, carried).await.map_err(|_| not_answered(limit, obstacle.get()))?
            }
        };
        started?
    }

    /// Without a trace context of its own, the execution continues the trace of the calling code.
    pub(super) fn continue_trace(&self, new: &mut NewExecution) {
        if new.trace_context.is_none() {
            new.trace_context = self.engine.signals.tracing.current();
        }
    }

    /// Writes the executions, and begins each one for which this process has a free slot.
    async fn carry_out(self, mut new: Vec<NewExecution>, obstacle: Arc<OnceLock<String>>) -> Result<Vec<Started>> {
        // A debounced start waits for the row of the previous start, which a caller's transaction may hold.
        if new.iter().any(|new| new.options.debounce_key.is_some()) {
            return self.carry_out_aside(new, &obstacle).await;
        }
        let handed = self.hand_off(&mut new);
        let queues: Vec<String> = new.iter().map(|new| new.options.queue.clone()).collect();
        let started = match self.engine.starts.write(new).await? {
            Creation::Done(started) => started,
            Creation::HeldUp(mut new) => {
                // A slot is only taken for an execution that can begin now.
                drop(handed);
                new.iter_mut().for_each(|new| new.hand_off = None);
                return self.carry_out_aside(new, &obstacle).await;
            }
        };
        for ((started, queue), handed) in started.iter().zip(&queues).zip(handed) {
            self.begin(started, queue, handed);
        }
        Ok(started)
    }

    /// Writes executions whose rows or keys another transaction may have locked; tries again while it holds them up, and says in
    /// `obstacle` what it holds.
    async fn carry_out_aside(self, mut new: Vec<NewExecution>, obstacle: &OnceLock<String>) -> Result<Vec<Started>> {
        let queues: Vec<String> = new.iter().map(|new| new.options.queue.clone()).collect();
        let began = Instant::now();
        let mut pause = FIRST_PAUSE_WHEN_HELD_UP;
        let mut diverted = None;
        let started = loop {
            new = match self.engine.starts.write_aside(new).await? {
                Creation::Done(started) => break started,
                Creation::HeldUp(new) => new,
            };
            let held = obstacle.get_or_init(|| held(&new));
            // The caller still waits, and gets the reason.
            if let Patience::AtMost(limit) = self.engine.patience
                && began.elapsed() + 2 * pause + LONGEST_PAUSE_WHEN_HELD_UP > limit
            {
                return Err(held_up(held));
            }
            // Other starts with the same keys are held up, too.
            diverted.get_or_insert_with(|| self.engine.starts.divert(&new));
            tokio::time::sleep(pause).await;
            pause = LONGEST_PAUSE_WHEN_HELD_UP.min(pause * 2);
        };
        for (started, queue) in started.iter().zip(&queues) {
            self.begin(started, queue, None);
        }
        Ok(started)
    }

    /// Takes a slot of this process for each execution that can begin at once.
    fn hand_off(&self, new: &mut [NewExecution]) -> Vec<Option<Handed>> {
        new.iter_mut()
            .map(|new| {
                let worker = self.engine.worker.as_ref()?;
                let options = &new.options;
                if options.start_at.is_some() || options.delay.is_some() || options.concurrency_key.is_some() {
                    return None;
                }
                let (slot, id): (Slot, WorkerId) =
                    worker.slot_for(&new.workflow, new.version.cast_unsigned(), &new.options.queue)?;
                let claimed = as_claimed(new, id);
                let starting = worker.begin_start(&claimed)?;
                new.hand_off = Some(id);
                Some(Handed { starting, slot, claimed })
            })
            .collect()
    }

    /// Begins an execution that was handed to this process; announces the others to the workers of their queue.
    fn begin(&self, started: &Started, queue: &str, handed: Option<Handed>) {
        match (started.how, handed, &self.engine.worker) {
            (StartOutcome::Claimed, Some(Handed { starting, slot, claimed }), Some(worker)) => {
                worker.take_over(slot, claimed);
                drop(starting);
            }
            (StartOutcome::Queued, handed, _) => {
                drop(handed);
                self.engine.signals.queued(queue);
            }
            _ => {}
        }
    }

    pub(super) fn refuse_unregistered<W: Workflow>(&self) -> Result<()> {
        let Some(worker) = &self.engine.worker else { return Ok(()) };
        if worker.registry.find(W::NAME, W::VERSION).is_some() {
            return Ok(());
        }
        Err(Error::of_kind(
            ErrorKind::Invalid,
            format!(
                "workflow `{}` version {} is not registered here (registered: {}); register it on the builder, or start it from a \
                 client without workflows",
                W::NAME,
                W::VERSION,
                worker.registry.names().join(", ")
            ),
        ))
    }
}

/// An execution handed to this process. It begins here once it is created.
struct Handed {
    starting: Starting,
    slot: Slot,
    claimed: Claimed,
}

/// What another transaction holds when it holds up these starts: usually a key, because it has started an execution with it.
fn held(new: &[NewExecution]) -> String {
    let keys: Vec<String> =
        new.iter().flat_map(NewExecution::keys).map(|(_, kind, key)| format!("the {kind} `{key}`")).take(3).collect();
    if keys.is_empty() { "a lock that it needs".to_owned() } else { keys.join(", ") }
}

fn held_up(held: &str) -> Error {
    let problem = format!("cannot start executions: another transaction holds {held}");
    Error::of_kind(ErrorKind::Unavailable, format!("{problem}; {FIND_HOLDER}, end it, or start them again later"))
}

/// The error of a caller that waited for `limit`, while the start may still take effect.
fn not_answered(limit: Duration, obstacle: Option<&String>) -> Error {
    let problem = match obstacle {
        None => {
            format!("no answer from the database in {limit:?}; they start when it is back, so start them again only under a key")
        }
        Some(held) => format!(
            "another transaction holds {held}; after {limit:?} the last attempt may still start them, so start them again only under \
             a key; {FIND_HOLDER}"
        ),
    };
    Error::of_kind(ErrorKind::Unavailable, format!("cannot start executions: {problem}"))
}

/// The execution as a claim would return it: it is created as claimed by this worker.
fn as_claimed(new: &NewExecution, worker: WorkerId) -> Claimed {
    Claimed {
        worker,
        id: new.id,
        epoch: Epoch::FIRST,
        workflow: new.workflow.clone(),
        version: new.version.cast_unsigned(),
        queue: new.options.queue.clone(),
        claims: 1,
        answer_lost: false,
        continued: false,
        deadline_at: None,
        input: Payload(new.input.0.clone()),
        resolved: None,
        rollback: None,
        undoes: None,
        awaited: false,
        limited: false,
        scheduled_for: None,
        namespace: new.id,
        step: None,
        trace_context: new.trace_context.as_ref().map(TraceContext::to_string),
        started_at: None,
        ready_at: None,
    }
}

impl<W> fmt::Debug for Start<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start").field("definition", &self.definition).field("options", &self.options).finish_non_exhaustive()
    }
}

impl<W: Workflow> fmt::Debug for StartMany<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StartMany").field("workflow", &W::NAME).field("executions", &self.inputs.len()).finish_non_exhaustive()
    }
}
