//! The call of a child: how it is started, and how it ended.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::waiting::{Waiting, read_payload};
use crate::context::workflow::{Workflow, tags_of};
use crate::error::{Error, ErrorKind, Failure, Result};
use crate::ids::ExecutionId;
use crate::model::{Checkpoint, NewChild, Outcome, ParentPolicy, RecordedWait, Tags, WaitKind, WaitOutcome};
use crate::payload;
use crate::plan::journal_key;
use crate::plan::spoil::{Spoil, is_spoiled};
use crate::plan::start_options::{Defaults, StartOptions};
use crate::running::scope::Scope;

/// A child to be started.
pub(in crate::context) struct ChildCall {
    workflow: &'static str,
    version: u32,
    input: Result<Box<RawValue>>,
    /// What the workflow makes of the input, and what it says for all its executions.
    defaults: Defaults<'static>,
    pub(in crate::context) options: StartOptions,
    pub(in crate::context) policy: ParentPolicy,
    pub(in crate::context) inherits_tags: bool,
}

/// How a child ended, as its parent receives it. `durable.notify_parents` and `durable.start_children` write it.
#[derive(Deserialize)]
pub(in crate::context) struct End {
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
pub(in crate::context) struct UndoableChild {
    execution_id: ExecutionId,
    pub(in crate::context) queue: String,
}

impl ChildCall {
    pub(in crate::context) fn of<W: Workflow>(input: &W::Input, policy: ParentPolicy) -> Box<Self> {
        let (concurrency_key, tags) = (W::concurrency_key(input), tags_of::<W>(input));
        let input = payload::encode_for_replay(format_args!("the input of child `{}`", W::NAME), input);
        Box::new(Self {
            workflow: W::NAME,
            version: W::VERSION,
            input: input.and_then(|input| input.to_raw()),
            defaults: Defaults { queue: W::QUEUE, priority: 0, concurrency_key, time_to_live: W::TIME_TO_LIVE, tags },
            options: StartOptions::default(),
            inherits_tags: false,
            policy,
        })
    }

    /// The child to create, with checked options.
    fn checked(self, scope: &Scope, key: &str) -> Result<NewChild> {
        let input = self.input?;
        let start = self.options.check(format_args!("child `{}`", self.workflow), self.defaults)?;
        Ok(NewChild {
            id: scope.run.new_child_id(),
            workflow: self.workflow.to_owned(),
            version: self.version,
            queue: start.queue,
            priority: Some(start.priority),
            key: start.key,
            concurrency_key: start.concurrency_key,
            input,
            time_to_live: start.time_to_live.map(|time| time.as_secs_f64()),
            policy: self.policy,
            undoes: None,
            by_compensation: journal_key::by_compensation(key),
            step: None,
            trace_context: trace_context(scope),
            tags: start.tags,
            inherits_tags: self.inherits_tags.then_some(true),
        })
    }

    /// How the child ended, unless it could not be started.
    pub(in crate::context) async fn end(self: Box<Self>, mut waiting: Box<Waiting<'_>>) -> Result<(Place, RecordedWait)> {
        if let Some(refused) = waiting.take_refusal() {
            return Err(refused);
        }
        let (scope, workflow, version) = (waiting.scope.clone(), self.workflow, self.version);
        let child = self.checked(&scope, &waiting.key)?;
        // A child on record was started already; this process need not know its workflow to read how it ended.
        let is_recorded = scope.run.find_known(std::iter::once(waiting.key.clone())).is_some();
        if let Some(refusal) = scope.run.refuses_child(workflow, version, &child.queue).filter(|_| !is_recorded) {
            return Err(Error::of_kind(ErrorKind::Invalid, refusal).into_permanent());
        }
        let place = Place { scope, key: waiting.key.clone(), queue: child.queue.clone() };
        waiting.details().child = Some(child);
        Ok((place, waiting.await))
    }

    /// The child's output; `None` if the timeout passed first, and then the child is cancelled.
    pub(super) async fn output<T>(
        self: Box<Self>,
        waiting: Box<Waiting<'_>>,
        read: fn(&Place, &RecordedWait) -> Result<T>,
    ) -> Result<Option<T>> {
        let (place, over) = self.end(waiting).await?;
        let run = &place.scope.run;
        match over.outcome {
            Some(WaitOutcome::Received) => read(&place, &over).map(Some),
            Some(WaitOutcome::Cancelled) => {
                // It may have completed just before.
                run.note_unread_child();
                Err(Error::of_kind(ErrorKind::Cancelled, format!("the wait for `{}` was cancelled", place.key)))
            }
            _ => {
                let busy = run.begin_work();
                run.cancel_child(over.child_id).await;
                drop(busy);
                Ok(None)
            }
        }
    }
}

pub(in crate::context) fn trace_context(scope: &Scope) -> Option<String> {
    scope.run.trace.current().map(|context| context.to_string())
}

/// Where a child was called.
pub(in crate::context) struct Place {
    pub(in crate::context) scope: Arc<Scope>,
    pub(in crate::context) key: String,
    pub(in crate::context) queue: String,
}

impl Place {
    /// How the child ended; if it did what can be undone, it is enlisted for a rollback.
    pub(in crate::context) fn end(&self, over: &RecordedWait) -> Result<End> {
        let Self { scope, key, queue } = self;
        let end: End = read_payload(&format!("the end of `{key}`"), over)?;
        let recorded = scope.run.take_recorded(key).is_some() || is_spoiled(Spoil::ForgetToEnlistChildren);
        if let (true, true, false, Some(execution_id)) = (end.has_completed(), end.undoable, recorded, over.child_id) {
            let child = UndoableChild { execution_id, queue: queue.clone() };
            let output = payload::encode(format_args!("what undoes `{key}`"), &child)?;
            scope.run.leave_undoable(Checkpoint::of(key.clone(), Outcome::Output(output)));
        }
        Ok(end)
    }

    /// The output of a child that completed, or the error of one that did not.
    pub(in crate::context) fn read_end<T: DeserializeOwned>(&self, over: &RecordedWait) -> Result<T> {
        let (key, end) = (&self.key, self.end(over)?);
        if end.has_completed() {
            return payload::decode(format_args!("the output of `{key}`"), end.output());
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
    pub(in crate::context) fn has_completed(&self) -> bool {
        self.state == "completed"
    }

    /// The output as JSON.
    pub(in crate::context) fn output(&self) -> &str {
        self.output.as_ref().map_or("null", |output| output.get())
    }

    /// Why it did not complete.
    pub(in crate::context) fn into_failure(self) -> Failure {
        self.error.unwrap_or_else(|| Failure::new(ErrorKind::Failed, "it says no more"))
    }
}

/// Starts an execution that undoes what a completed child did, and waits for its end.
pub(in crate::context) async fn undo_child(scope: &Arc<Scope>, key: &str, child: UndoableChild) -> Result<()> {
    let mut waiting = Waiting::under_key(scope, WaitKind::Child, key);
    waiting.details().child = Some(NewChild {
        id: scope.run.new_child_id(),
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
        tags: Tags::new(),
        inherits_tags: None,
    });
    let over = waiting.await;
    let end: End = read_payload(&format!("the end of `{key}`"), &over)?;
    if end.state == "compensated" {
        return Ok(());
    }
    let failure = end.error.unwrap_or_else(|| Failure::new(ErrorKind::Failed, format!("its rollback is {}", end.state)));
    Err(Error::from_failure(failure))
}
