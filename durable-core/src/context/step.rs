//! A step: looked up in the journal, or called, retried and checkpointed.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::ambient::{self, Ambient};
use super::panics;
use super::result::{StepError, StepResult};
use super::run::{Run, Verdict};
use super::step_handle::StepHandle;
use crate::clock;
use crate::error::{ErrorKind, Failure, Result, RetryAdvice};
use crate::model::{Checkpoint, FailedAttempt, Outcome};
use crate::payload::{self, Payload};
use crate::plan::retry::{self, AfterFailure, Retry};
use crate::plan::{divergence, journal_key};

/// A step's body, boxed.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An attempt that runs longer than this is recorded as under way, so that people see it and a crash is counted against it.
const RECORDED_AS_RUNNING_AFTER: Duration = Duration::from_secs(1);

/// A step as its attribute describes it.
#[derive(Debug, Clone, Copy)]
pub struct StepSpec {
    /// Its name in the journal.
    pub name: &'static str,
    /// Names it had before.
    pub was: &'static [&'static str],
    /// How it is retried; `None` for not at all.
    pub retry: Option<Retry>,
    /// How long an attempt may take.
    pub timeout: Option<Duration>,
}

/// A call of a step. It takes its journal key when it is made, runs when it is awaited, and is recorded when it has finished.
#[must_use = "a step does nothing until it is awaited"]
pub struct Step<'step, R> {
    key: Option<(Arc<Run>, String)>,
    set_out: bool,
    future: BoxFuture<'step, R>,
}

/// Makes each attempt's future.
enum Calls<'step, R> {
    Once(Option<Box<dyn FnOnce() -> BoxFuture<'step, R> + Send + 'step>>),
    Each(Box<dyn FnMut() -> BoxFuture<'step, R> + Send + 'step>),
}

/// A step whose body is called at most once in a process.
pub fn step_once<'step, R, F>(spec: &'static StepSpec, digest: Option<u64>, body: F) -> Step<'step, R>
where
    R: StepResult + 'step,
    F: FnOnce() -> BoxFuture<'step, R> + Send + 'step,
{
    match ambient::run() {
        None => Step { key: None, set_out: false, future: body() },
        Some(run) => Step::journalled(run, spec, digest, Calls::Once(Some(Box::new(body)))),
    }
}

/// A step whose body is called once for each attempt.
pub fn step_retried<'step, R, F>(spec: &'static StepSpec, digest: Option<u64>, mut body: F) -> Step<'step, R>
where
    R: StepResult + 'step,
    F: FnMut() -> BoxFuture<'step, R> + Send + 'step,
{
    match ambient::run() {
        None => Step { key: None, set_out: false, future: body() },
        Some(run) => Step::journalled(run, spec, digest, Calls::Each(Box::new(body))),
    }
}

impl<'step, R: StepResult + 'step> Step<'step, R> {
    fn journalled(run: Arc<Run>, spec: &'static StepSpec, digest: Option<u64>, calls: Calls<'step, R>) -> Self {
        let key = run.next_key(journal_key::STEP, spec.name);
        let call = Call { run: run.clone(), key: key.clone(), spec, digest };
        Self { key: Some((run, key)), set_out: false, future: Box::pin(call.outcome(calls)) }
    }
}

impl<R> Future for Step<'_, R> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<R> {
        let this = &mut *self;
        let Some((run, key)) = &this.key else { return this.future.as_mut().poll(cx) };
        if !this.set_out {
            run.set_out(key);
            this.set_out = true;
        }
        let waker = run.own_waker(cx.waker());
        let polled = this.future.as_mut().poll(&mut task::Context::from_waker(&waker));
        if polled.is_ready() {
            run.arrive(key);
            this.key = None;
        }
        polled
    }
}

impl<R> Drop for Step<'_, R> {
    fn drop(&mut self) {
        if let (Some((run, key)), true) = (&self.key, self.set_out) {
            run.arrive(key);
        }
    }
}

impl<R> fmt::Debug for Step<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Step").field("key", &self.key.as_ref().map(|(_, key)| key)).finish_non_exhaustive()
    }
}

/// One call of a step inside an execution.
struct Call {
    run: Arc<Run>,
    key: String,
    spec: &'static StepSpec,
    digest: Option<u64>,
}

/// How an attempt ended.
enum Ended<R> {
    Returned(R),
    /// It panicked or timed out.
    Broke(Box<Failure>),
}

/// A failed attempt: as it is recorded, whether another may follow, and as the caller gets it.
struct Failed<E> {
    failure: Box<Failure>,
    advice: RetryAdvice,
    error: E,
}

impl Call {
    async fn outcome<'step, R: StepResult + 'step>(self, mut calls: Calls<'step, R>) -> R {
        if let Some(recorded) = self.run.take_recorded(&self.key) {
            return self.replay(recorded).await;
        }
        self.run.stop_if_draining().await;
        let busy = self.run.begin_work();
        self.run.commit_checkpoints().await;
        let mut attempt = self.attempts_so_far(busy).await;
        loop {
            attempt += 1;
            let busy = self.run.begin_work();
            self.run.await_lease().await;
            let Some(body) = calls.next() else {
                // Without `retry(…)` no second attempt is ever planned.
                let failure = Failure::new(ErrorKind::Failed, format!("step `{}` has no attempt left", self.key));
                return R::from_result(Err(R::Error::from_failure(failure)));
            };
            let started = Instant::now();
            let ended = self.call(body, attempt, started).await;
            let checkpoint =
                |outcome| Checkpoint { key: self.key.clone(), digest: self.digest, attempt, took: started.elapsed(), outcome };
            let Failed { failure, advice, error } = match self.judge(ended) {
                Ok((value, output)) => {
                    self.run.leave_checkpoint(checkpoint(Outcome::Output(output)));
                    return R::from_result(Ok(value));
                }
                Err(failed) => failed,
            };
            tracing::debug!(execution_id = %self.run.id, step = %self.key, attempt, error = %failure, "an attempt failed");
            let now = self.run.clock().now();
            match retry::after_failure(self.spec.retry, attempt, advice, now, self.roll(attempt)) {
                AfterFailure::GiveUp => {
                    self.run.leave_checkpoint(checkpoint(Outcome::Error(failure)));
                    return R::from_result(Err(error));
                }
                AfterFailure::WaitInMemory { until } | AfterFailure::Park { until } => {
                    let failed = self.attempt_record(attempt, started.elapsed(), Some(failure), Some(until));
                    self.run.record_attempt(failed).await;
                    self.sit_out(until, busy).await;
                }
            }
        }
    }

    /// The recorded result, if this call is the one that was recorded.
    async fn replay<R: StepResult>(&self, recorded: Checkpoint) -> R {
        if let (Some(before), Some(now)) = (recorded.digest, self.digest)
            && before != now
        {
            return self.run.stop(Verdict::Diverged(divergence::other_arguments(&self.key, before, now))).await;
        }
        match recorded.outcome {
            Outcome::Error(failure) => R::from_result(Err(R::Error::from_failure(*failure))),
            Outcome::Output(output) => {
                match payload::decode(&format!("the recorded output of `{}`", self.key), output.as_str()) {
                    Ok(value) => R::from_result(Ok(value)),
                    Err(error) => {
                        self.run.stop(Verdict::Diverged(divergence::other_type(&self.key, output.as_str(), &error))).await
                    }
                }
            }
        }
    }

    /// The number of attempts that are spent, those included that a crash interrupted; returns when the next one may start.
    async fn attempts_so_far(&self, busy: super::run::Busy) -> u32 {
        let (attempts, after_crash) = self.run.take_attempts(&self.key);
        let Some(last) = attempts.last() else { return 0 };
        let now = self.run.clock().now();
        let lost = match (&last.failure, last.retry_at) {
            (None, _) => Some(last.attempt),
            // The back-off was over when the worker was lost, so the next attempt may have begun: count it.
            (Some(_), Some(retry_at)) if after_crash && retry_at <= now => Some(last.attempt + 1),
            _ => None,
        };
        if let Some(attempt) = lost {
            let failure = Failure::new(ErrorKind::Failed, "the worker was lost while this attempt may have been under way");
            self.run.record_attempt(self.attempt_record(attempt, Duration::ZERO, Some(Box::new(failure)), Some(now))).await;
        } else if let Some(retry_at) = last.retry_at {
            self.sit_out(retry_at, busy).await;
        }
        lost.unwrap_or(last.attempt)
    }

    /// Waits until an attempt may start: in memory when that is soon, parked when it is not.
    async fn sit_out(&self, until: chrono::DateTime<chrono::Utc>, busy: super::run::Busy) {
        let mut busy = Some(busy);
        loop {
            match retry::rest_of_backoff(until, self.run.clock().now()) {
                Some(AfterFailure::Park { until }) => {
                    busy = None;
                    let mut registered = false;
                    std::future::poll_fn(|cx| {
                        if registered {
                            return Poll::Ready(());
                        }
                        registered = true;
                        self.run.register_backoff(&self.key, until, cx.waker().clone());
                        Poll::Pending
                    })
                    .await;
                }
                Some(_) => {
                    let _busy = busy.take().unwrap_or_else(|| self.run.begin_work());
                    self.run.clock().reached(until).await;
                }
                None => break,
            }
        }
        self.run.stop_if_draining().await;
    }

    /// Runs one attempt, to its end or its timeout.
    async fn call<R>(&self, body: BoxFuture<'_, R>, attempt: u32, started: Instant) -> Ended<R> {
        let handle = StepHandle::new(self.run.id, &self.key, attempt, self.run.cancellation());
        let mut body = InStep { handle, body };
        // Most bodies finish soon: only one that does not gets timers.
        if let Poll::Ready(ended) = futures_util::poll!(&mut body) {
            return ended;
        }
        let deadline = self.spec.timeout.map(|timeout| clock::after(self.run.clock().now(), timeout));
        let timed_out = async {
            match deadline {
                Some(deadline) => self.run.clock().reached(deadline).await,
                None => std::future::pending().await,
            }
        };
        let long = async {
            tokio::time::sleep(RECORDED_AS_RUNNING_AFTER).await;
            self.run.record_attempt_soon(self.attempt_record(attempt, started.elapsed(), None, None));
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            biased;
            ended = &mut body => ended,
            () = timed_out => {
                let timeout = self.spec.timeout.unwrap_or_default();
                let message = format!("step `{}` took longer than its timeout of {timeout:?}", self.spec.name);
                Ended::Broke(Box::new(Failure::new(ErrorKind::TimedOut, message)))
            }
            never = long => match never {},
        }
    }

    /// Whether the attempt succeeded: its value with its record, or why not.
    fn judge<R: StepResult>(&self, ended: Ended<R>) -> Result<(R::Output, Payload), Failed<R::Error>> {
        let returned = match ended {
            Ended::Returned(returned) => returned,
            Ended::Broke(failure) => return Err(Failed::of(failure, RetryAdvice::AsConfigured)),
        };
        let value = returned.into_result().map_err(|error| Failed {
            failure: Box::new(error.to_failure()),
            advice: error.advice(),
            error,
        })?;
        match payload::encode_for_replay(&format!("the output of step `{}`", self.spec.name), &value) {
            Ok(output) => Ok((value, output)),
            Err(error) => Err(Failed::of(Box::new(error.failure().clone()), error.retry_advice())),
        }
    }

    fn attempt_record(
        &self,
        attempt: u32,
        took: Duration,
        failure: Option<Box<Failure>>,
        retry_at: Option<chrono::DateTime<chrono::Utc>>,
    ) -> FailedAttempt {
        FailedAttempt { execution_id: self.run.id, key: self.key.clone(), attempt, took, failure, retry_at }
    }

    /// A number from 0 to 1 that spreads the delays of many executions, and is the same for one attempt.
    fn roll(&self, attempt: u32) -> f64 {
        let (high, _) = self.run.id.derive(&format!("{} attempt {attempt}", self.key)).as_u64_pair();
        f64::from(u32::try_from(high >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
    }
}

impl<E: StepError> Failed<E> {
    fn of(failure: Box<Failure>, advice: RetryAdvice) -> Self {
        Self { error: E::from_failure((*failure).clone()), failure, advice }
    }
}

impl<'step, R> Calls<'step, R> {
    fn next(&mut self) -> Option<BoxFuture<'step, R>> {
        match self {
            Self::Once(call) => call.take().map(|call| call()),
            Self::Each(call) => Some(call()),
        }
    }
}

/// A step's body while it is polled: it knows its step, and its panics are caught.
struct InStep<'step, R> {
    handle: StepHandle,
    body: BoxFuture<'step, R>,
}

impl<R> Future for InStep<'_, R> {
    type Output = Ended<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Ended<R>> {
        let this = &mut *self;
        let polled = ambient::enter(Ambient::Step(this.handle.clone()), || panics::catch(|| this.body.as_mut().poll(cx)));
        match polled {
            Ok(polled) => polled.map(Ended::Returned),
            Err(failure) => Poll::Ready(Ended::Broke(failure)),
        }
    }
}

/// Records a value that is made once: a replay gets it back.
pub(super) async fn record<T: Serialize + DeserializeOwned + Send>(
    run: Arc<Run>,
    key: String,
    make: impl FnOnce(&Run) -> T + Send,
) -> Result<T> {
    let guard = UnderWay::new(&run, &key);
    if let Some(recorded) = run.take_recorded(&key)
        && let Outcome::Output(output) = recorded.outcome
    {
        return payload::decode(&format!("the recorded value of `{key}`"), output.as_str());
    }
    run.stop_if_draining().await;
    let value = make(&run);
    let output = payload::encode(&format!("the value of `{key}`"), &value)?;
    run.leave_checkpoint(Checkpoint {
        key: key.clone(),
        digest: None,
        attempt: 1,
        took: Duration::ZERO,
        outcome: Outcome::Output(output),
    });
    let busy = run.begin_work();
    run.commit_checkpoints().await;
    drop((busy, guard));
    Ok(value)
}

/// Marks a durable call as under way while it lives.
struct UnderWay {
    run: Arc<Run>,
    key: String,
}

impl UnderWay {
    fn new(run: &Arc<Run>, key: &str) -> Self {
        run.set_out(key);
        Self { run: run.clone(), key: key.to_owned() }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.run.arrive(&self.key);
    }
}
