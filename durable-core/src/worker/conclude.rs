//! Ends a stretch of an execution: writes the state it goes to, and tells those who wait for it.

use std::sync::Arc;

use super::Worker;
use super::flow::Flow;
use crate::error::{ErrorKind, Failure, Result};
use crate::model::{Claimed, ExecutionState};
use crate::payload::Payload;
use crate::plan::divergence;
use crate::running::recording::Saved;
use crate::running::run::Run;
use crate::store::executions::{self, Finished, Poisoned};
use crate::store::saves::NextState;
use crate::store::{self, journal};
use crate::telemetry;

/// How a stretch of driving ended.
pub(super) enum Ending {
    Completed(Payload),
    Failed(Box<Failure>),
    /// The rollback is over, with how and why.
    RolledBack(ExecutionState, Box<Failure>),
    /// A person or a deployment has to help; with the report.
    Stopped(String),
    Released,
    /// Another worker holds the execution, or nobody: nothing is to be written.
    Lost,
    /// It waits; whoever wakes it claims it anew.
    Parked(Flow),
}

/// How an execution was left.
pub(super) enum Left {
    /// It rests, with its code.
    Parked(Flow),
    /// The database has taken note.
    Noted,
    /// A write was refused: others hold the execution, or the database has it that this worker does.
    Refused,
}

impl Ending {
    /// What had to be undone was, or could not be.
    pub(super) fn undone(mut cause: Box<Failure>, undone: Result<Payload>) -> Self {
        match undone {
            Ok(_) => Self::RolledBack(ExecutionState::Compensated, cause),
            Err(error) => {
                cause.causes.push(error.to_string());
                Self::RolledBack(ExecutionState::CompensationFailed, cause)
            }
        }
    }

    /// There was nothing to undo.
    pub(super) fn nothing_undone(cause: Box<Failure>) -> Self {
        let state = match cause.kind {
            ErrorKind::Cancelled => ExecutionState::Cancelled,
            ErrorKind::RolledBack => ExecutionState::Compensated,
            _ => ExecutionState::Failed,
        };
        Self::RolledBack(state, cause)
    }

    /// The workflow returned: well, if it asked for everything that its journal has.
    pub(super) fn returned(run: &Run, output: Payload) -> Self {
        let unasked = run.unasked();
        if unasked.is_empty() {
            Self::Completed(output)
        } else {
            Self::Stopped(divergence::unasked(&run.id.to_string(), &unasked))
        }
    }
}

impl Worker {
    /// Writes how it ended, and notifies its callers. Fails with the database's message if that refuses the end.
    pub(super) async fn conclude(self: &Arc<Self>, run: &Run, claimed: &Claimed, ending: Ending) -> Result<Left, Box<Failure>> {
        let (next, finished) = match ending {
            Ending::Parked(flow) => {
                telemetry::claim_ended("parked", None);
                return Ok(Left::Parked(flow));
            }
            Ending::Lost => {
                run.until_answered().await;
                telemetry::claim_ended("lost", None);
                return Ok(Left::Refused);
            }
            Ending::Released => {
                telemetry::claim_ended("released", None);
                (NextState::Released, None)
            }
            Ending::Stopped(report) => {
                tracing::error!(execution_id = %run.id, "stopped: {report}");
                let failure = Failure::new(ErrorKind::Diverged, report);
                telemetry::claim_ended("stopped", Some(&failure));
                (NextState::Stopped(failure_payload(&failure)), Some((ExecutionState::Waiting, Err(failure))))
            }
            Ending::Completed(output) => (NextState::Completed(output.clone()), Some((ExecutionState::Completed, Ok(output)))),
            Ending::Failed(failure) => {
                tracing::warn!(execution_id = %run.id, error = %failure, "an execution failed");
                (NextState::Failed(failure_payload(&failure)), Some((ExecutionState::Failed, Err(*failure))))
            }
            Ending::RolledBack(state, cause) => {
                tracing::warn!(execution_id = %run.id, %state, error = %cause, "an execution was rolled back");
                (NextState::RolledBack(state, failure_payload(&cause)), Some((state, Err(*cause))))
            }
        };
        match run.finish(next).await {
            Saved::Written => {}
            Saved::Lost => {
                telemetry::claim_ended("lost", None);
                return Ok(Left::Refused);
            }
            Saved::Replaced => {
                telemetry::claim_ended("released", None);
                self.signals.queued(&claimed.queue);
                return Ok(Left::Noted);
            }
            Saved::Unrecorded(failure) => return Err(failure),
        }
        if finished.as_ref().is_some_and(|(state, _)| state.is_finished()) {
            self.settle_family(run, claimed.awaited);
        }
        match finished {
            Some((state, Ok(output))) => {
                telemetry::claim_ended(state.as_str(), None);
                run.metrics.completed(self.since(claimed.started_at));
                run.observed.completed();
                self.signals.finished(&Finished { id: run.id, state, output: Some(output), error: None })
            }
            // It has not ended; callers that wait for its result get the report.
            Some((state @ ExecutionState::Waiting, Err(failure))) => {
                self.signals.finished(&Finished { id: run.id, state, output: None, error: Some(failure) });
                self.signals.queued(&claimed.queue);
            }
            Some((state, Err(failure))) => {
                telemetry::claim_ended(state.as_str(), Some(&failure));
                run.metrics.ended(state, failure.kind, self.since(claimed.started_at));
                run.observed.failed(state, &failure);
                self.signals.finished(&Finished { id: run.id, state, output: None, error: Some(failure) })
            }
            None => self.signals.queued(&claimed.queue),
        }
        Ok(Left::Noted)
    }

    /// It runs no longer: where a limit counted it, another may begin now.
    pub(super) fn make_room(&self, claimed: &Claimed) {
        if claimed.limited {
            self.signals.queued(&claimed.queue);
        }
    }

    /// Gives up an execution that was claimed too often.
    pub(super) async fn poison(&self, claimed: &Claimed) -> Left {
        let failure = Failure::new(
            ErrorKind::Poisoned,
            format!("claimed {} times without coming to rest: it seems to kill its workers", claimed.claims - 1),
        );
        tracing::error!(execution_id = %claimed.id, "{failure}");
        let store = &self.store;
        let poisoned = store::run("end a poisoned execution", self.options.patience, || {
            executions::poison(store, &store.pool, claimed.worker, (claimed.id, claimed.epoch), &failure)
        });
        let Ok(Some(Poisoned { state, queue, ended_early })) = poisoned.await else { return Left::Refused };
        self.families.announce(&ended_early).await;
        self.make_room(claimed);
        if !state.is_finished() {
            self.signals.queued(&queue);
            return Left::Noted;
        }
        // A rollback that failed keeps the reason for which it was begun.
        let failure = claimed.rollback.clone().unwrap_or(failure);
        let observed = self.signals.observers.of(claimed.id, &claimed.workflow, claimed.version);
        self.metrics.of(&claimed.workflow, &claimed.queue).ended(state, failure.kind, self.since(claimed.started_at));
        observed.failed(state, &failure);
        self.signals.finished(&Finished { id: claimed.id, state, output: None, error: Some(failure) });
        if claimed.awaited {
            self.families.notify_parent(claimed.id).await;
        }
        Left::Noted
    }
}

fn failure_payload(failure: &Failure) -> Payload {
    Payload(journal::failure_text(failure).into())
}
