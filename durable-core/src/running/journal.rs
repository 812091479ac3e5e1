//! What is recorded of an execution: outcomes and attempts that its code has not asked for yet, and what a rollback would undo.

use std::collections::{BTreeMap, BTreeSet};

use super::subtree::{has_below, outside, remove_below};
use crate::error::Failure;
use crate::model::{Checkpoint, FailedAttempt, Outcome, Undoable};
use crate::plan::journal_key;
use crate::plan::spoil::{Spoil, is_spoiled};

/// The journal of one execution, except for its waits. An entry leaves it when the code asks for it.
#[derive(Debug, Default)]
pub(super) struct Journal {
    recorded: BTreeMap<String, Checkpoint>,
    attempts: BTreeMap<String, Vec<FailedAttempt>>,
    /// The versions of changes that are recorded, by their keys. They are asked for any number of times, or no longer at all.
    recorded_versions: BTreeMap<String, u32>,
    /// The versions that this run of the code has asked for; 0 where the execution went on before its code asked.
    asked_versions: BTreeMap<String, u32>,
    /// Calls that were cut off in branches that lost, and that the code has not asked for.
    passed_over: BTreeSet<String>,
    /// Whether the worker before this one was lost while it held the execution.
    after_crash: bool,
    /// What a rollback would undo, in the order of completion.
    undoable: BTreeMap<i32, Undoable>,
    /// Why the execution is being rolled back, if it is.
    rollback: Option<Failure>,
}

impl Journal {
    /// Adds what an earlier claim has recorded.
    pub(super) fn load(&mut self, checkpoints: Vec<Checkpoint>, attempts: Vec<FailedAttempt>, after_crash: bool) {
        self.after_crash = after_crash;
        for checkpoint in checkpoints {
            if let Some(order) = checkpoint.undo_order {
                self.undoable.insert(order, Undoable::of(&checkpoint));
            }
            if let Some(version) = version_of(&checkpoint) {
                self.recorded_versions.insert(checkpoint.key, version);
                continue;
            }
            self.recorded.insert(checkpoint.key.clone(), checkpoint);
        }
        for attempt in attempts {
            // Skip attempts of calls that already have a checkpoint: otherwise the call would look cut off, and be undone twice.
            if !self.recorded.contains_key(&attempt.key) {
                self.attempts.entry(attempt.key.clone()).or_default().push(attempt);
            }
        }
    }

    /// The version of a change, if this run of the code has asked for it under the key.
    pub(super) fn asked_version(&self, key: &str) -> Option<u32> {
        self.asked_versions.get(key).copied().filter(|_| !is_spoiled(Spoil::ForgetVersions))
    }

    /// The version of a change, if it is recorded under the key.
    pub(super) fn recorded_version(&self, key: &str) -> Option<u32> {
        self.recorded_versions.get(key).copied()
    }

    pub(super) fn note_version(&mut self, key: &str, version: u32) {
        self.asked_versions.insert(key.to_owned(), version);
    }

    /// Takes out the outcome that is recorded under the key.
    pub(super) fn take_recorded(&mut self, key: &str) -> Option<Checkpoint> {
        let forgets_undone = is_spoiled(Spoil::ForgetUndone) && key.starts_with(journal_key::UNDO);
        if is_spoiled(Spoil::ForgetOutcomes) || forgets_undone {
            return None;
        }
        self.recorded.remove(key)
    }

    pub(super) fn has_recorded(&self, key: &str) -> bool {
        self.recorded.contains_key(key)
    }

    /// Takes out the attempts of a call, the first one first, and says whether a crash may have interrupted the last one.
    pub(super) fn take_attempts(&mut self, key: &str) -> (Vec<FailedAttempt>, bool) {
        let mut attempts = self.attempts.remove(key).filter(|_| !is_spoiled(Spoil::ForgetAttempts)).unwrap_or_default();
        attempts.sort_by_key(|attempt| attempt.attempt);
        (attempts, self.after_crash)
    }

    /// Whether anything is recorded of the call of that key.
    pub(super) fn has_entry(&self, key: &str) -> bool {
        self.recorded.contains_key(key) || self.attempts.contains_key(key)
    }

    /// Whether anything is recorded below the path.
    pub(super) fn has_below(&self, path: &str) -> bool {
        has_below(&self.recorded, path) || has_below(&self.attempts, path)
    }

    /// Whether an entry is recorded that the code reaches only after this key.
    pub(super) fn continues_after(&self, key: &str) -> bool {
        self.recorded.keys().chain(self.attempts.keys()).any(|other| journal_key::comes_after(other, key))
    }

    /// Removes everything below `path`, except below `kept` in it: those branches lost, and do not run again.
    pub(super) fn pass_over(&mut self, path: &str, kept: &str) {
        remove_below(&mut self.recorded, path, outside(path, kept));
        // Whatever such an attempt did, a rollback must still undo it.
        let attempts = remove_below(&mut self.attempts, path, outside(path, kept));
        if !is_spoiled(Spoil::ForgetPassedOver) {
            self.passed_over.extend(attempts.into_iter().filter_map(|attempts| Some(attempts.into_iter().next()?.key)));
        }
    }

    /// Gives a step its place behind all others that a rollback undoes; `None` during a rollback, whose own calls are not undone.
    pub(super) fn enlist(&mut self, checkpoint: &Checkpoint) -> Option<i32> {
        if self.rollback.is_some() || is_spoiled(Spoil::ForgetToEnlist) {
            return None;
        }
        let order = self.undoable.last_key_value().map_or(1, |(last, _)| last + 1);
        self.undoable.insert(order, Undoable::of(checkpoint));
        Some(order)
    }

    /// Takes a step out of what a rollback undoes: it was not committed.
    pub(super) fn delist(&mut self, order: i32) {
        self.undoable.remove(&order);
    }

    /// What a rollback undoes, last completed first.
    pub(super) fn undoable(&self) -> Vec<Undoable> {
        let mut last_first: Vec<Undoable> = self.undoable.values().rev().cloned().collect();
        if is_spoiled(Spoil::UndoInOrder) {
            last_first.reverse();
        }
        last_first
    }

    /// The calls that have attempts and no outcome: a crash, or an end from outside, cut them off.
    pub(super) fn cut_off(&self) -> Vec<String> {
        let open = self.attempts.keys().filter(|key| !self.recorded.contains_key(*key));
        let keys: BTreeSet<&String> = open.chain(&self.passed_over).collect();
        keys.into_iter().cloned().collect()
    }

    /// Takes out the calls that were cut off in branches that lost, and that the code has not asked for.
    pub(super) fn take_passed_over(&mut self) -> BTreeSet<String> {
        std::mem::take(&mut self.passed_over)
    }

    /// The keys of outcomes that the code never asked for.
    pub(super) fn unasked(&self) -> impl Iterator<Item = &String> {
        self.recorded.keys()
    }

    pub(super) fn rollback(&self) -> Option<&Failure> {
        self.rollback.as_ref()
    }

    /// From here on, the execution is rolled back.
    pub(super) fn turn_back(&mut self, cause: Failure) {
        self.rollback = Some(cause);
    }
}

/// The version of a change, if the checkpoint records one.
fn version_of(checkpoint: &Checkpoint) -> Option<u32> {
    match &checkpoint.outcome {
        Outcome::Output(output) if journal_key::is_version(&checkpoint.key) => output.as_str().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::error::ErrorKind;
    use crate::ids::ExecutionId;
    use crate::payload::Payload;

    fn completed(key: &str) -> Checkpoint {
        Checkpoint::of(key.to_owned(), Outcome::Output(Payload::null()))
    }

    fn attempt(key: &str, attempt: u32) -> FailedAttempt {
        let execution_id = ExecutionId::new();
        FailedAttempt { execution_id, key: key.to_owned(), attempt, took: Duration::ZERO, failure: None, retry_at: None }
    }

    #[test]
    fn a_recorded_outcome_is_given_out_once() {
        let mut journal = Journal::default();
        journal.load(vec![completed("step a")], Vec::new(), false);
        assert!(journal.has_recorded("step a"));
        assert!(journal.take_recorded("step a").is_some());
        assert!(journal.take_recorded("step a").is_none() && journal.unasked().next().is_none());
    }

    #[test]
    fn a_version_is_known_for_good_and_is_no_entry_that_the_code_must_ask_for() {
        let mut journal = Journal::default();
        let recorded = Checkpoint::of("version rates".to_owned(), Outcome::Output(Payload("2".into())));
        journal.load(vec![recorded], Vec::new(), false);
        assert_eq!((journal.recorded_version("version rates"), journal.asked_version("version rates")), (Some(2), None));
        journal.note_version("version rates", 2);
        assert_eq!((journal.recorded_version("version rates"), journal.asked_version("version rates")), (Some(2), Some(2)));
        assert!(journal.unasked().next().is_none() && !journal.continues_after("version other"));
    }

    #[test]
    fn an_attempt_of_a_call_that_has_an_outcome_does_not_make_it_look_cut_off() {
        let mut journal = Journal::default();
        journal.load(vec![completed("step a")], vec![attempt("step a", 1), attempt("step b", 2), attempt("step b", 1)], true);
        assert_eq!(journal.cut_off(), ["step b"]);
        assert!(journal.take_attempts("step a").0.is_empty());
        let (attempts, after_crash) = journal.take_attempts("step b");
        assert_eq!(attempts.iter().map(|attempt| attempt.attempt).collect::<Vec<_>>(), [1, 2]);
        assert!(after_crash && journal.cut_off().is_empty());
    }

    #[test]
    fn a_call_that_was_cut_off_in_a_branch_that_lost_is_still_cut_off() {
        let mut journal = Journal::default();
        journal.load(vec![completed("race")], vec![attempt("race/1/step a", 1), attempt("step b", 1)], true);
        journal.pass_over("race/", "0/");
        assert!(!journal.has_below("race/"));
        assert_eq!(journal.cut_off(), ["race/1/step a", "step b"]);
    }

    #[test]
    fn a_rollback_undoes_the_last_first_and_enlists_nothing_of_its_own() {
        let mut journal = Journal::default();
        journal.load(vec![Checkpoint { undo_order: Some(4), ..completed("step a") }], Vec::new(), false);
        assert_eq!(journal.enlist(&completed("step b")), Some(5));
        assert_eq!(journal.enlist(&completed("step c")), Some(6));
        journal.delist(5);
        journal.turn_back(Failure::new(ErrorKind::Failed, "no stock"));
        assert_eq!(journal.enlist(&completed("undo/step c")), None);
        assert_eq!(journal.undoable().iter().map(|undoable| undoable.key.as_str()).collect::<Vec<_>>(), ["step c", "step a"]);
    }

    proptest! {
        /// Whatever order a fork and the code ask in, an entry is passed over or given out, and never both.
        #[test]
        fn every_entry_is_either_given_out_or_passed_over(branches in prop::collection::vec(0_usize..4, 1..20), kept in 0_usize..4) {
            let keys: Vec<String> =
                branches.iter().enumerate().map(|(nth, branch)| format!("join/{branch}/step {nth}")).collect();
            let mut journal = Journal::default();
            journal.load(keys.iter().map(|key| completed(key)).collect(), Vec::new(), false);
            journal.pass_over("join/", &format!("{kept}/"));
            for (key, branch) in keys.iter().zip(&branches) {
                prop_assert_eq!(journal.take_recorded(key).is_some(), *branch == kept);
            }
            prop_assert!(journal.unasked().next().is_none());
        }
    }
}
