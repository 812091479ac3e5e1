//! The arguments of an observer's methods: a small struct for each.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use tokio::sync::oneshot;

use super::{Consent, Observer};
use crate::error::Failure;
use crate::ids::ExecutionId;
use crate::model::{ExecutionState, FiringOutcome, WaitKind};
use crate::plan::journal_key;

/// The execution that something happened to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ObservedExecution {
    /// Its id.
    #[serde(rename = "execution_id")]
    pub id: ExecutionId,
    /// The name of its workflow.
    pub workflow: String,
    /// The version of its workflow.
    pub version: u32,
}

/// Whether an execution runs its steps or rolls them back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// It runs its steps.
    Forward,
    /// It rolls back: the step is a compensation.
    Rollback,
}

impl Direction {
    /// The direction of what is journalled under that key.
    pub(super) fn of(key: &str) -> Self {
        if key.starts_with(journal_key::UNDO) { Self::Rollback } else { Self::Forward }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forward => "forward",
            Self::Rollback => "rollback",
        })
    }
}

/// An execution was claimed for the first time.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ExecutionStarted {
    /// The execution.
    #[serde(flatten)]
    pub execution: ObservedExecution,
}

/// An attempt at a step is about to begin.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct StepBegins {
    /// The execution.
    #[serde(flatten)]
    pub execution: ObservedExecution,
    /// The step's journal key, such as `step charge#2`.
    pub key: String,
    /// 1 for the first.
    pub attempt: u32,
    /// Whether it does or undoes something.
    pub direction: Direction,
}

/// An attempt at a step has ended.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct StepEnded {
    /// The execution.
    #[serde(flatten)]
    pub execution: ObservedExecution,
    /// The step's journal key, such as `step charge#2`.
    pub key: String,
    /// 1 for the first.
    pub attempt: u32,
    /// Whether it does or undoes something.
    pub direction: Direction,
    /// How long it took; seconds in JSON.
    #[serde(serialize_with = "in_seconds")]
    pub took: Duration,
    /// Why it failed, if it did.
    pub error: Option<Failure>,
    /// When it is tried again, if it failed and is.
    pub retry_at: Option<DateTime<Utc>>,
}

/// A step has its outcome, and that is committed.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct StepRecorded {
    /// The execution.
    #[serde(flatten)]
    pub execution: ObservedExecution,
    /// The step's journal key, such as `step charge#2`.
    pub key: String,
    /// The attempt that ended it.
    pub attempt: u32,
    /// Whether it does or undoes something.
    pub direction: Direction,
    /// Why it failed, if it did.
    pub error: Option<Failure>,
}

/// A schedule was due.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ScheduleFired {
    /// The schedule.
    pub schedule: String,
    /// The time at which it was due.
    pub due_at: DateTime<Utc>,
    /// What came of it.
    pub outcome: FiringOutcome,
    /// The execution that it started, if it did.
    pub execution_id: Option<ExecutionId>,
}

/// A person's answer was given.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct InputAnswered {
    /// The execution that asks, or will ask.
    pub execution_id: ExecutionId,
    /// The name of the input.
    pub name: String,
    /// Who answered, where that was said.
    pub answered_by: Option<String>,
}

/// An execution begins to wait.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct WaitBegan {
    /// The execution.
    #[serde(flatten)]
    pub execution: ObservedExecution,
    /// The wait's journal key, such as `event payment_confirmed`.
    pub key: String,
    /// What it is for.
    pub kind: WaitKind,
    /// The names of what it waits for, any of which ends the wait; none for a sleep.
    pub names: Vec<String>,
    /// When it ends by itself, if ever.
    pub due_at: Option<DateTime<Utc>>,
}

/// An execution begins to undo what it did.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct RollbackBegan {
    /// The execution.
    #[serde(flatten)]
    pub execution: ObservedExecution,
    /// Why.
    pub reason: Failure,
}

/// An execution has completed.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ExecutionCompleted {
    /// The execution.
    #[serde(flatten)]
    pub execution: ObservedExecution,
}

/// An execution has ended in another way than by completing.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ExecutionFailed {
    /// The execution.
    #[serde(flatten)]
    pub execution: ObservedExecution,
    /// The state it ended in, as people are shown it.
    pub state: ExecutionState,
    /// Why.
    pub error: Failure,
}

/// A call to come of one observer.
#[derive(Debug)]
pub(super) enum News {
    Started(ExecutionStarted),
    /// With the way back for its consent, where that is asked for.
    StepBegins(StepBegins, Option<oneshot::Sender<Consent>>),
    StepEnded(StepEnded),
    StepRecorded(StepRecorded),
    WaitBegan(WaitBegan),
    RollbackBegan(RollbackBegan),
    Completed(ExecutionCompleted),
    Failed(ExecutionFailed),
    Fired(ScheduleFired),
    Answered(InputAnswered),
}

/// What became of the observer's answer, if it was asked for any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reception {
    Heard,
    /// It refused what cannot be refused, or what has begun already.
    RefusedInVain,
}

impl News {
    /// Calls the observer.
    pub(super) fn tell(self, observer: &dyn Observer) -> Reception {
        match self {
            Self::Started(execution) => observer.on_start(&execution),
            Self::StepBegins(step, reply) => {
                let consent = observer.before_step(&step);
                let unread = match reply {
                    Some(reply) => reply.send(consent).err(),
                    None => Some(consent),
                };
                if let Some(Consent::Refuse(_)) = unread {
                    return Reception::RefusedInVain;
                }
            }
            Self::StepEnded(step) => observer.after_step(&step),
            Self::StepRecorded(checkpoint) => observer.on_checkpoint(&checkpoint),
            Self::WaitBegan(wait) => observer.on_wait(&wait),
            Self::RollbackBegan(rollback) => observer.on_rollback(&rollback),
            Self::Completed(execution) => observer.on_complete(&execution),
            Self::Failed(execution) => observer.on_failure(&execution),
            Self::Fired(firing) => observer.on_firing(&firing),
            Self::Answered(answer) => observer.on_answer(&answer),
        }
        Reception::Heard
    }
}

fn in_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
