//! Begins an execution anew that continues as new, under the next epoch of the claim that it has.

use std::sync::Arc;

use super::drive::Drive;
use super::ending::{Ending, Left};
use super::process::Process;
use crate::error::Failure;
use crate::model::Claimed;
use crate::payload::Payload;
use crate::running::hold::Verdict;
use crate::running::run::continuing::Next;
use crate::store::continuations::Continued;
use crate::store::saves::{NextState, Save, Written};
use crate::telemetry;

impl<P: Process> Drive<P> {
    /// Begins the execution anew, and leaves it for the run that follows. Fails with the database's message if that refuses the
    /// input.
    pub(super) async fn continue_as_new(&self, input: Payload) -> Result<Left, Box<Failure>> {
        let Self { process, run, .. } = self;
        let (epoch, is_paused, namespace) = match run.continue_as_new(input.clone()).await {
            Next::Begun { continued: Continued::Accepted { epoch, is_paused }, namespace } => (epoch, is_paused, namespace),
            Next::Begun { continued: Continued::Refused, .. } | Next::Lost => {
                telemetry::claim_ended("lost", None);
                return Ok(Left::Refused);
            }
            Next::Outdated => return Box::pin(self.conclude(Ending::Released)).await,
            Next::Refused(failure) => return Err(failure),
        };
        telemetry::claim_ended("continued", None);
        // The children whose waits were dropped.
        process.settle_family(run, false);
        let next = Claimed {
            epoch,
            namespace,
            input,
            claims: 1,
            continued: true,
            answer_lost: false,
            resolved: None,
            ready_at: None,
            ..self.claimed.clone()
        };
        if !matches!(run.verdict(), Some(Verdict::Continued(_))) {
            // It was ended from outside meanwhile, or this worker was lost.
            return Ok(Left::Refused);
        }
        if is_paused {
            return Ok(self.release(&next).await);
        }
        Ok(Left::Continued(Box::new(next)))
    }

    /// Puts an execution that was paused back into its queue, where it stays.
    async fn release(&self, next: &Claimed) -> Left {
        let Claimed { worker, id, epoch, .. } = *next;
        let state = Some(NextState::Released);
        let save = Save {
            worker,
            id,
            epoch,
            checkpoints: Arc::default(),
            next: state,
            latest: Arc::default(),
            leaves_waits: false,
            again: false,
        };
        match self.process.ledger().save(save).await {
            Ok(Written::Accepted) => Left::Noted,
            _ => Left::Refused,
        }
    }
}
