//! Ends a claim: writes the state that the execution goes to, and notifies those that wait for it.

use super::drive::Drive;
use super::ending::{Ending, Left};
use super::process::Process;
use crate::error::{ErrorKind, Failure};
use crate::model::ExecutionState;
use crate::payload::Payload;
use crate::running::recording::Saved;
use crate::store::executions::Finished;
use crate::store::journal;
use crate::store::saves::NextState;
use crate::telemetry;

impl<P: Process> Drive<P> {
    /// Writes how it ended, and notifies its callers. Fails with the database's message if that refuses the end.
    pub(super) async fn conclude(&self, ending: Ending) -> Result<Left, Box<Failure>> {
        let Self { process, run, claimed, .. } = self;
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
            Ending::Continued(input) => return self.continue_as_new(input).await,
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
                process.notify_queue(&claimed.queue);
                return Ok(Left::Noted);
            }
            Saved::Unrecorded(failure) => return Err(failure),
        }
        if finished.as_ref().is_some_and(|(state, _)| state.is_finished()) {
            process.settle_family(run, claimed.awaited);
        }
        match finished {
            Some((state, Ok(output))) => {
                telemetry::claim_ended(state.as_str(), None);
                run.metrics.completed(run.clock().since(claimed.started_at));
                run.observed.completed();
                process.notify_finished(&Finished { id: run.id, state, output: Some(output), error: None })
            }
            // It has not ended; callers that wait for its result get the report.
            Some((state @ ExecutionState::Waiting, Err(failure))) => {
                process.notify_finished(&Finished { id: run.id, state, output: None, error: Some(failure) });
                process.notify_queue(&claimed.queue);
            }
            Some((state, Err(failure))) => {
                telemetry::claim_ended(state.as_str(), Some(&failure));
                run.metrics.ended(state, failure.kind, run.clock().since(claimed.started_at));
                run.observed.failed(state, &failure);
                process.notify_finished(&Finished { id: run.id, state, output: None, error: Some(failure) })
            }
            None => process.notify_queue(&claimed.queue),
        }
        Ok(Left::Noted)
    }
}

fn failure_payload(failure: &Failure) -> Payload {
    Payload(journal::failure_text(failure).into())
}
