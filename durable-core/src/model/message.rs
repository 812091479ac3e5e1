//! Messages: their delivery, messages that no wait has taken, and messages that a wait could not use.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::WaitKind;
use crate::payload::Json;

/// Most messages of a mailbox that are shown.
pub(crate) const MOST_MESSAGES: u8 = 100;

/// The outcome of sending an event or an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Delivery {
    /// An open wait got it.
    Delivered,
    /// No open wait has that name: it is in the mailbox, for a wait that begins later.
    Kept {
        /// The names that the execution waits for now: of events for an event, of inputs for an answer. At most 100.
        open: Vec<String>,
    },
    /// It is a value for an input of a graph, which applies it after the changes that came before it.
    Accepted,
    /// An earlier try delivered it, but the acknowledgement was lost.
    Repeated,
}

impl Delivery {
    /// Whether no wait has got it yet.
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Kept { .. })
    }
}

/// A message in the mailbox of an execution: nothing has waited for it yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct KeptMessage {
    /// An event, or the answer to an input.
    pub kind: WaitKind,
    /// Its name.
    pub name: String,
    /// What it carries.
    pub payload: Json,
    /// Who answered, if the sender said so.
    pub sent_by: Option<String>,
    /// When it came.
    pub sent_at: DateTime<Utc>,
}

/// A message that a wait could not use; the wait went on without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Refusal {
    /// The journal key of the wait.
    pub key: String,
    /// What it waits for.
    pub kind: WaitKind,
    /// The name of the message.
    pub name: String,
    /// What was wrong with it.
    pub reason: String,
    /// What it carried.
    pub payload: Option<Json>,
    /// Who sent it, if the sender said so.
    pub sent_by: Option<String>,
    /// When it was refused.
    pub refused_at: DateTime<Utc>,
}
