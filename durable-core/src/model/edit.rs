//! What a person has edited of an execution before it began.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// An input, or an output of a step, that a person gave to a retry or a fork. The value itself is in the execution or in its
/// step; the former one is in the execution that it continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Edit {
    /// The journal key of the step, such as `step charge`; `None` for the input of the execution.
    pub key: Option<String>,
    /// Why.
    pub reason: String,
    /// The person, if known.
    pub edited_by: Option<String>,
    /// When, by the database's clock.
    pub edited_at: DateTime<Utc>,
}
