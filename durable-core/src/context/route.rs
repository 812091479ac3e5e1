//! Steps that run on the workers of another queue: the call becomes a child execution, which runs the step and nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::call::Calls;
use super::child::{Place, trace_context};
use super::result::{StepError, StepResult};
use super::run::{Owner, Run, Verdict};
use super::scope::Scope;
use super::step::{BoxFuture, Step, StepSpec};
use super::wait::Waiting;
use super::workflow::Workflow;
use super::{Context, ambient};
use crate::error::{Error, ErrorKind, Failure, Result};
use crate::ids::ExecutionId;
use crate::model::{Bond, NewChild, WaitKind, WaitOutcome};
use crate::payload::{self, CalledWith, Digest, Payload};
use crate::plan::{divergence, journal_key};

/// A step that runs in another queue than its workflow, as its attribute describes it.
pub struct Route<W: 'static> {
    /// The workflow of the executions that run it, such as `process_order::charge`; its version is that of the step's own.
    pub workflow: &'static str,
    /// The names which that workflow had when the step had others.
    pub was: &'static [&'static str],
    /// The step.
    pub step: &'static StepSpec,
    /// The queue whose workers run it.
    pub queue: &'static str,
    /// Runs it where it was sent to.
    pub run: for<'run> fn(&'run W, Arguments) -> BoxFuture<'run, Result<Returned>>,
}

/// The arguments of a call that is sent to another queue, each under the name of its parameter.
#[derive(Debug)]
pub struct Sent {
    /// `None` where they were sent before, and only their digest is asked for.
    values: Option<BTreeMap<&'static str, Box<RawValue>>>,
    digest: Digest,
    refused: Option<Error>,
}

/// The arguments as they arrived.
#[derive(Debug)]
pub struct Arguments {
    run: Arc<Run>,
    values: BTreeMap<String, Box<RawValue>>,
}

/// What the execution that runs a call is started with.
#[derive(Serialize, Deserialize)]
struct Input<V> {
    arguments: V,
    /// Whether it is undone once it is given up. `durable.give_up` reads it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    undo_on_failure: bool,
    /// The journal key of the call: it has the same there, and so the same idempotency keys.
    key: String,
    #[serde(flatten)]
    caller: Owner,
}

/// What a step returned that was sent to another queue, as it is recorded.
#[derive(Debug)]
pub struct Returned(Payload);

/// An argument of a step that runs in another queue: it travels there as JSON.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to another queue",
    label = "is an argument, which must be written as JSON and read by another worker",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it, pass what can be sent, or remove `queue = …` from the step"
)]
pub trait SentArgument: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> SentArgument for T {}

impl Sent {
    /// Adds an argument, which is read as a `T` where the step runs.
    pub fn add<T: SentArgument>(&mut self, name: &'static str, value: &(impl Serialize + ?Sized)) {
        self.digest.add_argument(value);
        let Some(values) = &mut self.values else { return };
        match payload::record_as::<T>(&format!("the argument `{name}`"), value).and_then(|(value, _)| value.to_raw()) {
            Ok(value) => drop(values.insert(name, value)),
            Err(error) => drop(self.refused.get_or_insert(error)),
        }
    }

    fn into_input(self, spec: &StepSpec, key: &str, caller: Owner) -> Result<Box<RawValue>> {
        if let Some(refused) = self.refused {
            return Err(refused);
        }
        let undo_on_failure = spec.undo_on_failure;
        let input = Input { arguments: self.values, undo_on_failure, key: key.to_owned(), caller };
        payload::encode(&input_of(spec.name), &input)?.to_raw()
    }
}

fn input_of(step: &str) -> String {
    format!("what step `{step}` is called with")
}

impl Arguments {
    /// Takes an argument out; one that was not sent is read as `null`, so that an option may be added while calls are under way.
    /// One that does not fit stops the execution, until code comes that it fits.
    pub fn take<T: SentArgument>(&mut self, name: &str) -> Result<T> {
        let value = self.values.remove(name);
        let json = value.as_ref().map_or("null", |value| value.get());
        payload::decode(&format!("the argument `{name}`"), json).inspect_err(|error| {
            self.run.give_up(Verdict::Diverged(divergence::other_argument(name, error)));
        })
    }
}

/// What a step returned, for the execution that called it.
pub fn returned<R: StepResult>(result: R) -> Result<Returned> {
    let value = result.into_result().map_err(|error| Error::advised(error.to_failure(), error.advice()))?;
    payload::encode_for_replay("the output of the step", &value).map(Returned)
}

/// Runs a call that was sent here.
pub(crate) async fn run<W: Workflow>(workflow: Arc<W>, route: &'static Route<W>, cx: Context, input: Payload) -> Result<Payload> {
    let Input { arguments: values, key, .. } = payload::decode::<Input<_>>(&input_of(route.step.name), input.as_str())?;
    cx.root.give_key(journal_key::renamed(&key, route.step.name));
    let Returned(output) = (route.run)(&*workflow, Arguments { run: cx.root.run.clone(), values }).await?;
    Ok(output)
}

/// Who sent the call that an execution with this input runs.
pub(crate) fn sender(input: &Payload) -> Option<Owner> {
    // What cannot be read is reported when it is run.
    payload::decode::<Owner>("the sender", input.as_str()).ok()
}

/// The route of a step, by the name it has or had.
pub(super) fn of_step<W: Workflow>(step: &str) -> Option<&'static Route<W>> {
    W::ROUTES.iter().find(|route| route.step.name == step || route.step.was.contains(&step))
}

/// A call that is sent to the step's queue; `None` outside an execution, where it runs in place.
pub fn step_routed<'step, W, R>(route: &'static Route<W>, write: impl Fn(&mut Sent)) -> Option<Step<'step, R>>
where
    W: Workflow,
    R: StepResult + 'step,
{
    let scope = ambient::scope()?;
    let spec = *route.step;
    let mut sent = Sent { values: None, digest: scope.run.digest(), refused: None };
    write(&mut sent);
    let arguments = std::mem::take(&mut sent.digest).called_with();
    let key = scope.next_key(journal_key::STEP, spec.name);
    if scope.run.has_recorded(&key) {
        // From before it was routed; what is recorded takes no body to replay.
        return Some(Step::under_key(scope, key, spec, Some(arguments), Calls::Once(None)));
    }
    let routed = taken_up(&scope, &key, &spec, Some(&arguments), route.queue).unwrap_or_else(|| {
        sent = Sent { values: Some(BTreeMap::new()), ..sent };
        write(&mut sent);
        let mut routed = Routed::new(&scope, journal_key::routed(&key), route.workflow, spec.name, route.queue);
        match sent.into_input(&spec, &key, scope.run.owner) {
            Ok(input) => routed.start::<W>(route, input, arguments.digest),
            Err(error) => routed.waiting.refuse_with(error),
        }
        routed
    });
    Some(routed.into_step())
}

/// The call of a step that was sent to another queue before, in an earlier life of its execution, also where the step no longer
/// names a queue: what was begun there is not begun again here.
pub(super) fn taken_up(
    scope: &Arc<Scope>,
    key: &str,
    spec: &StepSpec,
    arguments: Option<&CalledWith>,
    queue: &str,
) -> Option<Routed> {
    let before = spec.was.iter().map(|name| journal_key::renamed(key, name));
    let keys = std::iter::once(key.to_owned()).chain(before).map(|key| journal_key::routed(&key));
    let (key, recorded) = scope.run.find_known(keys)?;
    let mut routed = Routed::new(scope, key, "", spec.name, queue);
    if let (Some(before), Some(now)) = (recorded, arguments)
        && before != now.digest
    {
        routed.diverged = Some(divergence::other_arguments(&routed.place.key, before, None, now));
    }
    Some(routed)
}

/// A call whose step runs in a child execution.
pub(super) struct Routed {
    place: Place,
    step: &'static str,
    waiting: Waiting<'static>,
    /// Why it is not the call that was recorded.
    diverged: Option<String>,
}

impl Routed {
    fn new(scope: &Arc<Scope>, key: String, workflow: &str, step: &'static str, queue: &str) -> Self {
        let waiting = Waiting::of_call(scope, WaitKind::Child, workflow, &key);
        Self { place: Place { scope: scope.clone(), key, queue: queue.to_owned() }, step, waiting, diverged: None }
    }

    fn start<W: Workflow>(&mut self, route: &Route<W>, input: Box<RawValue>, digest: u64) {
        let scope = &self.place.scope;
        if let Some(refusal) = scope.run.refuses_child(route.workflow, W::VERSION, route.queue) {
            return self.waiting.refuse(refusal);
        }
        let details = self.waiting.details();
        details.digest = Some(digest.cast_signed());
        details.child = Some(NewChild {
            id: ExecutionId::new(),
            workflow: route.workflow.to_owned(),
            version: W::VERSION,
            queue: route.queue.to_owned(),
            priority: None,
            key: None,
            concurrency_key: None,
            input,
            time_to_live: None,
            bond: Bond::Awaited,
            undoes: None,
            trace_context: trace_context(scope),
        });
    }

    pub(super) fn into_step<'step, R: StepResult + 'step>(self) -> Step<'step, R> {
        let (scope, key) = (self.place.scope.clone(), self.place.key.clone());
        Step::of(scope, key, Box::pin(self.outcome()))
    }

    async fn outcome<R: StepResult>(mut self) -> R {
        if let Some(report) = self.diverged {
            return self.place.scope.run.stop(Verdict::Diverged(report)).await;
        }
        if let Some(refused) = self.waiting.take_refusal() {
            return failed(refused.failure().clone());
        }
        let Self { place, step, waiting, .. } = self;
        let run = &place.scope.run;
        let over = waiting.await;
        if over.outcome == Some(WaitOutcome::Cancelled) {
            // It may have completed just before.
            run.note_unheard_child();
            return failed(Failure::new(ErrorKind::Cancelled, format!("the wait for step `{step}` was cancelled")));
        }
        let end = match place.end(&over) {
            Ok(end) => end,
            Err(error) => return failed(error.failure().clone()),
        };
        if !end.has_completed() {
            let failure = end.into_failure();
            if failure.kind == ErrorKind::Refused {
                return run.stop(Verdict::Refused(Box::new(failure))).await;
            }
            return recorded_error(&place, told(failure, step, over.child_id)).await;
        }
        match payload::decode(&format!("the recorded output of `{}`", place.key), end.output()) {
            Ok(value) => R::from_result(Ok(value)),
            Err(error) => {
                let report = divergence::other_type(&place.key, "output", end.output(), &error);
                run.stop(Verdict::Diverged(report)).await
            }
        }
    }
}

fn failed<R: StepResult>(failure: Failure) -> R {
    R::from_result(Err(R::Error::from_failure(failure)))
}

/// The error that the step returned where it ran.
async fn recorded_error<R: StepResult>(place: &Place, failure: Failure) -> R {
    let value = failure.value.clone();
    match R::Error::from_record(failure) {
        Ok(error) => R::from_result(Err(error)),
        Err(error) => {
            let recorded = value.as_deref().map_or("null", RawValue::get);
            let report = divergence::other_type(&place.key, "error", recorded, &error);
            place.scope.run.stop(Verdict::Diverged(report)).await
        }
    }
}

/// The step's failure as it is told to its caller: what befell the execution that ran it is said to be that one's.
fn told(failure: Failure, step: &str, execution: Option<ExecutionId>) -> Failure {
    let befell = matches!(failure.kind, ErrorKind::Cancelled | ErrorKind::RolledBack | ErrorKind::Expired | ErrorKind::Poisoned);
    match execution {
        Some(id) if befell => Failure { message: format!("step `{step}` (execution {id}): {}", failure.message), ..failure },
        _ => failure,
    }
}

impl<W> fmt::Debug for Route<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("workflow", &self.workflow).field("queue", &self.queue).finish_non_exhaustive()
    }
}
