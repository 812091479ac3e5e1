//! A step: looked up in the journal, or called, retried and checkpointed.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::result::StepResult;
use crate::error::Result;
use crate::model::{Checkpoint, Outcome};
use crate::payload;
use crate::plan::retry::Retry;
pub use crate::running::BoxFuture;
use crate::running::run::Run;
use crate::running::scope::Scope;
use crate::running::under_way::UnderWay;

/// A step as its attribute describes it.
#[derive(Debug, Clone, Copy)]
pub struct StepSpec {
    /// The name of the workflow whose block has the method.
    pub workflow: &'static str,
    /// Its name in the journal.
    pub name: &'static str,
    /// Whether it is a compensation.
    pub is_compensation: bool,
    /// Names it had before.
    pub was: &'static [&'static str],
    /// How it is retried; `None` for not at all.
    pub retry: Option<Retry>,
    /// How long an attempt may take.
    pub timeout: Option<Duration>,
    /// The name of what undoes it.
    pub compensation: Option<&'static str>,
    /// Whether it is undone also when it failed or was cut off.
    pub undo_on_failure: bool,
}

/// A call of a step. It takes its journal key when it is made, runs when it is awaited, and is recorded when it has finished.
#[must_use = "a step does nothing until it is awaited"]
pub struct Step<'step, R> {
    /// Its place in the journal; `None` outside an execution.
    place: Option<(Arc<Scope>, String)>,
    under_way: Option<UnderWay>,
    future: BoxFuture<'step, R>,
}

impl<'step, R: StepResult + 'step> Step<'step, R> {
    /// Outside an execution: what happens when it is awaited is all there is.
    pub(super) fn plain(future: BoxFuture<'step, R>) -> Self {
        Self { place: None, under_way: None, future }
    }

    /// A call that is journalled under this key.
    pub(super) fn of(scope: Arc<Scope>, key: String, future: BoxFuture<'step, R>) -> Self {
        Self { place: Some((scope, key)), under_way: None, future }
    }
}

impl<R> Future for Step<'_, R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<R> {
        let this = &mut *self;
        let Some((scope, key)) = &this.place else { return this.future.as_mut().poll(cx) };
        if this.under_way.is_none() {
            this.under_way = Some(scope.set_out(key));
        }
        let waker = scope.wakers.own(cx.waker());
        let polled = this.future.as_mut().poll(&mut task::Context::from_waker(&waker));
        if polled.is_ready() {
            this.under_way = None;
        }
        polled
    }
}

impl<R> fmt::Debug for Step<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("key", &self.place.as_ref().map(|(_, key)| key)).finish_non_exhaustive()
    }
}

/// Records a value that is made once: a replay gets it back.
pub(super) async fn record<T: Serialize + DeserializeOwned + Send>(
    scope: Arc<Scope>,
    key: String,
    make: impl FnOnce(&Run) -> T + Send,
) -> Result<T> {
    let run = &scope.run;
    let under_way = scope.set_out(&key);
    if let Some(recorded) = run.take_recorded(&key)
        && let Outcome::Output(output) = recorded.outcome
    {
        return payload::decode(format_args!("the recorded value of `{key}`"), output.as_str());
    }
    scope.stop_if_only_replaying().await;
    run.stop_if_draining().await;
    let (output, value) = payload::record(format_args!("the value of `{key}`"), &make(run))?;
    run.leave_checkpoint(Checkpoint::of(key, Outcome::Output(output)));
    let busy = run.begin_work();
    run.commit_checkpoints().await;
    drop((busy, under_way));
    Ok(value)
}
