//! Parkings on record: waits are registered and dropped, and an execution that only waits gives its claim up.

use chrono::{DateTime, Utc};

use super::book::Book;
use super::record::{State, WaitRow};
use crate::model::{RefusedMessage, WaitKind, WaitOutcome};
use crate::store::parks::{Park, ParkOutcome};

impl Book {
    pub(super) fn park(&mut self, park: &Park, now: DateTime<Utc>) -> ParkOutcome {
        let held = self.held(park.worker, park.id, park.epoch);
        let fenced = self.is_fenced(park.worker, park.id, park.epoch);
        if (held || fenced) && self.sending.contains(&park.id) {
            return ParkOutcome::Busy;
        }
        let mut ordinals = std::iter::from_fn(|| {
            self.ordinals += 1;
            Some(self.ordinals)
        });
        let Some(record) = self.records.get_mut(&park.id) else { return ParkOutcome::Lost };
        if !held {
            // The answer to an earlier try was lost.
            let parked = fenced && matches!(record.state, State::Waiting | State::Pending);
            return if parked { ParkOutcome::Parked { wake_at: record.wake_at } } else { ParkOutcome::Lost };
        }
        for RefusedMessage { key, message_id, .. } in &park.refused {
            record.refuse(key, *message_id);
        }
        for key in &park.dropped {
            record.drop_wait(key);
        }
        for (wait, ordinal) in park.waits.iter().zip(&mut ordinals) {
            record.waits.entry(wait.key.clone()).or_insert_with(|| WaitRow::new(wait, ordinal, now));
        }
        self.start_children(park.id, &park.waits, now);
        let Some(record) = self.records.get_mut(&park.id) else { return ParkOutcome::Lost };
        record.deliver(now);
        record.close_events(now);
        record.end_due(now);
        if !park.stays && record.rollback.is_none() {
            self.violations.extend(record.forgotten_messages(park.worker).map(|lost| format!("{} parks, and {lost}", park.id)));
        }
        let open = record.waits.values().filter(|wait| wait.outcome.is_none()).count();
        let due = record.waits.values().filter(|wait| wait.outcome.is_none()).filter_map(|wait| wait.due_at).min();
        if open < park.open {
            let asked = |key: &String| park.watched.is_empty() || park.watched.contains(key);
            let over = record.waits.iter().filter(|(key, wait)| wait.outcome.is_some() && asked(key));
            let waits = over.map(|(key, wait)| wait.recorded(key)).collect();
            return ParkOutcome::Resolved { waits, wake_at: if park.stays { due } else { None } };
        }
        if park.stays {
            return ParkOutcome::Parked { wake_at: due };
        }
        record.state = State::Waiting;
        record.claims = 0;
        record.wake_at = due.into_iter().chain(park.wake_at).chain(record.deadline_at).min();
        ParkOutcome::Parked { wake_at: record.wake_at }
    }
}

/// Whether a message can be kept until a wait asks for it.
pub(super) fn is_kept(kind: WaitKind) -> bool {
    matches!(kind, WaitKind::Event | WaitKind::Input)
}

/// Whether the wait has received a message.
pub(super) fn has_received(outcome: Option<WaitOutcome>) -> bool {
    outcome == Some(WaitOutcome::Received)
}
