//! What a run knows of its journal.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use super::Run;
use crate::error::{Failure, Result};
use crate::model::{Checkpoint, ExecutionValue, FailedAttempt, MOST_TAGS, StoredNode, Tags, Undoable};
use crate::payload::Digest;
use crate::plan::journal_key;

impl Run {
    /// The digest of a call's arguments, before they are added. In a replay a report may have to show them.
    pub(crate) fn digest(&self) -> Digest {
        if self.replays.load(Ordering::Relaxed) { Digest::with_text() } else { Digest::default() }
    }

    /// What was recorded under the key; an entry is asked for once.
    pub(crate) fn take_recorded(&self, key: &str) -> Option<Checkpoint> {
        self.state().journal.take_recorded(key)
    }

    /// The version of a change, if this run of the code has asked for it under the key.
    pub(crate) fn asked_version(&self, key: &str) -> Option<u32> {
        self.state().journal.asked_version(key)
    }

    /// The version of a change, if it is recorded under the key.
    pub(crate) fn recorded_version(&self, key: &str) -> Option<u32> {
        self.state().journal.recorded_version(key)
    }

    /// Notes the version of a change for this run of the code.
    pub(crate) fn note_version(&self, key: &str, version: u32) {
        self.state().journal.note_version(key, version);
    }

    pub(crate) fn has_recorded(&self, key: &str) -> bool {
        self.state().journal.has_recorded(key)
    }

    pub(crate) fn take_attempts(&self, key: &str) -> (Vec<FailedAttempt>, bool) {
        self.state().journal.take_attempts(key)
    }

    /// Whether anything is recorded below `path` that the code has not asked for.
    pub(crate) fn is_recorded_below(&self, path: &str) -> bool {
        let state = self.state();
        state.journal.has_below(path) || state.waits.has_below(path)
    }

    /// Whether anything is recorded of the call of that key.
    pub(crate) fn is_recorded(&self, key: &str) -> bool {
        let state = self.state();
        let itself = state.journal.has_entry(key) || state.waits.has_entry(key);
        drop(state);
        itself || self.is_recorded_below(&journal_key::below(key))
    }

    /// Passes over everything recorded below `path`, except below `kept` in it: those branches lost, and do not run again.
    /// Messages that waits named in `unfinished` have received go back into the mailbox.
    pub(crate) fn pass_over(&self, path: &str, kept: &str, unfinished: &[String]) {
        let mut state = self.state();
        state.journal.pass_over(path, kept);
        state.waits.pass_over(path, kept, unfinished);
    }

    /// The committed value that this execution has set under the name.
    pub(crate) async fn read_value(&self, name: &str) -> Result<Option<ExecutionValue>> {
        self.ledger.read_value(self.id, name).await
    }

    /// Whether the execution may have run before.
    pub(crate) fn has_history(&self) -> bool {
        self.continued || self.replays.load(Ordering::Relaxed)
    }

    /// Whether the execution has recorded an outcome under this key, or has continued as new since.
    pub(crate) fn has_recorded_or_continued(&self, key: &str) -> bool {
        self.continued || self.state().journal.has_recorded(key)
    }

    /// Passes over everything recorded that the code has not asked for: a graph goes on from its values.
    pub(crate) fn pass_over_all(&self) {
        self.pass_over("", "", &[]);
    }

    /// The nodes that this execution, a graph, has stored.
    pub(crate) async fn read_nodes(&self) -> Result<Vec<StoredNode>> {
        self.ledger.read_nodes(self.id).await
    }

    /// Hides this execution from lists.
    pub(crate) async fn archive(&self) -> Result<()> {
        self.ledger.archive(self.id, self.hold()).await
    }

    /// Notes that this execution is about to have a tag of this name; `false` if it would have too many.
    pub(crate) async fn reserve_tag(&self, name: &str) -> Result<bool> {
        let known = self.state().tags.is_some();
        let recorded = if known { Tags::new() } else { self.ledger.read_tags(self.id).await? };
        let mut state = self.state();
        // Another branch may have read them first, and have set some since.
        let tags = state.tags.get_or_insert_with(|| recorded.into_keys().collect());
        let has_room = tags.contains(name) || tags.len() < MOST_TAGS;
        if has_room {
            tags.insert(name.to_owned());
        }
        Ok(has_room)
    }

    /// Why the execution is being rolled back, if it is.
    pub(crate) fn rollback(&self) -> Option<Failure> {
        self.state().journal.rollback().cloned()
    }

    /// What a rollback undoes, last completed first.
    pub(crate) fn undoable(&self) -> Vec<Undoable> {
        self.state().journal.undoable()
    }

    /// The steps that have attempts and no outcome: a crash, or an end from outside, cut them off.
    pub(crate) fn cut_off(&self) -> Vec<String> {
        self.state().journal.cut_off()
    }

    /// Takes out the steps that a crash cut off in branches that have lost.
    pub(crate) fn take_passed_over(&self) -> BTreeSet<String> {
        self.state().journal.take_passed_over()
    }

    /// The keys of what has ended on record and was not asked for; what is still open is left out.
    pub(crate) fn not_reached(&self) -> Vec<String> {
        let state = self.state();
        let mut keys: Vec<String> = state.journal.unasked().chain(state.waits.not_reached()).cloned().collect();
        keys.sort_unstable();
        keys
    }

    /// Keys that were recorded and never asked for.
    pub(crate) fn unasked(&self) -> Vec<String> {
        let state = self.state();
        let mut keys: Vec<String> = state.journal.unasked().chain(state.waits.unasked()).cloned().collect();
        keys.sort_unstable();
        keys
    }
}
