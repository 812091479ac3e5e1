//! What an attempt at a step logged.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::payload::Json;

/// What one attempt at a step logged through `tracing`; see [`Durable::step_logs`](crate::client::Durable::step_logs).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepLog {
    /// The journal key of the step.
    pub key: String,
    /// The number of the attempt. An attempt that a crash interrupted may have the number of the one that repeats it.
    pub attempt: u32,
    /// Its lines, the oldest first.
    pub lines: Vec<LogLine>,
    /// How many further lines were left out, because the attempt had logged 1 000 lines or 64 KiB.
    pub left_out: u32,
}

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LogLine {
    /// When it was logged, by the database's clock.
    pub at: DateTime<Utc>,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// Where it was logged: the path of the module, unless the event says otherwise.
    pub target: String,
    /// The message.
    pub message: String,
    /// The other fields of the event, as a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Json>,
    /// Whether a part is missing, because the message or a field had more than 8 KiB.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}
