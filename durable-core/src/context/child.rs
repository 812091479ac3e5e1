//! Children: executions that an execution starts, and waits for or not.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::step::BoxFuture;
use super::wait::{Waiting, read_payload};
use super::workflow::Workflow;
use crate::error::{Error, ErrorKind, Failure, Result};
use crate::ids::ExecutionId;
use crate::model::{Checkpoint, Due, NewChild, Outcome, ParentPolicy, RecordedWait, WaitKind, WaitOutcome};
use crate::payload;
use crate::plan::journal_key;
use crate::plan::start_options::{Defaults, StartOptions, start_setters};
use crate::running::scope::Scope;

/// A child to start and wait for; await it for the child's output. See [`Context::child`](super::Context::child).
#[must_use = "a child is not started before it is awaited"]
pub struct ChildWait<W: Workflow> {
    call: ChildCall<W>,
}

/// A wait for a child with a timeout: then the child is cancelled, and the output is `None`.
#[must_use = "a child is not started before it is awaited"]
pub struct TimedChildWait<W: Workflow> {
    call: ChildCall<W>,
}

/// A wait for a child with a timeout: then the child is cancelled, and a default takes the place of its output.
#[must_use = "a child is not started before it is awaited"]
pub struct ChildWaitOr<W: Workflow> {
    call: ChildCall<W>,
    otherwise: W::Output,
}

/// A wait for a child with a timeout: then the child is cancelled, and the wait fails.
#[must_use = "a child is not started before it is awaited"]
pub struct ChildWaitOrFail<W: Workflow> {
    call: ChildCall<W>,
}

/// A child to start without waiting; await it for the child's id. See [`Context::start_child`](super::Context::start_child).
#[must_use = "a child is not started before it is awaited"]
pub struct StartChild<W: Workflow> {
    call: ChildCall<W>,
}

/// What these five have in common.
struct ChildCall<W> {
    waiting: Waiting<'static>,
    input: Result<Box<RawValue>>,
    /// The concurrency key that the workflow makes from the input.
    concurrency_key: Option<String>,
    options: StartOptions,
    policy: ParentPolicy,
    workflow: PhantomData<fn() -> W>,
}

/// How a child ended, as its parent receives it. `durable.notify_parents` and `durable.start_children` write it.
#[derive(Deserialize)]
pub(super) struct End {
    state: String,
    #[serde(default)]
    output: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<Failure>,
    /// Whether the child did something that can be undone.
    #[serde(default)]
    undoable: bool,
}

/// What a rollback has to know of a child.
#[derive(Serialize, Deserialize)]
pub(super) struct UndoableChild {
    execution_id: ExecutionId,
    pub(super) queue: String,
}

impl<W: Workflow> ChildCall<W> {
    fn new(scope: &Arc<Scope>, input: &W::Input, policy: ParentPolicy) -> Self {
        Self {
            waiting: Waiting::new(scope, WaitKind::Child, W::NAME),
            input: encode_input::<W>(input),
            concurrency_key: W::concurrency_key(input),
            options: StartOptions::default(),
            policy,
            workflow: PhantomData,
        }
    }

    /// The child to create, with checked options.
    fn checked(self, trace_context: Option<String>) -> Result<(Waiting<'static>, NewChild)> {
        let defaults =
            Defaults { queue: W::QUEUE, priority: 0, concurrency_key: self.concurrency_key, time_to_live: W::TIME_TO_LIVE };
        let input = self.input?;
        let start = self.options.check(format_args!("child `{}`", W::NAME), defaults)?;
        let child = NewChild {
            id: new_child_id(self.waiting.scope()),
            workflow: W::NAME.to_owned(),
            version: W::VERSION,
            queue: start.queue,
            priority: Some(start.priority),
            key: start.key,
            concurrency_key: start.concurrency_key,
            input,
            time_to_live: start.time_to_live.map(|time| time.as_secs_f64()),
            policy: self.policy,
            undoes: None,
            by_compensation: journal_key::by_compensation(self.waiting.key()),
            step: None,
            trace_context,
        };
        Ok((self.waiting, child))
    }

    /// How the child ended, unless it could not be started.
    async fn end(mut self) -> Result<(Place, RecordedWait)> {
        if let Some(refused) = self.waiting.take_refusal() {
            return Err(refused);
        }
        let scope = self.waiting.scope().clone();
        let (mut waiting, child) = self.checked(trace_context(&scope))?;
        // A child on record was started already; this process need not know its workflow to read how it ended.
        let is_recorded = scope.run.find_known(std::iter::once(waiting.key().to_owned())).is_some();
        if let Some(refusal) = scope.run.refuses_child(W::NAME, W::VERSION, &child.queue).filter(|_| !is_recorded) {
            return Err(Error::of_kind(ErrorKind::Invalid, refusal).into_permanent());
        }
        let place = Place { scope, key: waiting.key().to_owned(), queue: child.queue.clone() };
        waiting.details().child = Some(child);
        Ok((place, waiting.await))
    }

    /// The child's output; `None` when the time was over first, and the child is cancelled.
    async fn output(self) -> Result<Option<W::Output>> {
        let (place, over) = self.end().await?;
        match over.outcome {
            Some(WaitOutcome::Received) => place.read_end(&over).map(Some),
            Some(WaitOutcome::Cancelled) => {
                // It may have completed just before.
                place.scope.run.note_unheard_child();
                Err(Error::of_kind(ErrorKind::Cancelled, format!("the wait for `{}` was cancelled", place.key)))
            }
            _ => {
                let busy = place.scope.run.begin_work();
                place.scope.run.cancel_child(over.child_id).await;
                drop(busy);
                Ok(None)
            }
        }
    }
}

/// A new id for a child: it lives in the home of its parent.
pub(super) fn new_child_id(scope: &Scope) -> ExecutionId {
    ExecutionId::new_in(scope.run.id.home())
}

pub(super) fn trace_context(scope: &Scope) -> Option<String> {
    scope.run.trace.current().map(|context| context.to_string())
}

fn encode_input<W: Workflow>(input: &W::Input) -> Result<Box<RawValue>> {
    payload::encode_for_replay(&format!("the input of child `{}`", W::NAME), input)?.to_raw()
}

/// Where a child was called.
pub(super) struct Place {
    pub(super) scope: Arc<Scope>,
    pub(super) key: String,
    pub(super) queue: String,
}

impl Place {
    /// How the child ended; if it did what can be undone, it is enlisted for a rollback.
    pub(super) fn end(&self, over: &RecordedWait) -> Result<End> {
        let Self { scope, key, queue } = self;
        let end: End = read_payload(&format!("the end of `{key}`"), over)?;
        let recorded = scope.run.take_recorded(key).is_some();
        if let (true, true, false, Some(execution_id)) = (end.has_completed(), end.undoable, recorded, over.child_id) {
            let child = UndoableChild { execution_id, queue: queue.clone() };
            let output = payload::encode(&format!("what undoes `{key}`"), &child)?;
            scope.run.leave_undoable(Checkpoint::of(key.clone(), Outcome::Output(output)));
        }
        Ok(end)
    }

    /// The output of a child that completed, or the error of one that did not.
    fn read_end<T: DeserializeOwned>(&self, over: &RecordedWait) -> Result<T> {
        let (key, end) = (&self.key, self.end(over)?);
        if end.has_completed() {
            return payload::decode(&format!("the output of `{key}`"), end.output());
        }
        let state = end.state.clone();
        let failure = end.into_failure();
        let message = match over.child_id {
            Some(id) => format!("`{key}` (execution {id}) ended as {state}: {}", failure.message),
            None => format!("`{key}` was not started: {}", failure.message),
        };
        Err(Error::from_failure(Failure { message, ..failure }))
    }
}

impl End {
    pub(super) fn has_completed(&self) -> bool {
        self.state == "completed"
    }

    /// The output as JSON.
    pub(super) fn output(&self) -> &str {
        self.output.as_ref().map_or("null", |output| output.get())
    }

    /// Why it did not complete.
    pub(super) fn into_failure(self) -> Failure {
        self.error.unwrap_or_else(|| Failure::new(ErrorKind::Failed, "it says no more"))
    }
}

impl<W: Workflow> ChildWait<W> {
    pub(super) fn new(scope: &Arc<Scope>, input: &W::Input) -> Self {
        Self { call: ChildCall::new(scope, input, ParentPolicy::Await) }
    }

    start_setters!(key_of_child, queue, priority, concurrency_key, time_to_live);

    /// Waits at most this long by the database's clock, then cancels the child. The output becomes an `Option`.
    pub fn timeout(mut self, timeout: Duration) -> TimedChildWait<W> {
        self.call.waiting.set_due(Due::After(timeout));
        TimedChildWait { call: self.call }
    }

    fn options(&mut self) -> &mut StartOptions {
        &mut self.call.options
    }
}

impl<W: Workflow> TimedChildWait<W> {
    /// Fails with an error of the kind [`TimedOut`](ErrorKind::TimedOut) if the timeout passes first.
    pub fn or_fail(self) -> ChildWaitOrFail<W> {
        ChildWaitOrFail { call: self.call }
    }

    /// Continues with this output if the timeout passes first.
    pub fn or(self, otherwise: W::Output) -> ChildWaitOr<W> {
        ChildWaitOr { call: self.call, otherwise }
    }
}

impl<W: Workflow> StartChild<W> {
    pub(super) fn new(scope: &Arc<Scope>, input: &W::Input) -> Self {
        Self { call: ChildCall::new(scope, input, ParentPolicy::Cancel) }
    }

    start_setters!(key_of_child, queue, priority, concurrency_key, time_to_live);

    /// Detaches the child: it goes on if its parent is cancelled or rolled back.
    pub fn detach(mut self) -> Self {
        self.call.policy = ParentPolicy::Detach;
        self
    }

    fn options(&mut self) -> &mut StartOptions {
        &mut self.call.options
    }

    async fn started(self) -> Result<ExecutionId> {
        let (place, over) = self.call.end().await?;
        match over.child_id {
            Some(id) => Ok(id),
            None => place.read_end(&over),
        }
    }
}

impl<W: Workflow> IntoFuture for ChildWait<W> {
    type Output = Result<W::Output>;
    type IntoFuture = BoxFuture<'static, Result<W::Output>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let ended = self.call.output().await?;
            ended.ok_or_else(|| Error::of_kind(ErrorKind::TimedOut, "a child without a timeout timed out"))
        })
    }
}

impl<W: Workflow> IntoFuture for TimedChildWait<W> {
    type Output = Result<Option<W::Output>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.call.output())
    }
}

impl<W: Workflow> IntoFuture for ChildWaitOr<W> {
    type Output = Result<W::Output>;
    type IntoFuture = BoxFuture<'static, Result<W::Output>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { Ok(self.call.output().await?.unwrap_or(self.otherwise)) })
    }
}

impl<W: Workflow> IntoFuture for ChildWaitOrFail<W> {
    type Output = Result<W::Output>;
    type IntoFuture = BoxFuture<'static, Result<W::Output>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let key = self.call.waiting.key().to_owned();
            let late = || Error::of_kind(ErrorKind::TimedOut, format!("`{key}` did not end in time and was cancelled"));
            self.call.output().await?.ok_or_else(late)
        })
    }
}

impl<W: Workflow> IntoFuture for StartChild<W> {
    type Output = Result<ExecutionId>;
    type IntoFuture = BoxFuture<'static, Result<ExecutionId>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.started())
    }
}

/// Starts an execution that undoes what a completed child did, and waits for its end.
pub(super) async fn undo_child(scope: &Arc<Scope>, key: &str, child: UndoableChild) -> Result<()> {
    let mut waiting = Waiting::under_key(scope, WaitKind::Child, key);
    waiting.details().child = Some(NewChild {
        id: new_child_id(scope),
        // These are the child's own.
        workflow: String::new(),
        version: 1,
        priority: Some(0),
        input: RawValue::NULL.to_owned(),
        queue: child.queue,
        key: None,
        concurrency_key: None,
        time_to_live: None,
        policy: ParentPolicy::Await,
        undoes: Some(child.execution_id),
        by_compensation: journal_key::by_compensation(key),
        step: None,
        trace_context: trace_context(scope),
    });
    let over = waiting.await;
    let end: End = read_payload(&format!("the end of `{key}`"), &over)?;
    if end.state == "compensated" {
        return Ok(());
    }
    let failure = end.error.unwrap_or_else(|| Failure::new(ErrorKind::Failed, format!("its rollback is {}", end.state)));
    Err(Error::from_failure(failure))
}

macro_rules! debug {
    ($($type:ident),*) => {
        $(impl<W: Workflow> fmt::Debug for $type<W> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($type)).field(&self.call.waiting.key()).finish()
            }
        })*
    };
}

debug!(ChildWait, TimedChildWait, ChildWaitOr, ChildWaitOrFail, StartChild);
