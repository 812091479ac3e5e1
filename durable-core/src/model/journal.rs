//! What an execution's journal holds of its steps.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::tag::NewTag;
use super::value::NewValue;
use super::wait::RecordedWait;
use crate::error::Failure;
use crate::ids::ExecutionId;
use crate::payload::Payload;

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Output(Payload),
    Error(Box<Failure>),
}

/// The committed outcome of a step.
#[derive(Debug, Clone)]
pub(crate) struct Checkpoint {
    pub(crate) key: String,
    /// Digest of the step's arguments, where they can be serialised.
    pub(crate) digest: Option<u64>,
    pub(crate) attempt: u32,
    pub(crate) took: Duration,
    pub(crate) outcome: Outcome,
    /// The place among the steps that a rollback undoes; `None` for a step that leaves nothing to undo.
    pub(crate) undo_order: Option<i32>,
    /// The values that the call sets, written together with the checkpoint; none in a checkpoint that was loaded. A flow sets at most
    /// one, and a graph every node that is different because of the call.
    pub(crate) sets: Vec<NewValue>,
    /// The tag that the call sets, in the same way.
    pub(crate) tag: Option<Box<NewTag>>,
}

/// Which branch decided over the others: the winner of a race, or the first to fail.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Decision {
    pub(crate) branch: usize,
    /// The waits of the others that stood open, or whose messages were not used: those go back into the mailbox.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unfinished: Vec<String>,
}

/// A step or child that was completed, or may have left something behind, and can be undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undoable {
    pub(crate) key: String,
    /// What it returned; `None` where it failed or was cut off.
    pub(crate) output: Option<Payload>,
}

impl Undoable {
    pub(crate) fn of(checkpoint: &Checkpoint) -> Self {
        let output = if let Outcome::Output(output) = &checkpoint.outcome { Some(output.clone()) } else { None };
        Self { key: checkpoint.key.clone(), output }
    }
}

impl Checkpoint {
    /// A first attempt that took no time.
    pub(crate) fn of(key: String, outcome: Outcome) -> Self {
        Self { key, digest: None, attempt: 1, took: Duration::ZERO, outcome, undo_order: None, sets: Vec::new(), tag: None }
    }
}

/// An attempt that did not end its step: still under way when last seen, or failed and to be retried.
#[derive(Debug, Clone)]
pub(crate) struct FailedAttempt {
    pub(crate) execution_id: ExecutionId,
    pub(crate) key: String,
    pub(crate) attempt: u32,
    pub(crate) took: Duration,
    /// `None` while it is under way.
    pub(crate) failure: Option<Box<Failure>>,
    /// When the next attempt may start.
    pub(crate) retry_at: Option<DateTime<Utc>>,
}

impl JournalRecords {
    /// Whether the journal has nothing that a rollback could undo.
    pub(crate) fn leaves_nothing(&self) -> bool {
        let children = self.waits.iter().any(|wait| wait.child_id.is_some());
        !children && self.attempts.is_empty() && self.checkpoints.iter().all(|checkpoint| checkpoint.undo_order.is_none())
    }
}

/// Everything recorded of one execution, as loaded at a resume.
#[derive(Debug, Default)]
pub(crate) struct JournalRecords {
    pub(crate) checkpoints: Vec<Checkpoint>,
    pub(crate) attempts: Vec<FailedAttempt>,
    pub(crate) waits: Vec<RecordedWait>,
    /// When the last of it was recorded.
    pub(crate) newest: Option<DateTime<Utc>>,
}
