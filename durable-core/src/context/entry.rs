//! How a call of a step begins: in place if there is no execution; otherwise in this process, or in the queue that it was sent to.

use std::sync::Arc;

use super::call::{Calls, TransactionCalls};
use super::result::{StepError, StepResult};
use super::routed;
use super::step::{Step, StepSpec};
use super::transaction::Transaction;
use crate::error::{ErrorKind, Failure};
use crate::payload::CalledWith;
use crate::plan::journal_key;
use crate::running::BoxFuture;
use crate::running::ambient;
use crate::running::scope::Scope;

/// A step whose body is called at most once in a process.
pub fn step_once<'step, R, F>(spec: &'static StepSpec, arguments: Option<CalledWith>, body: F) -> Step<'step, R>
where
    R: StepResult + 'step,
    F: FnOnce() -> BoxFuture<'step, R> + Send + 'step,
{
    match ambient::scope() {
        None => Step::plain(body()),
        Some(scope) => journalled(scope, spec, arguments, Calls::Once(Some(Box::new(body)))),
    }
}

/// A step whose body is called once for each attempt.
pub fn step_retried<'step, R, F>(spec: &'static StepSpec, arguments: Option<CalledWith>, mut body: F) -> Step<'step, R>
where
    R: StepResult + 'step,
    F: FnMut() -> BoxFuture<'step, R> + Send + 'step,
{
    match ambient::scope() {
        None => Step::plain(body()),
        Some(scope) => journalled(scope, spec, arguments, Calls::Each(Box::new(body))),
    }
}

/// A node of a graph that is a flow: its body makes durable calls, and is called at most once in a process.
pub fn flow_once<'step, R, F>(spec: &'static StepSpec, arguments: Option<CalledWith>, body: F) -> Step<'step, R>
where
    R: StepResult + 'step,
    F: FnOnce() -> BoxFuture<'step, R> + Send + 'step,
{
    let (mut body, name) = (Some(body), spec.name);
    let no_body = move || {
        let failure = Failure::new(ErrorKind::Failed, format!("the flow `{name}` has no attempt left"));
        let ended: BoxFuture<'step, R> = Box::pin(std::future::ready(R::from_result(Err(R::Error::from_failure(failure)))));
        ended
    };
    // Without `retry(…)` no second attempt is ever planned.
    flow_retried(spec, arguments, move || body.take().map_or_else(no_body, |body| body()))
}

/// A node of a graph that is a flow: its body makes durable calls, and is called once for each attempt.
pub fn flow_retried<'step, R, F>(spec: &'static StepSpec, arguments: Option<CalledWith>, mut body: F) -> Step<'step, R>
where
    R: StepResult + 'step,
    F: FnMut() -> BoxFuture<'step, R> + Send + 'step,
{
    match ambient::scope() {
        None => Step::plain(body()),
        Some(scope) => journalled(scope, spec, arguments, Calls::Flow(Box::new(body))),
    }
}

/// A transactional step whose body is called at most once in a process.
pub fn step_once_in_transaction<'step, R, F>(spec: &'static StepSpec, arguments: Option<CalledWith>, body: F) -> Step<'step, R>
where
    R: StepResult + 'step,
    F: FnOnce(Transaction) -> BoxFuture<'step, (Transaction, R)> + Send + 'step,
{
    let mut body = Some(body);
    step(spec, arguments, Box::new(move |transaction| body.take().map(|body| body(transaction))))
}

/// A transactional step whose body is called once for each attempt.
pub fn step_retried_in_transaction<'step, R, F>(
    spec: &'static StepSpec,
    arguments: Option<CalledWith>,
    mut body: F,
) -> Step<'step, R>
where
    R: StepResult + 'step,
    F: FnMut(Transaction) -> BoxFuture<'step, (Transaction, R)> + Send + 'step,
{
    step(spec, arguments, Box::new(move |transaction| Some(body(transaction))))
}

fn step<'step, R: StepResult + 'step>(
    spec: &'static StepSpec,
    arguments: Option<CalledWith>,
    calls: TransactionCalls<'step, R>,
) -> Step<'step, R> {
    match ambient::scope() {
        None => Step::plain(Box::pin(std::future::ready(R::from_result(Err(R::Error::from_failure(no_execution(spec.name))))))),
        Some(scope) => journalled(scope, spec, arguments, Calls::InTransaction(calls)),
    }
}

fn no_execution(name: &str) -> Failure {
    let message = format!(
        "step `{name}` is transactional and runs only inside an execution: call it from `run`, and neither from another step nor \
         from other code"
    );
    Failure::new(ErrorKind::Invalid, message)
}

/// A call inside an execution. It takes the next key of its scope.
fn journalled<'step, R: StepResult + 'step>(
    scope: Arc<Scope>,
    spec: &'static StepSpec,
    arguments: Option<CalledWith>,
    calls: Calls<'step, R>,
) -> Step<'step, R> {
    let key = scope.next_key(journal_key::STEP, spec.name);
    match routed::taken_up(&scope, &key, spec, arguments.as_ref(), "") {
        Some(routed) => routed.into_step(),
        None => Step::under_key(scope, key, *spec, arguments, calls),
    }
}
