//! Steps that run on the workers of another queue: the call becomes a child execution, which runs the step and nothing else.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::call::Calls;
use super::door::Context;
use super::result::{StepError, StepResult};
use super::route::{self, Route, Sent};
use super::step::{Step, StepSpec};
use super::wait::{Place, Waiting, trace_context};
use super::workflow::Workflow;
use crate::error::{Error, ErrorKind, Failure, Result};
use crate::ids::ExecutionId;
use crate::model::{NewChild, ParentPolicy, SentStep, Tags, WaitKind, WaitOutcome};
use crate::payload::{self, CalledWith, Payload};
use crate::plan::{divergence, journal_key};
use crate::running::ambient;
use crate::running::hold::Verdict;
use crate::running::scope::Scope;

/// Runs a call that was sent here.
pub(crate) async fn run<W: Workflow>(workflow: Arc<W>, route: &'static Route<W>, cx: Context, input: Payload) -> Result<Payload> {
    let arguments = route::received(route.step.name, &cx.root.run, &input)?;
    let Some(key) = &cx.root.run.step_key else {
        let problem =
            format!("step `{}` was started by its name; only a workflow that calls it can send it here", route.step.name);
        return Err(Error::of_kind(ErrorKind::Invalid, problem).into_permanent());
    };
    cx.root.give_key(journal_key::renamed(key, route.step.name));
    Ok((route.run)(&*workflow, arguments).await?.into_output())
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
    let mut sent = Sent::to_digest(scope.run.digest());
    write(&mut sent);
    let arguments = sent.called_with();
    let key = scope.next_key(journal_key::STEP, spec.name);
    if scope.run.has_recorded(&key) {
        // From before it was routed; what is recorded takes no body to replay.
        return Some(Step::under_key(scope, key, spec, Some(arguments), Calls::Once(None)));
    }
    let routed = taken_up(&scope, &key, &spec, Some(&arguments), route.queue).unwrap_or_else(|| {
        let mut sent = Sent::with_values();
        write(&mut sent);
        let mut routed = Routed::new(&scope, journal_key::routed(&key), route.workflow, spec.name, route.queue);
        let step = SentStep {
            key,
            owner_id: scope.run.owner.execution_id,
            owner_namespace: scope.run.owner.namespace,
            undo_on_failure: spec.undo_on_failure,
        };
        match sent.into_input(spec.name) {
            Ok(input) => routed.start::<W>(route, step, input, arguments.digest),
            Err(error) => routed.waiting.refuse_with(error),
        }
        routed
    });
    Some(routed.into_step())
}

/// The call of a step that was sent to another queue under an earlier claim, even if the step no longer names a queue: what was
/// begun there is not begun again here.
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

    fn start<W: Workflow>(&mut self, route: &Route<W>, step: SentStep, input: Box<RawValue>, digest: u64) {
        let scope = &self.place.scope;
        if let Some(refusal) = scope.run.refuses_child(route.workflow, W::VERSION, route.queue) {
            return self.waiting.refuse(refusal);
        }
        let details = self.waiting.details();
        details.digest = Some(digest.cast_signed());
        details.child = Some(NewChild {
            id: scope.run.new_child_id(),
            workflow: route.workflow.to_owned(),
            version: W::VERSION,
            queue: route.queue.to_owned(),
            priority: None,
            key: None,
            concurrency_key: None,
            input,
            time_to_live: None,
            policy: ParentPolicy::Await,
            undoes: None,
            by_compensation: journal_key::by_compensation(&self.place.key),
            step: Some(step),
            trace_context: trace_context(scope),
            tags: Tags::new(),
            inherits_tags: None,
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
            run.note_unread_child();
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
            return recorded_error(&place, as_of_step(failure, step, over.child_id)).await;
        }
        match payload::decode(format!("the recorded output of `{}`", place.key), end.output()) {
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

/// The step's failure, for its caller. The failure of the execution that ran the step is reported with that execution's id.
fn as_of_step(failure: Failure, step: &str, execution: Option<ExecutionId>) -> Failure {
    let befell = matches!(failure.kind, ErrorKind::Cancelled | ErrorKind::RolledBack | ErrorKind::Expired | ErrorKind::Poisoned);
    match execution {
        Some(id) if befell => Failure { message: format!("step `{step}` (execution {id}): {}", failure.message), ..failure },
        _ => failure,
    }
}
