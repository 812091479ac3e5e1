//! One call of a step: looked up in the journal, or attempted until it ends, and recorded.

mod attempts;
mod backoff;
mod body;
mod hooks;
mod replay;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use self::attempts::{Attempts, Before, Failed};
use super::result::StepResult;
use super::step::{Step, StepSpec};
use super::transaction::Transaction;
use crate::error::Failure;
use crate::model::{Checkpoint, FailedAttempt, Outcome};
use crate::payload::CalledWith;
use crate::plan::journal_key;
use crate::running::hold::Verdict;
use crate::running::run::Run;
use crate::running::scope::Scope;
use crate::store::transactions::Committed;

pub(super) use body::{Calls, TransactionCalls};

/// One call of a step inside an execution.
pub(super) struct Call {
    run: Arc<Run>,
    scope: Arc<Scope>,
    key: String,
    spec: StepSpec,
    arguments: Option<CalledWith>,
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
        let mut attempts = Attempts::of(&self);
        let mut before = attempts.resume().await;
        drop(busy);
        loop {
            match before {
                Before::Nothing => {}
                Before::Pause(pause) => self.pause(pause).await,
                Before::BackOff { until } => self.sit_out(until).await,
                Before::Failure { attempt, took, failure } => return self.fail(attempt, took, failure).await,
            }
            before = match attempts.run_next(&mut calls).await {
                Ok(result) => return result,
                Err(before) => before,
            };
        }
    }

    /// Ends the call with a permanent failure.
    async fn fail<R: StepResult>(&self, attempt: u32, took: Duration, failure: Box<Failure>) -> R {
        self.run.observed.step_failed(&self.key, attempt, took, &failure, None);
        self.leave(self.checkpoint(Outcome::Error(failure.clone()), attempt, took));
        self.recorded_error(*failure).await
    }

    /// Makes what an attempt returned the outcome of the call.
    fn succeed<R: StepResult>(&self, value: R::Output, checkpoint: Checkpoint) -> R {
        self.run.observed.step_succeeded(&self.key, checkpoint.attempt, checkpoint.took);
        self.leave(checkpoint);
        R::from_result(Ok(value))
    }

    /// As [`succeed`](Self::succeed), together with what the step wrote; until both are committed, the attempt may still fail.
    async fn commit<R: StepResult>(
        &self,
        value: R::Output,
        checkpoint: Checkpoint,
        transaction: Transaction,
    ) -> Result<R, Failed> {
        let undoable = self.is_undone_after(&checkpoint.outcome);
        match self.run.commit(self.spec.name, transaction.into_open(), checkpoint.clone(), undoable).await {
            Ok(Committed::Written) => Ok(R::from_result(Ok(value))),
            Ok(Committed::Before(outcome)) => {
                self.run.observed.step_succeeded(&self.key, checkpoint.attempt, checkpoint.took);
                Ok(self.replay(Checkpoint { outcome, ..checkpoint }).await)
            }
            Ok(Committed::Refused) => self.run.stop(Verdict::Lost).await,
            Ok(Committed::Undone(error)) => Err(Failed::and_undone(&error)),
            Err(error) => Err(Failed::of(&error)),
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

    fn checkpoint(&self, outcome: Outcome, attempt: u32, took: Duration) -> Checkpoint {
        Checkpoint {
            digest: self.arguments.as_ref().map(|arguments| arguments.digest),
            attempt,
            took,
            ..Checkpoint::of(self.key.clone(), outcome)
        }
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

    /// Where the durable calls of an attempt are journalled.
    fn path(&self, attempt: u32) -> String {
        journal_key::of_attempt(&self.key, attempt)
    }
}
