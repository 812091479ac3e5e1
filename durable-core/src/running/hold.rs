//! Under which claim this process holds an execution, whose steps it runs, and how it may end.

use crate::error::Failure;
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::Claimed;
use crate::payload::Payload;

/// Under which worker and epoch this process holds the execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) worker: WorkerId,
    pub(crate) epoch: Epoch,
}

impl Hold {
    pub(crate) fn by(claimed: &Claimed) -> Self {
        Self { worker: claimed.worker, epoch: claimed.epoch }
    }

    /// Whether no other worker can have held the execution between this claim and that one.
    pub(crate) fn is_followed_by(self, claimed: &Claimed) -> bool {
        claimed.worker == self.worker && claimed.epoch.follows(self.epoch)
    }
}

/// The execution that steps belong to: the one that runs them, or the one that sent a step there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) execution_id: ExecutionId,
    /// See [`Claimed::namespace`].
    pub(crate) namespace: ExecutionId,
}

impl Owner {
    pub(crate) fn of(claimed: &Claimed) -> Self {
        match &claimed.step {
            Some(step) => Self { execution_id: step.owner_id, namespace: step.owner_namespace },
            None => Self { execution_id: claimed.id, namespace: claimed.namespace },
        }
    }
}

/// Why a run ends before its workflow does. Never an error that workflow code could swallow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The code does not fit its journal; with the report.
    Diverged(String),
    /// This worker no longer holds the execution.
    Lost,
    /// The worker shuts down; the execution goes back to its queue.
    Released,
    /// It must not go on, and fails.
    Refused(Box<Failure>),
    /// It begins anew with this input.
    Continued(Payload),
}
