//! An execution, its steps and their attempts.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::edit::Edit;
use super::message::{KeptMessage, Refusal};
use super::value::ExecutionValue;
use super::wait::{ParentPolicy, Wait};
use crate::error::{Error, ErrorKind, Failure};
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::payload::{Json, Payload};

/// Longest time to live: a hundred years. `start.sql` has the same limit.
const LONGEST_TIME_TO_LIVE: Duration = Duration::from_secs(36_525 * 86_400);

/// The state of an execution, as people are shown it: in lists, by `durable execution get` and in the SQL view
/// `shown_executions`. An execution is shown in one state.
///
/// The column `state` holds eight of these words, and the view derives the other four: [`Paused`](Self::Paused),
/// [`Stopped`](Self::Stopped), [`Expired`](Self::Expired) and [`Compensating`](Self::Compensating).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutionState {
    /// In its queue, or scheduled to enter it. A worker claims it when it has a slot free; there is nothing to do.
    Pending,
    /// Held by a worker.
    Running,
    /// Parked: it waits for a time, an event, an input, a child or a retry, and holds nothing. If it waits for people, send the
    /// event or give the input.
    Waiting,
    /// Paused by request. It begins nothing new; a step that was running may still end. Resume it, and it goes on.
    Paused,
    /// Stopped: its code does not fit its journal, or no end of it could be recorded. `error` says why. Deploy code that fits,
    /// then resume it; or cancel it.
    Stopped,
    /// Ended with an output.
    Completed,
    /// Ended with an error. Retry it when the cause is gone.
    Failed,
    /// Ended by request. A retry continues it.
    Cancelled,
    /// Ended because no worker had begun it by the end of its time to live. A retry begins it.
    Expired,
    /// Undoing its completed steps: it failed or was rolled back, and `rollback` says why. Wait for the end of its compensations.
    Compensating,
    /// Ended with its completed steps undone.
    Compensated,
    /// Ended; at least one step could not be undone. Undo the rest by hand.
    CompensationFailed,
    /// A word in the database that this program does not know, written by a later release or by a person. The engine never sets
    /// it.
    Unknown,
}

impl ExecutionState {
    /// Every known state: first those of executions that have not ended, then the ends, then compensation.
    pub const ALL: [Self; 12] = [
        Self::Pending,
        Self::Running,
        Self::Waiting,
        Self::Paused,
        Self::Stopped,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
        Self::Compensating,
        Self::Compensated,
        Self::CompensationFailed,
    ];

    /// The word used in SQL, JSON and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Compensating => "compensating",
            Self::Compensated => "compensated",
            Self::CompensationFailed => "compensation_failed",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the execution has ended; such a state is final.
    pub fn is_finished(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Cancelled | Self::Expired | Self::Compensated | Self::CompensationFailed
        )
    }

    /// Whether the column `state` holds this word. The SQL `CHECK` named `state_is_known` lists the same words.
    pub fn is_stored(self) -> bool {
        !matches!(self, Self::Paused | Self::Stopped | Self::Expired | Self::Compensating | Self::Unknown)
    }

    /// Whether the column `state` of an execution may go from this word to `next`. This is the only table of moves; the
    /// integration tests have the database refuse every other move.
    pub fn can_become(self, next: Self) -> bool {
        match self {
            Self::Pending => matches!(next, Self::Running | Self::Cancelled),
            Self::Running => next != Self::Running && next.is_stored(),
            Self::Waiting => matches!(next, Self::Pending | Self::Cancelled),
            _ => false,
        }
    }
}

impl fmt::Display for ExecutionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ExecutionState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::of_kind(ErrorKind::Invalid, format!("`{text}` is no execution state; the states are {known}"))
        })
    }
}

/// An execution, without its journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Execution {
    /// Its id.
    pub id: ExecutionId,
    /// The name of its workflow.
    pub workflow: String,
    /// The version of its workflow.
    pub version: u32,
    /// The queue it is claimed from.
    pub queue: String,
    /// Higher is claimed first; what waits gains a level a minute.
    pub priority: i16,
    /// The key it was started with, if any.
    pub key: Option<String>,
    /// The key by which executions of its workflow are limited and take turns, if any.
    pub concurrency_key: Option<String>,
    /// The key of which its workflow has one execution at a time that has not ended, if it was started with one.
    pub deduplication_key: Option<String>,
    /// The key under which further starts replace it until it begins, if it was started with one.
    pub debounce_key: Option<String>,
    /// Its state.
    pub state: ExecutionState,
    /// How often a worker has claimed it.
    pub epoch: u32,
    /// Its input, as JSON.
    pub input: Json,
    /// Its output, as JSON, once completed.
    pub output: Option<Json>,
    /// Why it failed, was cancelled, or was stopped.
    pub error: Option<Failure>,
    /// Why its completed steps are or were undone.
    pub rollback: Option<Failure>,
    /// When it was started by a client.
    pub created_at: DateTime<Utc>,
    /// When a worker first claimed it.
    pub started_at: Option<DateTime<Utc>>,
    /// When it will be woken at the latest, if it waits for a time.
    pub wake_at: Option<DateTime<Utc>>,
    /// Until when it should have begun: if it has not, it expires. `None` once it has begun, and without a time to live.
    pub expires_at: Option<DateTime<Utc>>,
    /// When its timeout strikes, if it has one and has been started.
    pub deadline_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The execution that started it, where one did.
    pub parent: Option<Parent>,
    /// The execution whose steps it undoes, where it was started for that.
    pub undoes: Option<ExecutionId>,
    /// The schedule that started it, where one did.
    pub schedule: Option<String>,
    /// The due time of the schedule that it was started for; for one that was triggered by hand, the time of that.
    pub scheduled_for: Option<DateTime<Utc>>,
    /// The execution whose journal it took over when it began.
    pub forked_from: Option<ExecutionId>,
    /// Since when it is to go no further; `None` unless it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// How often it has continued as new.
    #[serde(default)]
    pub continuations: u32,
    /// The input that it last continued with, as JSON; `None` if it never has. `input` is what it was started with.
    #[serde(default)]
    pub continued_with: Option<Json>,
    /// Its tags: values by name.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Since when it is archived, which hides it from lists; `None` if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<DateTime<Utc>>,
    /// Columns of its row that could not be read, and why; these fields are empty here. `None` if all could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// The error of a call about an execution that does not exist.
pub(crate) fn not_found(id: ExecutionId) -> Error {
    Error::of_kind(ErrorKind::NotFound, format!("there is no execution {id}; check the id and the schema"))
}

/// The time to live, if it is one that can be kept.
pub(crate) fn checked_time_to_live(time: Duration) -> Result<Duration, Error> {
    if time.is_zero() || time > LONGEST_TIME_TO_LIVE {
        let message = format!("a time to live is above zero and at most a hundred years, not {time:?}");
        return Err(Error::of_kind(ErrorKind::Invalid, message));
    }
    Ok(time)
}

/// The execution that started another.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Parent {
    /// Its id.
    pub id: ExecutionId,
    /// The journal key of the call, in the parent's journal.
    pub key: String,
    /// What the end of the parent does to the execution.
    pub policy: ParentPolicy,
    /// When the parent was notified of the execution's end; `None` before that, and if the parent does not wait for the
    /// execution.
    pub notified_at: Option<DateTime<Utc>>,
}

/// An execution with everything its journal says.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExecutionDetails {
    /// The execution.
    pub execution: Execution,
    /// Its steps, in the order in which they ended; those under way last.
    pub steps: Vec<Step>,
    /// Its waits, in the order in which they began.
    pub waits: Vec<Wait>,
    /// The executions it started, in that order.
    pub children: Vec<Child>,
    /// What was done to undo its steps, in that order.
    pub compensations: Vec<Compensation>,
    /// The values that it has set with `cx.set`, in the order of their names.
    #[serde(default)]
    pub values: Vec<ExecutionValue>,
    /// What a person has edited of it before it began; see [`Fork`](crate::client::Fork).
    #[serde(default)]
    pub edits: Vec<Edit>,
    /// Messages that nothing has waited for, in the order of their arrival; at most 100.
    pub mailbox: Vec<KeptMessage>,
    /// The newest 20 messages that its waits could not use, the oldest first.
    pub refusals: Vec<Refusal>,
    /// Rows of its journal that could not be read, and why; they are left out here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<String>,
}

/// An execution that another one started.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Child {
    /// Its id.
    pub id: ExecutionId,
    /// The name of its workflow.
    pub workflow: String,
    /// The journal key of the call, in the parent's journal.
    pub key: String,
    /// What the end of the parent does to the child.
    pub policy: ParentPolicy,
    /// When the parent was notified of the child's end; `None` before that, and if the parent does not wait for the child.
    pub notified_at: Option<DateTime<Utc>>,
    /// Its state.
    pub state: ExecutionState,
}

/// The undoing of one step.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Compensation {
    /// The journal key of the step that is undone.
    pub step: String,
    /// What it was given: the step's recorded output, as JSON; `None` for a step that had failed.
    pub input: Option<Json>,
    /// Its output, as JSON, once it succeeded.
    pub output: Option<Json>,
    /// Why it failed, once no attempt is left.
    pub error: Option<Failure>,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
}

/// A step of an execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Step {
    /// Its journal key: kind, name and occurrence, such as `step charge#2`.
    pub key: String,
    /// Its output, as JSON, once it succeeded.
    pub output: Option<Json>,
    /// Why it failed, once no attempt is left.
    pub error: Option<Failure>,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
}

impl Step {
    /// Whether it has succeeded, or failed for good.
    pub fn is_over(&self) -> bool {
        self.output.is_some() || self.error.is_some()
    }

    /// Whether an attempt is under way.
    pub fn is_running(&self) -> bool {
        !self.is_over() && self.attempts.last().is_some_and(|last| last.outcome == AttemptOutcome::Running)
    }
}

/// One attempt at a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// 1 for the first.
    pub number: u32,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// When its body was called.
    pub started_at: DateTime<Utc>,
    /// When its body returned, or was found lost.
    pub finished_at: Option<DateTime<Utc>>,
    /// Why it failed.
    pub error: Option<Failure>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// It has not ended, or its worker was lost before it did.
    Running,
    /// It returned a value.
    Completed,
    /// It returned an error, panicked, timed out, or its worker was lost.
    Failed,
}

/// An execution as a worker gets it from a claim.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    /// The worker that claimed it: the epoch counts only for this worker.
    pub(crate) worker: WorkerId,
    pub(crate) id: ExecutionId,
    pub(crate) epoch: Epoch,
    pub(crate) workflow: String,
    pub(crate) version: u32,
    pub(crate) queue: String,
    pub(crate) claims: i16,
    /// Whether it has begun anew under this claim: it was not claimed, but continues as new.
    pub(crate) continued: bool,
    /// Whether it takes the place of the claim before, whose answer was lost: that one has begun nothing.
    pub(crate) answer_lost: bool,
    pub(crate) deadline_at: Option<DateTime<Utc>>,
    pub(crate) input: Payload,
    /// Waits that ended since the execution last rested.
    pub(crate) resolved: Option<Vec<super::RecordedWait>>,
    /// Why it is being rolled back, if it is.
    pub(crate) rollback: Option<Failure>,
    /// The completed execution whose steps it undoes.
    pub(crate) undoes: Option<ExecutionId>,
    /// Whether a parent waits for its end.
    pub(crate) awaited: bool,
    /// Whether a limit counts it, so that its end makes room for another.
    pub(crate) limited: bool,
    /// The due time that a schedule started it for.
    pub(crate) scheduled_for: Option<DateTime<Utc>>,
    /// The execution whose UUIDs and idempotency keys it has: itself, or the first of those it was forked from. After it has
    /// continued as new, a UUID that no execution has.
    pub(crate) namespace: ExecutionId,
    /// The step that it runs for another execution, if it runs no workflow.
    pub(crate) step: Option<ClaimedStep>,
    /// Where its starter stood in its trace, or that of the execution that it goes on from.
    pub(crate) trace_context: Option<String>,
    /// When it was claimed for the first time.
    pub(crate) started_at: Option<DateTime<Utc>>,
    /// Since when it could have been claimed, where it never was before.
    pub(crate) ready_at: Option<DateTime<Utc>>,
}

/// A step that an execution runs for another execution, which has sent the step to its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClaimedStep {
    /// The step's journal key: the step has the same key in both executions, and so the same idempotency keys.
    pub(crate) key: String,
    /// The execution to which the step belongs.
    pub(crate) owner_id: ExecutionId,
    /// The [namespace](Claimed::namespace) of that execution.
    pub(crate) owner_namespace: ExecutionId,
}

impl Claimed {
    /// Whether no worker has begun it before. An execution that continues another one begins at a later epoch.
    pub(crate) fn is_first(&self) -> bool {
        let epoch = if self.answer_lost { self.epoch.before() } else { self.epoch };
        !self.continued && (epoch == Epoch::FIRST || (self.namespace != self.id && epoch.follows(Epoch::FIRST)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_state_is_final_and_every_other_can_be_left() {
        for state in ExecutionState::ALL.into_iter().filter(|state| state.is_stored()) {
            let leaves = ExecutionState::ALL.into_iter().any(|next| state.can_become(next));
            assert_eq!(leaves, !state.is_finished(), "{state}");
        }
    }

    #[test]
    fn no_move_leads_to_a_word_that_the_column_does_not_hold() {
        for (state, next) in ExecutionState::ALL.into_iter().flat_map(|state| ExecutionState::ALL.map(|next| (state, next))) {
            assert!(!state.can_become(next) || state.is_stored() && next.is_stored(), "{state} → {next}");
        }
    }

    #[test]
    fn every_state_reads_back_from_its_word() {
        for state in ExecutionState::ALL {
            assert_eq!(state.as_str().parse::<ExecutionState>().unwrap(), state);
        }
        assert!("done".parse::<ExecutionState>().unwrap_err().to_string().contains("completed"));
    }
}
