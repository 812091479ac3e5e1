//! A message on record.

use uuid::Uuid;

use super::record::Record;
use crate::model::{WaitKind, WaitOutcome};
use crate::plan::graph::CHANGES;

/// A message: an event, an answer, a publication or a change of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: WaitKind,
    pub(crate) name: String,
    /// No two messages have the same.
    pub(crate) number: u64,
    /// Whether the code can read it.
    pub(crate) fits: bool,
    /// What it carries instead of its number, if it changes a graph.
    pub(crate) change: Option<String>,
}

impl Record {
    /// Whether the execution still takes this message, as `send_event.sql` and `send_change.sql` decide.
    pub(super) fn accepts(&self, message: &Message) -> bool {
        let is_refused = match message.kind {
            _ if self.is_over() => true,
            WaitKind::Event if message.name == CHANGES => self.rollback.is_some() || self.has_taken_last_change(),
            WaitKind::Event => self.has_closed(&message.name),
            _ => false,
        };
        !is_refused
    }

    fn has_taken_last_change(&self) -> bool {
        let mut changes = self.waits.values().filter(|wait| wait.kind == WaitKind::Event && wait.name == CHANGES);
        changes.any(|wait| wait.outcome == Some(WaitOutcome::TimedOut))
    }
}

/// The id of the message that arrived in that place.
pub(super) fn id_of(arrival: u64) -> Uuid {
    Uuid::from_u128(arrival.into())
}

pub(super) fn payload_of(message: &Message) -> String {
    match &message.change {
        Some(change) => change.clone(),
        None if message.fits => message.number.to_string(),
        None => format!("\"not number {}\"", message.number),
    }
}
