//! What a doctor found.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that is wrong with a database, or with what works on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at.
    pub about: Subject,
    /// What is wrong, in a sentence.
    pub problem: String,
    /// The command, the SQL or the change that repairs it.
    pub repair: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It costs time or room.
    Warning,
    /// Executions do not continue.
    Error,
}

/// What a doctor looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Subject {
    /// Whether the server writes, or only follows another.
    Server,
    /// The version of the schema, and its functions.
    Schema,
    /// Indexes that were not built to the end.
    Indexes,
    /// Whether notifications arrive.
    Notifications,
    /// Whether a pooler lends server processes by transaction.
    Pooler,
    /// The clocks of this machine and of the database.
    Clock,
    /// Dead rows.
    Bloat,
    /// Transactions that vacuum cannot pass.
    Snapshots,
    /// Queues that no live worker claims from.
    Queues,
    /// Workflows, and versions of them, that no live worker on the queue knows.
    Workflows,
    /// Executions that a lost worker holds.
    Workers,
    /// Executions that do not continue by themselves.
    Executions,
    /// Messages that nothing has waited for.
    Mailboxes,
    /// Timers that were due and were not taken.
    Timers,
    /// Tasks of the engine that panicked.
    Tasks,
    /// Rows that cannot be read.
    Rows,
}

impl Severity {
    /// The word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Subject {
    /// The word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Schema => "schema",
            Self::Indexes => "indexes",
            Self::Notifications => "notifications",
            Self::Pooler => "pooler",
            Self::Clock => "clock",
            Self::Bloat => "bloat",
            Self::Snapshots => "snapshots",
            Self::Queues => "queues",
            Self::Workflows => "workflows",
            Self::Workers => "workers",
            Self::Executions => "executions",
            Self::Mailboxes => "mailboxes",
            Self::Timers => "timers",
            Self::Tasks => "tasks",
            Self::Rows => "rows",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, about, problem, repair } = self;
        write!(f, "{} ({}): {problem}; {repair}", severity.as_str(), about.as_str())
    }
}
