//! A worker, as the table of workers describes it.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::ids::{ExecutionId, WorkerId};

/// A worker: a process that runs executions, under one id. See [`Durable::workers`](crate::client::Durable::workers).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WorkerDetails {
    /// The worker's id. A process that lost its lease continues under a new id.
    pub id: WorkerId,
    /// Whether it claims executions.
    pub state: WorkerState,
    /// The host it runs on, from `HOSTNAME` or `/etc/hostname`.
    pub host: String,
    /// Its process id there.
    pub process_id: i32,
    /// What the application gave as its [`version`](crate::client::Builder::version).
    pub version: Option<String>,
    /// The queues it works on, and how full they were at its last heartbeat.
    pub queues: Vec<QueueSlots>,
    /// The workflows that it can run, as in `process_order@1`, sorted; `None` for a worker of an earlier release, which does not list them.
    pub workflows: Option<Vec<String>>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Until when it counts as alive; each heartbeat moves it on.
    pub lease_until: DateTime<Utc>,
    /// Since when the runtime of its process has not answered, if that is longer than a lease: no execution continues there.
    pub unresponsive_since: Option<DateTime<Utc>>,
    /// Executions whose code has not returned to the runtime for a lease. They can be neither cancelled nor timed out.
    pub stuck_executions: Vec<ExecutionId>,
    /// Columns of its row that could not be read, and why; these fields are empty here. `None` if all could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

impl WorkerDetails {
    /// Whether it can run this version of a workflow; `None` if it does not list its workflows.
    pub fn knows(&self, workflow: &str, version: u32) -> Option<bool> {
        let label = format!("{workflow}@{version}");
        self.workflows.as_ref().map(|known| known.contains(&label))
    }
}

/// How full one queue of a worker is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QueueSlots {
    /// The queue.
    pub queue: String,
    /// How many of its executions the worker runs at once.
    pub slots: u32,
    /// How many it did run at its last heartbeat.
    pub in_use: u32,
}

/// Whether a worker claims executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WorkerState {
    /// It claims and runs executions.
    Active,
    /// It claims nothing more, and runs what it has.
    Deprecated,
    /// Its lease is over, or it has shut down; it stays in the list until others have taken over what it held.
    Lost,
}

impl WorkerState {
    /// The word used in JSON and by the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deprecated => "deprecated",
            Self::Lost => "lost",
        }
    }
}
