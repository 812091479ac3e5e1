//! How a wait goes on after a message that the code cannot use.

use std::task::Waker;

use super::{OpenWait, Run};
use crate::model::{RecordedWait, RefusedMessage};
use crate::plan::journal_key;

/// Longest recorded reason, in bytes: an error may quote the whole message.
const LONGEST_REASON: usize = 1000;

impl Run {
    /// Reopens a wait if the code cannot use its message. The next parking reopens it in the database and records the reason.
    pub(crate) fn refuse_message(&self, scope: &str, over: &RecordedWait, reason: &str) {
        // Postgres holds no NUL.
        let reason = reason[..reason.floor_char_boundary(LONGEST_REASON)].replace('\0', "\u{fffd}");
        tracing::warn!(
            execution_id = %self.id,
            wait = over.key,
            answered_by = over.answered_by,
            reason,
            "a message was refused, and the wait goes on"
        );
        let mut state = self.state();
        if let Some(given) = state.unused.get_mut(scope) {
            given.retain(|key| *key != over.key);
        }
        state.refused.push(RefusedMessage { key: over.key.clone(), message_id: over.message_id, reason });
        let open = OpenWait { new: None, over: None, waker: Waker::noop().clone(), child: None };
        state.waits.insert(over.key.clone(), open);
    }

    /// Whether an earlier life of the run knows how the wait of that key ended.
    pub(crate) fn has_ended(&self, key: &str) -> bool {
        self.state().known.get(key).is_some_and(|known| known.outcome.is_some())
    }

    /// Whether an earlier life of the run went on after this wait: a later entry is recorded and was not asked for yet.
    pub(crate) fn has_gone_on_from(&self, key: &str) -> bool {
        let state = self.state();
        let mut recorded = state.recorded.keys().chain(state.attempts.keys()).chain(state.known.keys());
        recorded.any(|other| journal_key::comes_after(other, key))
    }
}
