//! The attempts of one call: how each begins, how it ends, what follows, and how its end is reported.
//!
//! An end that the next write records is reported once more when that write is committed: see `running/reporting.rs`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::Call;
use super::body::{Calls, Ended};
use super::hooks::Intercepted;
use crate::context::result::{StepError, StepResult};
use crate::error::{Error, ErrorKind, Failure, RetryAdvice};
use crate::model::{FailedAttempt, Outcome};
use crate::payload::{self, Payload};
use crate::plan::retry::{self, AfterFailure};
use crate::running::hold::Verdict;
use crate::telemetry::{AttemptEnd, AttemptSpan};

/// The attempts of a call. If the call is dropped because no code waits for it any more, it is recorded as cut off.
pub(super) struct Attempts<'call> {
    pub(super) call: &'call Call,
    /// The number of the attempt that is under way, or that comes next.
    pub(super) number: u32,
    /// How many attempts left nothing behind and were repeated under their number.
    repeated: u32,
    stage: Stage,
}

/// How far the attempts of a call have come.
enum Stage {
    /// No attempt is under way.
    Between {
        /// The last one; `None` if there was none.
        last: Option<u32>,
    },
    UnderWay {
        began: Instant,
        span: AttemptSpan,
    },
    /// The attempt returned a value, which becomes the outcome of the call unless a transaction cannot be committed.
    Returned {
        span: AttemptSpan,
    },
    /// The call has its outcome.
    Over,
}

/// What comes before the next attempt of a call.
pub(super) enum Before {
    Nothing,
    /// The last attempt left nothing behind, and is repeated.
    Pause(Duration),
    BackOff {
        until: DateTime<Utc>,
    },
    /// There is no other attempt: the call fails.
    Failure {
        attempt: u32,
        took: Duration,
        failure: Box<Failure>,
    },
}

/// A failed attempt: its record, and whether another may follow.
pub(super) struct Failed {
    failure: Box<Failure>,
    advice: RetryAdvice,
    /// Whether it left nothing behind, because of an outage or of conflicting transactions.
    undone: bool,
}

impl Failed {
    pub(super) fn of(error: &Error) -> Self {
        Self { failure: Box::new(error.failure().clone()), advice: error.retry_advice(), undone: false }
    }

    pub(super) fn and_undone(error: &Error) -> Self {
        Self { undone: true, ..Self::of(error) }
    }
}

impl<'call> Attempts<'call> {
    pub(super) fn of(call: &'call Call) -> Self {
        Self { call, number: 1, repeated: 0, stage: Stage::Between { last: None } }
    }

    /// Counts the attempts of earlier claims, including an attempt that a crash interrupted.
    pub(super) async fn resume(&mut self) -> Before {
        let run = &self.call.run;
        // From here on only this guard knows of the earlier attempts.
        let (attempts, after_crash) = run.take_attempts(&self.call.key);
        let Some(FailedAttempt { attempt, failure, retry_at, .. }) = attempts.last() else { return Before::Nothing };
        self.stage = Stage::Between { last: Some(*attempt) };
        let now = run.clock().now();
        let lost = match (failure, retry_at) {
            (None, _) => *attempt,
            // The back-off was over when the worker was lost, so the next attempt may have begun: count it.
            (Some(_), Some(retry_at)) if after_crash && *retry_at <= now => attempt + 1,
            (Some(_), retry_at) => {
                self.number = attempt + 1;
                return retry_at.map_or(Before::Nothing, |until| Before::BackOff { until });
            }
        };
        let failure = Failure::new(ErrorKind::Failed, "the worker was lost while this attempt may have been under way");
        let interrupted = self.call.attempt_record(lost, Duration::ZERO, Some(Box::new(failure)), Some(now));
        match run.record_attempt(interrupted).await {
            Ok(()) => {
                self.number = lost + 1;
                Before::Nothing
            }
            Err(refused) => self.give_up(lost, Duration::ZERO, refused),
        }
    }

    /// Runs the next attempt, and records how it ended. Returns what comes before the attempt after it, unless the call is over.
    pub(super) async fn run_next<R: StepResult>(&mut self, calls: &mut Calls<'_, R>) -> Result<R, Before> {
        let call = self.call;
        let busy = call.run.begin_work();
        call.ask_for_consent(self.number).await;
        if call.spec.undo_on_failure {
            // Recorded before the step runs, so that a rollback undoes the step even if its end is not recorded.
            let begun = call.attempt_record(self.number, Duration::ZERO, None, None);
            if let Err(refused) = call.run.record_attempt(begun).await {
                return Err(self.give_up(self.number, Duration::ZERO, refused));
            }
            self.stage = Stage::Between { last: Some(self.number) };
        }
        let intercepted = call.before_body(self.number).await;
        // After the last write before the attempt: its answer may have taken longer than the lease.
        call.run.await_lease().await;
        // A flow may wait, and then its execution is parked; unless it is timed, which only a process can do.
        let busy = Some(busy).filter(|_| !matches!(calls, Calls::Flow(_)) || call.spec.timeout.is_some());
        let began = self.begin();
        let ended = match intercepted {
            Intercepted::Run(_until_the_body_ends) => self.run_body(calls, began).await,
            Intercepted::Fail(failure) => Some((Ended::Broke(failure), None)),
        };
        let Some((ended, transaction)) = ended else {
            // Without `retry(…)` no second attempt is ever planned.
            let failure = Failure::new(ErrorKind::Failed, format!("step `{}` has no attempt left", call.key));
            return Ok(R::from_result(Err(R::Error::from_failure(failure))));
        };
        let (took, _busy) = (began.elapsed(), busy.unwrap_or_else(|| call.run.begin_work()));
        call.after_body(self.number, ended.failure()).await;
        let kept = match call.judge(ended) {
            Ok((output, value)) => {
                self.returned();
                let checkpoint = call.checkpoint(Outcome::Output(output), self.number, took);
                match transaction {
                    None => Ok(call.succeed(value, checkpoint)),
                    // Boxed: it is large, and every step's future would have room for it.
                    Some(transaction) => Box::pin(call.commit(value, checkpoint, transaction)).await,
                }
            }
            Err(failed) => {
                let undone = match transaction {
                    Some(transaction) => !transaction.roll_back().await || failed.undone,
                    None => false,
                };
                Err(Failed { undone, ..failed })
            }
        };
        match kept {
            Ok(result) => {
                self.end(Stage::Over, AttemptSpan::completed);
                Ok(result)
            }
            Err(failed) => Err(self.after(failed, took).await),
        }
    }

    /// What follows an attempt that failed.
    async fn after(&mut self, Failed { failure, advice, undone }: Failed, took: Duration) -> Before {
        let (call, attempt) = (self.call, self.number);
        tracing::debug!(execution_id = %call.run.id, step = %call.key, attempt, error = %failure, "an attempt failed");
        let between = Stage::Between { last: Some(attempt) };
        let roll = call.roll(attempt);
        if undone
            && advice != RetryAdvice::Never
            && let Some(pause) = retry::repetition(self.repeated, roll)
        {
            self.end(between, |span| span.failed(&failure, Some(pause)));
            self.repeated += 1;
            return Before::Pause(pause);
        }
        let now = call.run.clock().now();
        let until = match retry::after_failure(call.spec.retry, attempt, advice, now, roll) {
            AfterFailure::WaitInMemory { until } | AfterFailure::Park { until } => until,
            AfterFailure::GiveUp => {
                self.end(between, |span| span.failed(&failure, None));
                return self.give_up(attempt, took, failure);
            }
        };
        self.end(between, |span| span.failed(&failure, Some((until - now).to_std().unwrap_or_default())));
        call.run.observed.step_failed(&call.key, attempt, took, &failure, Some(until));
        let retried = AttemptEnd::Retried(failure.kind);
        let failed = call.attempt_record(attempt, took, Some(failure), Some(until));
        if let Err(refused) = call.run.record_attempt(failed).await {
            return self.give_up(attempt, took, refused);
        }
        call.run.metrics.attempted(call.spec.name, retried, took);
        self.number += 1;
        Before::BackOff { until }
    }

    fn give_up(&mut self, attempt: u32, took: Duration, failure: Box<Failure>) -> Before {
        self.stage = Stage::Over;
        Before::Failure { attempt, took, failure }
    }

    fn begin(&mut self) -> Instant {
        let (call, began) = (self.call, Instant::now());
        self.stage = Stage::UnderWay { began, span: call.run.spans.attempt(call.spec.name, &call.key, self.number) };
        began
    }

    fn returned(&mut self) {
        if let Some(span) = self.take_span() {
            self.stage = Stage::Returned { span };
        }
    }

    /// Ends the attempt that is under way, and its span.
    fn end(&mut self, stage: Stage, tell: impl FnOnce(AttemptSpan)) {
        self.take_span().map(tell);
        self.stage = stage;
    }

    fn take_span(&mut self) -> Option<AttemptSpan> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::UnderWay { span, .. } | Stage::Returned { span } => Some(span),
            Stage::Between { .. } | Stage::Over => None,
        }
    }

    /// Polls the code of the attempt inside its span.
    pub(super) fn within<T>(&self, poll: impl FnOnce() -> T) -> T {
        match &self.stage {
            Stage::UnderWay { span, .. } => span.within(poll),
            _ => poll(),
        }
    }
}

impl Drop for Attempts<'_> {
    fn drop(&mut self) {
        let call = self.call;
        // The branch it ran in is no longer wanted, or the code around it has panicked.
        if !call.scope.is_abandoned() && !std::thread::panicking() {
            return;
        }
        let (attempt, began) = match self.stage {
            Stage::UnderWay { began, .. } => (self.number, Some(began)),
            Stage::Between { last: Some(last) } => (last, None),
            Stage::Between { last: None } | Stage::Returned { .. } | Stage::Over => return,
        };
        let failure = Failure::new(ErrorKind::Cancelled, "cut off: its workflow no longer waits for it");
        if let Some(began) = began {
            call.run.observed.step_failed(&call.key, attempt, began.elapsed(), &failure, None);
        }
        call.leave(call.checkpoint(Outcome::Error(Box::new(failure)), attempt, Duration::ZERO));
    }
}

impl Call {
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
        payload::record(format_args!("the output of step `{}`", self.spec.name), &value).map_err(|refusal| Failed::of(&refusal))
    }

    /// A number from 0 to 1 that spreads the delays of many executions, and is the same for one attempt.
    fn roll(&self, attempt: u32) -> f64 {
        let (high, _) = self.run.id.derive(&format!("{} attempt {attempt}", self.key)).as_u64_pair();
        f64::from(u32::try_from(high >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
    }
}
