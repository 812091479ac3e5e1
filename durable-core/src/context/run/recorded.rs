//! What the journal of an execution holds for the calls of its code.

use std::sync::atomic::Ordering;

use super::Run;
use crate::model::{Checkpoint, FailedAttempt};
use crate::payload::Digest;

impl Run {
    /// For the arguments of a call. In a replay a report may have to show them.
    pub(in super::super) fn digest(&self) -> Digest {
        if self.replays.load(Ordering::Relaxed) { Digest::with_text() } else { Digest::default() }
    }

    /// What was recorded under the key; an entry is asked for once.
    pub(in super::super) fn take_recorded(&self, key: &str) -> Option<Checkpoint> {
        self.state().recorded.remove(key)
    }

    pub(in super::super) fn has_recorded(&self, key: &str) -> bool {
        self.state().recorded.contains_key(key)
    }

    /// The first of these keys under which an earlier life waited and nobody has asked yet, with the digest that was recorded.
    pub(in super::super) fn find_known(&self, mut keys: impl Iterator<Item = String>) -> Option<(String, Option<u64>)> {
        let state = self.state();
        if state.known.is_empty() {
            return None;
        }
        keys.find_map(|key| {
            let digest = state.known.get(&key)?.digest.map(i64::cast_unsigned);
            Some((key, digest))
        })
    }

    pub(in super::super) fn take_attempts(&self, key: &str) -> (Vec<FailedAttempt>, bool) {
        let mut state = self.state();
        let mut attempts = state.attempts.remove(key).unwrap_or_default();
        attempts.sort_by_key(|attempt| attempt.attempt);
        (attempts, state.after_crash)
    }
}
