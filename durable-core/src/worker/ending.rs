//! How a claim of an execution ends: in its code, and for the worker that held it.

use super::flow::Flow;
use crate::error::{ErrorKind, Failure, Result};
use crate::model::{Claimed, ExecutionState};
use crate::payload::Payload;
use crate::plan::divergence;
use crate::running::run::Run;

/// How a stretch of driving ended.
pub(super) enum Ending {
    Completed(Payload),
    Failed(Box<Failure>),
    /// The rollback is over, with how and why.
    RolledBack(ExecutionState, Box<Failure>),
    /// A person or a deployment has to help; with the report.
    Stopped(String),
    Released,
    /// Another worker holds the execution, or no worker does: nothing is to be written.
    Lost,
    /// It begins anew with this input.
    Continued(Payload),
    /// It waits. The worker that claims it next continues it.
    Parked(Flow),
}

/// How an execution was left.
pub(crate) enum Left {
    /// It rests, with its code.
    Parked(Flow),
    /// The database has recorded the end of the claim.
    Noted,
    /// It has begun anew, and is held under this claim.
    Continued(Box<Claimed>),
    /// A write was refused: either another worker holds the execution, or this one still does in the database.
    Refused,
}

impl Ending {
    /// The compensations have ended, with this result.
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

    /// The workflow returned. It has completed if it asked for everything in its journal.
    pub(super) fn returned(run: &Run, output: Payload) -> Self {
        let unasked = run.unasked();
        if unasked.is_empty() {
            Self::Completed(output)
        } else {
            Self::Stopped(divergence::unasked(&run.id.to_string(), &unasked))
        }
    }

    /// The workflow continues as new, if it asked for everything in its journal.
    pub(super) fn continued(run: &Run, input: Payload) -> Self {
        match Self::returned(run, input) {
            Self::Completed(input) => Self::Continued(input),
            stopped => stopped,
        }
    }

    /// The execution took longer than its workflow allows.
    pub(super) fn overtime() -> Self {
        Self::Failed(Box::new(Failure::new(ErrorKind::TimedOut, "the execution took longer than its workflow's timeout")))
    }
}
