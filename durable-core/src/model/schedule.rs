//! A schedule, its policies, and the times at which it fired.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ExecutionState;
use crate::error::Failure;
use crate::ids::ExecutionId;
use crate::payload::Json;

/// A schedule: a workflow that is started again and again, and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// The name of the workflow that it starts.
    pub workflow: String,
    /// The version of that workflow.
    pub version: u32,
    /// The queue that it starts executions in.
    pub queue: String,
    /// The priority of those executions; higher is claimed first.
    pub priority: i16,
    /// Their input, as JSON.
    pub input: Json,
    /// The concurrency key of its executions.
    pub concurrency_key: Option<String>,
    /// How long its executions may wait to begin before they expire; `None` means without end.
    pub time_to_live: Option<Duration>,
    /// The tags of its executions: values by name.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// When it fires: a cron expression, or an interval such as `every 15m`.
    pub rule: String,
    /// The rule in words.
    pub description: String,
    /// The time zone of the rule, by its name.
    pub timezone: String,
    /// Before this time it does not fire.
    pub starts_at: Option<DateTime<Utc>>,
    /// After this time it does not fire.
    pub ends_at: Option<DateTime<Utc>>,
    /// How far, at most, a start is put off, so that schedules of one time do not all start at once.
    pub jitter: Duration,
    /// What becomes of due times at which no worker was there.
    pub missed: Missed,
    /// What becomes of a due time at which an earlier execution has not ended.
    pub overlap: Overlap,
    /// After how many failures in a row it is disabled; `None` means never.
    pub max_failures: Option<u32>,
    /// Whether the code declares it, in `#[workflow(schedule = "…")]`.
    pub declared: bool,
    /// How often its definition was changed; 1 for a new one.
    pub revision: u32,
    /// Whether it fires.
    pub enabled: bool,
    /// Why it does not.
    pub disabled_reason: Option<String>,
    /// How many of its executions have failed since the last completed one. Counted when the schedule is due.
    pub failures: u32,
    /// The error of the last failed execution.
    pub last_error: Option<Failure>,
    /// When it fires next; `None` when it has ended.
    pub next_due_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its definition was last changed.
    pub updated_at: DateTime<Utc>,
    /// Columns of its row that could not be read, and why; these fields are empty here. `None` if all could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// What happens to due times at which no worker ran. A due time counts as missed when it is more than ten seconds
/// past; of those missed, at most the last 1000 are made up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// They are left out.
    Skip,
    /// The last of them is made up for, unless one is due just now. The default.
    #[default]
    One,
    /// All of them are made up for.
    All,
    /// Those are made up for that are no longer past than this.
    Window(Duration),
}

/// What becomes of a due time at which an execution of an earlier one has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// They run beside each other. The default.
    #[default]
    Allow,
    /// The due time is left out.
    Skip,
    /// It starts when those before it have ended, at most 1000 of them; beyond these it is left out.
    Queue,
    /// The earlier execution is cancelled. Its steps are not undone. An execution that is being rolled back continues.
    Cancel,
}

/// A time at which a schedule fired. There is one for each schedule name and due time, however many workers tried.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Firing {
    /// The due time, or the time at which the schedule was triggered.
    pub due_at: DateTime<Utc>,
    /// When it fired.
    pub fired_at: DateTime<Utc>,
    /// Why it fired.
    pub cause: FiringCause,
    /// What came of it.
    pub outcome: FiringOutcome,
    /// The execution that it started, if it did.
    pub execution_id: Option<ExecutionId>,
    /// The state of that execution, while that is kept.
    pub state: Option<ExecutionState>,
    /// Columns of its row that could not be read, and why; these fields are empty here. `None` if all could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// Why a schedule fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FiringCause {
    /// It was due.
    Due,
    /// It was triggered by hand.
    Trigger,
    /// A range of due times was filled in by hand.
    Backfill,
}

/// What came of a due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FiringOutcome {
    /// It started an execution.
    Started,
    /// It starts one when those before it have ended.
    Queued,
    /// It was left out, by the overlap policy.
    Skipped,
}
