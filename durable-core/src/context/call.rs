//! One call of a step: looked up in the journal, or attempted until it ends, and recorded.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::result::{StepError, StepResult};
use super::step::{Step, StepSpec};
use super::transaction::Transaction;
use crate::clock::Watch;
use crate::error::{Error, ErrorKind, Failure, RetryAdvice};
use crate::model::{Checkpoint, FailedAttempt, Outcome};
use crate::panics;
use crate::payload::{self, CalledWith, Payload};
use crate::plan::retry::{self, AfterFailure};
use crate::plan::{divergence, journal_key};
use crate::running::BoxFuture;
use crate::running::ambient::{self, Ambient};
use crate::running::branch::Branch;
use crate::running::hold::Verdict;
use crate::running::run::{Busy, Run};
use crate::running::scope::Scope;
use crate::running::step_handle::StepHandle;
use crate::store::transactions::Committed;
use crate::telemetry::{AttemptEnd, AttemptSpan};

/// An attempt that runs longer than this is recorded as under way, so that people see it and a crash is counted against it.
const RECORDED_AS_RUNNING_AFTER: Duration = Duration::from_secs(1);

/// Makes each attempt's future.
pub(super) enum Calls<'step, R> {
    Once(Option<Box<dyn FnOnce() -> BoxFuture<'step, R> + Send + 'step>>),
    Each(Box<dyn FnMut() -> BoxFuture<'step, R> + Send + 'step>),
    /// As `Each`, for bodies that may make durable calls of their own.
    Flow(Box<dyn FnMut() -> BoxFuture<'step, R> + Send + 'step>),
    InTransaction(TransactionCalls<'step, R>),
}

/// Makes each attempt's future, which gives the transaction back; `None` when there is no other attempt.
pub(super) type TransactionCalls<'step, R> =
    Box<dyn FnMut(Transaction) -> Option<BoxFuture<'step, (Transaction, R)>> + Send + 'step>;

/// One call of a step inside an execution.
pub(super) struct Call {
    run: Arc<Run>,
    scope: Arc<Scope>,
    key: String,
    spec: StepSpec,
    arguments: Option<CalledWith>,
}

/// How an attempt ended.
enum Ended<R> {
    Returned(R),
    /// It panicked or timed out.
    Broke(Box<Failure>),
}

/// A failed attempt: its record, and whether another may follow.
struct Failed {
    failure: Box<Failure>,
    advice: RetryAdvice,
    /// Whether it left nothing behind, because of an outage or of conflicting transactions.
    undone: bool,
}

impl<'step, R: StepResult + 'step> Step<'step, R> {
    /// A call that does not take the next key of its scope.
    pub(super) fn under_key(
        scope: Arc<Scope>,
        key: String,
        spec: StepSpec,
        arguments: Option<CalledWith>,
        calls: Calls<'step, R>,
    ) -> Self {
        let call = Call::new(&scope, &key, spec, arguments);
        Self::of(scope, key, Box::pin(call.outcome(calls)))
    }
}

impl Call {
    pub(super) fn new(scope: &Arc<Scope>, key: &str, spec: StepSpec, arguments: Option<CalledWith>) -> Self {
        Self { run: scope.run.clone(), scope: scope.clone(), key: key.to_owned(), spec, arguments }
    }

    pub(super) async fn outcome<'step, R: StepResult + 'step>(self, mut calls: Calls<'step, R>) -> R {
        if let Some(recorded) = self.run.take_recorded(&self.key) {
            return self.replay(recorded).await;
        }
        self.scope.stop_if_only_replaying().await;
        self.run.stop_if_draining().await;
        let busy = self.run.begin_work();
        self.run.commit_checkpoints().await;
        let earlier = self.run.take_attempts(&self.key);
        // From here on nobody else knows of the earlier attempts: what cuts this call off must not forget them.
        let mut cut_off = CutOff { call: &self, attempt: earlier.0.last().map_or(0, |last| last.attempt), began: None };
        let mut attempt = match self.attempts_so_far(earlier, busy).await {
            Ok(attempt) => attempt,
            Err((attempt, refused)) => {
                cut_off.attempt = 0;
                return self.fail(attempt, Duration::ZERO, refused).await;
            }
        };
        let mut repeated = 0;
        loop {
            attempt += 1;
            let mut busy = Some(self.run.begin_work());
            self.ask_for_consent(attempt).await;
            if self.spec.undo_on_failure {
                // Known before it runs, so that it is undone even if nobody hears how it ended.
                let begun = self.run.record_attempt(self.attempt_record(attempt, Duration::ZERO, None, None)).await;
                if let Err(refused) = begun {
                    cut_off.attempt = 0;
                    return self.fail(attempt, Duration::ZERO, refused).await;
                }
            }
            // After the last write before the attempt: its answer may have taken longer than the lease.
            self.run.await_lease().await;
            cut_off.attempt = attempt;
            if let Calls::Flow(_) = calls {
                // It may wait, and then its execution is parked; unless it is timed, which only a process can do.
                busy = busy.filter(|_| self.spec.timeout.is_some());
            }
            let started = Instant::now();
            cut_off.began = Some(started);
            let span = self.run.spans.attempt(self.spec.name, &self.key, attempt);
            let Some((ended, transaction)) = self.attempt(&mut calls, attempt, started, &span).await else {
                // Without `retry(…)` no second attempt is ever planned.
                let failure = Failure::new(ErrorKind::Failed, format!("step `{}` has no attempt left", self.key));
                return R::from_result(Err(R::Error::from_failure(failure)));
            };
            let (took, busy) = (started.elapsed(), busy.unwrap_or_else(|| self.run.begin_work()));
            let ended = match self.judge(ended) {
                Ok((output, value)) => {
                    cut_off.attempt = 0;
                    self.keep(value, self.checkpoint(Outcome::Output(output), attempt, took), transaction).await
                }
                Err(failed) => {
                    let undone = match transaction {
                        Some(transaction) => !transaction.roll_back().await || failed.undone,
                        None => false,
                    };
                    Err(Failed { undone, ..failed })
                }
            };
            cut_off.began = None;
            let Failed { failure, advice, undone } = match ended {
                Ok(result) => {
                    span.completed();
                    return result;
                }
                Err(failed) => failed,
            };
            tracing::debug!(execution_id = %self.run.id, step = %self.key, attempt, error = %failure, "an attempt failed");
            let pause = retry::repetition(repeated, self.roll(attempt)).filter(|_| undone && advice != RetryAdvice::Never);
            if let Some(pause) = pause {
                span.failed(&failure, Some(pause));
                repeated += 1;
                attempt -= 1;
                tokio::time::sleep(pause).await;
                drop(busy);
                self.run.stop_if_draining().await;
                continue;
            }
            let now = self.run.clock().now();
            match retry::after_failure(self.spec.retry, attempt, advice, now, self.roll(attempt)) {
                AfterFailure::GiveUp => {
                    cut_off.attempt = 0;
                    span.failed(&failure, None);
                    return self.fail(attempt, took, failure).await;
                }
                AfterFailure::WaitInMemory { until } | AfterFailure::Park { until } => {
                    span.failed(&failure, Some((until - now).to_std().unwrap_or_default()));
                    self.run.observed.step_failed(&self.key, attempt, took, &failure, Some(until));
                    let retried = AttemptEnd::Retried(failure.kind);
                    let failed = self.attempt_record(attempt, took, Some(failure), Some(until));
                    if let Err(refused) = self.run.record_attempt(failed).await {
                        cut_off.attempt = 0;
                        return self.fail(attempt, took, refused).await;
                    }
                    self.run.metrics.attempted(self.spec.name, retried, took);
                    self.sit_out(until, busy).await;
                }
            }
        }
    }

    /// Ends the call with a permanent failure.
    async fn fail<R: StepResult>(&self, attempt: u32, took: Duration, failure: Box<Failure>) -> R {
        self.run.observed.step_failed(&self.key, attempt, took, &failure, None);
        self.leave(self.checkpoint(Outcome::Error(failure.clone()), attempt, took));
        self.recorded_error(*failure).await
    }

    /// Tells the observers that an attempt is about to begin. Does not return when one of them refuses it.
    async fn ask_for_consent(&self, attempt: u32) {
        // An attempt that has made durable calls has begun before, and goes on after a wait.
        if !self.run.observed.is_watched() || self.run.is_recorded_below(&self.path(attempt)) {
            return;
        }
        if let Err(refused) = self.run.observed.consent(&self.key, attempt).await {
            self.run.stop::<()>(Verdict::Refused(Box::new(refused))).await;
        }
    }

    /// Where the durable calls of an attempt are journalled.
    fn path(&self, attempt: u32) -> String {
        journal_key::of_attempt(&self.key, attempt)
    }

    fn checkpoint(&self, outcome: Outcome, attempt: u32, took: Duration) -> Checkpoint {
        Checkpoint {
            digest: self.arguments.as_ref().map(|arguments| arguments.digest),
            attempt,
            took,
            ..Checkpoint::of(self.key.clone(), outcome)
        }
    }

    /// Leaves the outcome of the call for the next write.
    fn leave(&self, checkpoint: Checkpoint) {
        let undoable = self.is_undone_after(&checkpoint.outcome);
        self.run.leave_step(self.spec.name, checkpoint, undoable);
    }

    fn is_undone_after(&self, outcome: &Outcome) -> bool {
        self.spec.compensation.is_some() && (self.spec.undo_on_failure || matches!(outcome, Outcome::Output(_)))
    }

    /// Makes the outcome of an attempt that succeeded the outcome of the call; in a transaction the attempt may still fail.
    async fn keep<R: StepResult>(
        &self,
        value: R::Output,
        checkpoint: Checkpoint,
        transaction: Option<Transaction>,
    ) -> Result<R, Failed> {
        let Some(transaction) = transaction else {
            self.run.observed.step_succeeded(&self.key, checkpoint.attempt, checkpoint.took);
            self.leave(checkpoint);
            return Ok(R::from_result(Ok(value)));
        };
        let undoable = self.is_undone_after(&checkpoint.outcome);
        match Box::pin(self.run.commit(self.spec.name, transaction.into_open(), checkpoint.clone(), undoable)).await {
            Ok(Committed::Written) => Ok(R::from_result(Ok(value))),
            Ok(Committed::Before(outcome)) => {
                self.run.observed.step_succeeded(&self.key, checkpoint.attempt, checkpoint.took);
                Ok(Box::pin(self.replay(Checkpoint { outcome, ..checkpoint })).await)
            }
            Ok(Committed::Refused) => self.run.stop(Verdict::Lost).await,
            Ok(Committed::Undone(error)) => Err(Failed { undone: true, ..Failed::of(&error) }),
            Err(error) => Err(Failed::of(&error)),
        }
    }

    /// The recorded result, if this call is the one that was recorded.
    async fn replay<R: StepResult>(&self, recorded: Checkpoint) -> R {
        if let (Some(before), Some(now)) = (recorded.digest, &self.arguments)
            && before != now.digest
        {
            let report = divergence::other_arguments(&self.key, before, Some(&recorded.outcome), now);
            return self.run.stop(Verdict::Diverged(report)).await;
        }
        match recorded.outcome {
            Outcome::Error(failure) => self.recorded_error(*failure).await,
            Outcome::Output(output) => {
                match payload::decode(&format!("the recorded output of `{}`", self.key), output.as_str()) {
                    Ok(value) => R::from_result(Ok(value)),
                    Err(error) => {
                        self.run
                            .stop(Verdict::Diverged(divergence::other_type(&self.key, "output", output.as_str(), &error)))
                            .await
                    }
                }
            }
        }
    }

    /// The recorded error as the caller gets it.
    async fn recorded_error<R: StepResult>(&self, failure: Failure) -> R {
        let value = failure.value.clone();
        match R::Error::from_record(failure) {
            Ok(error) => R::from_result(Err(error)),
            Err(error) => {
                let recorded = value.as_deref().map_or("null", RawValue::get);
                self.run.stop(Verdict::Diverged(divergence::other_type(&self.key, "error", recorded, &error))).await
            }
        }
    }

    /// The number of attempts used so far, including attempts that a crash interrupted. Returns when the next attempt may
    /// start; fails if the database refuses to record the interrupted one.
    async fn attempts_so_far(
        &self,
        (attempts, after_crash): (Vec<FailedAttempt>, bool),
        busy: Busy,
    ) -> Result<u32, (u32, Box<Failure>)> {
        let Some(last) = attempts.last() else { return Ok(0) };
        let now = self.run.clock().now();
        let lost = match (&last.failure, last.retry_at) {
            (None, _) => Some(last.attempt),
            // The back-off was over when the worker was lost, so the next attempt may have begun: count it.
            (Some(_), Some(retry_at)) if after_crash && retry_at <= now => Some(last.attempt + 1),
            _ => None,
        };
        if let Some(attempt) = lost {
            let failure = Failure::new(ErrorKind::Failed, "the worker was lost while this attempt may have been under way");
            let interrupted = self.attempt_record(attempt, Duration::ZERO, Some(Box::new(failure)), Some(now));
            self.run.record_attempt(interrupted).await.map_err(|refused| (attempt, refused))?;
        } else if let Some(retry_at) = last.retry_at {
            self.sit_out(retry_at, busy).await;
        }
        Ok(lost.unwrap_or(last.attempt))
    }

    /// Waits until an attempt may start: in memory when that is soon, parked when it is not.
    async fn sit_out(&self, until: DateTime<Utc>, busy: Busy) {
        let mut busy = Some(busy);
        loop {
            match retry::rest_of_backoff(until, self.run.clock().now()) {
                Some(AfterFailure::Park { until }) => {
                    busy = None;
                    let _dropped_with_us = BackOff { run: &self.run, key: &self.key };
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
        drop(busy);
        self.run.stop_if_draining().await;
    }

    /// Begins one attempt and runs it; `None` when there is no other. One in a transaction gives it back, unless it broke.
    async fn attempt<'step, R>(
        &self,
        calls: &mut Calls<'step, R>,
        attempt: u32,
        started: Instant,
        span: &AttemptSpan,
    ) -> Option<(Ended<R>, Option<Transaction>)> {
        let calls = match calls {
            Calls::Once(call) => return Some((self.call(call.take()?(), attempt, started, span).await, None)),
            Calls::Each(call) => return Some((self.call(call(), attempt, started, span).await, None)),
            Calls::Flow(call) => return Some((self.call_flow(call(), attempt, span).await, None)),
            Calls::InTransaction(calls) => calls,
        };
        // Boxed: it is large, and every step's future would have room for it.
        let transaction = match Box::pin(self.run.begin_transaction()).await {
            Ok(open) => Transaction::new(open),
            Err(error) => return Some((Ended::Broke(Box::new(error.failure().clone())), None)),
        };
        Some(match self.call(calls(transaction)?, attempt, started, span).await {
            Ended::Returned((transaction, returned)) => (Ended::Returned(returned), Some(transaction)),
            Ended::Broke(failure) => (Ended::Broke(failure), None),
        })
    }

    fn handle(&self, attempt: u32) -> StepHandle {
        let run = &self.run;
        StepHandle::new(run.owner, &self.key, attempt, run.trace.clone(), run.cancellation())
    }

    /// Runs one attempt, to its end or its timeout.
    async fn call<R>(&self, body: BoxFuture<'_, R>, attempt: u32, started: Instant, span: &AttemptSpan) -> Ended<R> {
        let handle = self.handle(attempt);
        let began = self.run.clock().watch();
        let mut body = InStep { handle, body, span };
        // Most bodies finish soon: only one that does not gets timers.
        if let Poll::Ready(ended) = futures_util::poll!(&mut body) {
            return self.in_time(began, ended);
        }
        let timed_out = self.timed_out();
        let long = async {
            tokio::time::sleep(RECORDED_AS_RUNNING_AFTER).await;
            drop(self.run.record_attempt_soon(self.attempt_record(attempt, started.elapsed(), None, None)));
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            biased;
            ended = &mut body => self.in_time(began, ended),
            failure = timed_out => Ended::Broke(failure),
            never = long => match never {},
        }
    }

    /// Runs one attempt that may make durable calls: they are journalled below the key of this one.
    async fn call_flow<R>(&self, body: BoxFuture<'_, R>, attempt: u32, span: &AttemptSpan) -> Ended<R> {
        let handle = self.handle(attempt);
        let began = self.run.clock().watch();
        let scope = self.scope.attempt(&self.path(attempt), handle);
        let mut branch = Branch::new(Some(scope), body);
        let body = std::future::poll_fn(|cx| match span.within(|| panics::catch(|| branch.poll(cx.waker()))) {
            Ok(polled) => polled.map(Ended::Returned),
            Err(failure) => Poll::Ready(Ended::Broke(failure)),
        });
        tokio::select! {
            biased;
            ended = body => self.in_time(began, ended),
            failure = self.timed_out() => Ended::Broke(failure),
        }
    }

    /// Returns when the attempt that begins now has taken too long.
    async fn timed_out(&self) -> Box<Failure> {
        let Some(timeout) = self.spec.timeout else { return std::future::pending().await };
        self.run.clock().passed(timeout).await;
        self.late()
    }

    /// How an attempt ended. An attempt that blocked its thread for longer than its timeout counts as timed out.
    fn in_time<R>(&self, began: Watch, ended: Ended<R>) -> Ended<R> {
        match self.spec.timeout {
            Some(timeout) if self.run.clock().elapsed(began) > timeout => Ended::Broke(self.late()),
            _ => ended,
        }
    }

    fn late(&self) -> Box<Failure> {
        let timeout = self.spec.timeout.unwrap_or_default();
        let message = format!("step `{}` took longer than its timeout of {timeout:?}", self.spec.name);
        Box::new(Failure::new(ErrorKind::TimedOut, message))
    }

    /// Whether the attempt succeeded: its record and the value that was read back from it, or why not.
    fn judge<R: StepResult>(&self, ended: Ended<R>) -> Result<(Payload, R::Output), Failed> {
        let returned = match ended {
            Ended::Returned(returned) => returned,
            Ended::Broke(failure) => return Err(Failed { failure, advice: RetryAdvice::AsConfigured, undone: false }),
        };
        let value = returned.into_result().map_err(|error| Failed {
            failure: Box::new(error.to_failure()),
            advice: error.advice(),
            undone: error.is_conflict(),
        })?;
        payload::record(&format!("the output of step `{}`", self.spec.name), &value).map_err(|refusal| Failed::of(&refusal))
    }

    fn attempt_record(
        &self,
        attempt: u32,
        took: Duration,
        failure: Option<Box<Failure>>,
        retry_at: Option<DateTime<Utc>>,
    ) -> FailedAttempt {
        FailedAttempt { execution_id: self.run.id, key: self.key.clone(), attempt, took, failure, retry_at }
    }

    /// A number from 0 to 1 that spreads the delays of many executions, and is the same for one attempt.
    fn roll(&self, attempt: u32) -> f64 {
        let (high, _) = self.run.id.derive(&format!("{} attempt {attempt}", self.key)).as_u64_pair();
        f64::from(u32::try_from(high >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
    }
}

impl Failed {
    fn of(error: &Error) -> Self {
        Self { failure: Box::new(error.failure().clone()), advice: error.retry_advice(), undone: false }
    }
}

/// A back-off that the run knows of while it is sat out.
struct BackOff<'call> {
    run: &'call Run,
    key: &'call str,
}

impl Drop for BackOff<'_> {
    fn drop(&mut self) {
        self.run.drop_backoff(self.key);
    }
}

/// Records that a call was cut off: the branch it ran in is no longer wanted, or has panicked, and its future is dropped.
struct CutOff<'call> {
    call: &'call Call,
    /// The attempt that is under way or was the last; 0 while there was none, or once the call has ended.
    attempt: u32,
    /// When that attempt began, while it is under way.
    began: Option<Instant>,
}

impl Drop for CutOff<'_> {
    fn drop(&mut self) {
        // A panic in the code around it drops it without a word.
        if self.attempt > 0 && (self.call.scope.is_abandoned() || std::thread::panicking()) {
            let failure = Failure::new(ErrorKind::Cancelled, "cut off: nobody waits for it any more");
            if let Some(began) = self.began {
                self.call.run.observed.step_failed(&self.call.key, self.attempt, began.elapsed(), &failure, None);
            }
            self.call.leave(self.call.checkpoint(Outcome::Error(Box::new(failure)), self.attempt, Duration::ZERO));
        }
    }
}

/// A step's body while it is polled: it knows its step, what it logs stands in its span, and its panics are caught.
struct InStep<'step, R> {
    handle: StepHandle,
    body: BoxFuture<'step, R>,
    span: &'step AttemptSpan,
}

impl<R> Drop for InStep<'_, R> {
    fn drop(&mut self) {
        // Whatever the body has started elsewhere, in a task or a thread, hears that nobody waits for it any more.
        self.handle.end();
    }
}

impl<R> Future for InStep<'_, R> {
    type Output = Ended<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Ended<R>> {
        let this = &mut *self;
        let poll = || panics::catch(|| this.body.as_mut().poll(cx));
        let polled = ambient::enter(Ambient::Step(this.handle.clone()), || this.span.within(poll));
        match polled {
            Ok(polled) => polled.map(Ended::Returned),
            Err(failure) => Poll::Ready(Ended::Broke(failure)),
        }
    }
}
