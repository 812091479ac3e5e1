//! Decides what a retry or a fork of an ended execution repeats: which entries of its journal the new execution does not take
//! over.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::graph::INPUTS;
use super::journal_key;

/// What a journal says of one call, without what the call returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    /// The ordinal under which the call was first recorded: a wait at its registration, a step or a decision at its end.
    pub(crate) began: i64,
    /// The ordinal under which its end was recorded; `None` for a wait that is open.
    pub(crate) ended: Option<i64>,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
    /// Whether it failed, timed out or was cancelled.
    pub(crate) failed: bool,
}

/// The branch for which each call of branches was decided, by the key of the call: the winner of a race, or the first branch that
/// failed. Calls that ended without a decision are not in it.
pub(crate) type Decisions = HashMap<String, usize>;

/// The keys of the calls of which branches are recorded: a decision may be recorded under each of them.
pub(crate) fn calls_of_branches(journal: &[Entry]) -> Vec<String> {
    let calls: HashSet<&str> = journal.iter().flat_map(|entry| journal_key::branches(&entry.key)).map(|(call, _)| call).collect();
    calls.into_iter().map(str::to_owned).collect()
}

/// The keys of what a retry repeats: the failures that the workflow did not go on from, the decisions that were made because of
/// them, what these decisions cut off, and the values that were set after them. Everything else is kept.
pub(crate) fn repeated(journal: &[Entry], decisions: &Decisions) -> HashSet<String> {
    let newest = Newest::of(journal);
    let went_on = |failure: &Entry| failure.ended.is_some_and(|ended| newest.not_beside(&failure.key, decisions) > ended);
    let failures = journal.iter().filter(|entry| entry.failed);
    let last: Vec<&Entry> = failures.filter(|failure| !is_overruled(failure, decisions) && !went_on(failure)).collect();

    let calls = |entry: &Entry| journal_key::branches(&entry.key).map(|(call, _)| call.to_owned()).collect::<Vec<_>>();
    let reopened: HashSet<String> =
        last.iter().flat_map(|failure| calls(failure)).filter(|call| decisions.contains_key(call)).collect();
    let cut_off = journal.iter().filter(|entry| entry.failed && calls(entry).iter().any(|call| reopened.contains(call)));
    let mut repeated: HashSet<String> = last.iter().copied().chain(cut_off).map(|entry| entry.key.clone()).collect();
    repeated.extend(reopened);
    let is_after = |value: &Entry, failure: &Entry| {
        failure.ended.is_some_and(|ended| value.began > ended) && journal_key::comes_after(&value.key, &failure.key)
    };
    let values = journal.iter().filter(|entry| journal_key::sets_value(&entry.key));
    let values = values.filter(|value| last.iter().any(|failure| is_after(value, failure)));
    repeated.extend(values.map(|value| value.key.clone()));
    repeated
}

/// The keys of what a retry of a graph repeats. A graph does not go on after the failure that ends it: what is recorded behind that
/// failure was cut off by it, or belongs to the node that failed: its value, and that one of its items decided over the others.
pub(crate) fn repeated_of_graph(journal: &[Entry], decisions: &Decisions) -> HashSet<String> {
    let is_forward = |entry: &&Entry| entry.ended.is_some() && !entry.key.starts_with(journal_key::UNDO);
    let mut ended: Vec<&Entry> = journal.iter().filter(is_forward).collect();
    ended.sort_unstable_by_key(|entry| Reverse(entry.ended));
    let changes = journal_key::occurrence(journal_key::SET, INPUTS, 1);
    let is_of_a_node = |key: &str| journal_key::sets_value(key) && !key.starts_with(&changes);
    let behind =
        ended.into_iter().take_while(|entry| entry.failed || is_of_a_node(&entry.key) || decisions.contains_key(&entry.key));
    behind.map(|entry| entry.key.clone()).collect()
}

/// Whether a race was decided for a branch other than the one of this entry. Then a replay does not ask for the entry.
fn is_overruled(entry: &Entry, decisions: &Decisions) -> bool {
    journal_key::branches(&entry.key).any(|(call, branch)| decisions.get(call).is_some_and(|decided| *decided != branch))
}

/// The newest entries of a journal by their places, so that the entries after a failure are found without looking at each of
/// them.
#[derive(Debug, Default)]
struct Newest<'journal> {
    /// Under exactly this key.
    of: HashMap<&'journal str, i64>,
    /// Below this key.
    below: HashMap<&'journal str, i64>,
    /// Directly in this scope, or below: in any of its branches, and below the two names with the newest entries.
    within: HashMap<&'journal str, Scope<'journal>>,
}

#[derive(Debug, Default)]
struct Scope<'journal> {
    in_branches: i64,
    named: [(i64, &'journal str); 2],
}

impl<'journal> Newest<'journal> {
    fn of(journal: &'journal [Entry]) -> Self {
        let mut newest = Self::default();
        let note = |map: &mut HashMap<&'journal str, i64>, key, began: i64| {
            let at = map.entry(key).or_default();
            *at = began.max(*at);
        };
        // A workflow that only says that it has failed, or asks which version of a change applies, has not gone on.
        let does_nothing = |key: &str| journal_key::sets_value(key) || journal_key::is_version(key);
        for Entry { key, began, .. } in journal.iter().filter(|entry| !does_nothing(&entry.key)) {
            note(&mut newest.of, key.as_str(), *began);
            for (scope, segment) in journal_key::segments(key) {
                newest.within.entry(scope).or_default().note(segment, *began);
                note(&mut newest.below, scope.trim_end_matches('/'), *began);
            }
        }
        newest
    }

    /// When the newest entry began that is not in a branch beside this key; the decisions that were made because of it do not
    /// count.
    fn not_beside(&self, key: &str, decisions: &Decisions) -> i64 {
        let newest = |map: &HashMap<&str, i64>, key: &str| map.get(key).copied().unwrap_or_default();
        let apart = journal_key::segments(key).filter_map(|(scope, segment)| Some(self.within.get(scope)?.other_than(segment)));
        let is_decision =
            |around: &str| decisions.contains_key(around) && journal_key::branches(key).any(|(call, _)| call == around);
        let scopes = journal_key::segments(key).map(|(scope, _)| scope.trim_end_matches('/'));
        let around = scopes.filter(|around| !around.is_empty() && !is_decision(around)).map(|around| newest(&self.of, around));
        apart.chain(around).chain([newest(&self.of, key), newest(&self.below, key)]).max().unwrap_or_default()
    }
}

impl<'journal> Scope<'journal> {
    fn note(&mut self, segment: &'journal str, began: i64) {
        if journal_key::is_branch(segment) {
            self.in_branches = began.max(self.in_branches);
            return;
        }
        let [first, second] = &mut self.named;
        if first.1 == segment {
            first.0 = began.max(first.0);
        } else if began > first.0 {
            (*first, *second) = ((began, segment), *first);
        } else if second.1 == segment || began > second.0 {
            *second = (began.max(second.0), segment);
        }
    }

    /// The newest entry with another segment in this place, unless both are branches.
    fn other_than(&self, segment: &str) -> i64 {
        let [first, second] = self.named;
        if journal_key::is_branch(segment) {
            return first.0;
        }
        let named = if first.1 == segment { second.0 } else { first.0 };
        named.max(self.in_branches)
    }
}

/// The ordinal below which a fork from this entry keeps the journal; `None` if the journal does not have the entry.
///
/// A step has its ordinal from its end, and while it runs only branches beside it record anything. What they did before it began
/// is kept. That alone is read from the times; whatever these say, a journal below an ordinal is whole.
pub(crate) fn kept_below(journal: &[Entry], from_key: &str) -> Option<i64> {
    let from = journal.iter().find(|entry| entry.key == from_key)?;
    let beside = journal
        .iter()
        .filter(|entry| entry.ended_at.is_some_and(|at| at > from.started_at) && journal_key::are_beside(&entry.key, from_key));
    beside.filter_map(|entry| entry.ended).chain([from.began]).min()
}

/// The journal key that a person means: an entry of the journal, or else a step by its name, such as `charge` or `charge#2`.
pub(crate) fn meant(journal: &[Entry], text: &str) -> String {
    // Only the keys of calls that are no steps have neither a space nor a scope before them.
    let is_name = !text.is_empty() && !text.contains([' ', '/']);
    if is_name && !journal.iter().any(|entry| entry.key == text) {
        format!("{} {text}", journal_key::STEP)
    } else {
        text.to_owned()
    }
}

/// Whether the journal key is that of a step, and not of what undoes one.
pub(crate) fn is_step(key: &str) -> bool {
    journal_key::step_name(key).is_some() && !key.starts_with(journal_key::UNDO)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Entries of ended calls, each recorded at once, in this order; a `!` at the end of a key marks a failure.
    fn journal(keys: &[&str]) -> Vec<Entry> {
        keys.iter().zip(1..).map(|(key, ordinal)| entry(key, ordinal, ordinal)).collect()
    }

    fn entry(key: &str, began: i64, ended: i64) -> Entry {
        let at = |ordinal| DateTime::from_timestamp(ordinal, 0).unwrap();
        let (key, failed) = key.strip_suffix('!').map_or((key, false), |key| (key, true));
        Entry { key: key.to_owned(), began, ended: Some(ended), started_at: at(began), ended_at: Some(at(ended)), failed }
    }

    fn sorted(keys: HashSet<String>) -> Vec<String> {
        let mut keys: Vec<String> = keys.into_iter().collect();
        keys.sort();
        keys
    }

    #[test]
    fn a_step_is_meant_by_its_name_and_everything_else_by_its_journal_key() {
        let entry = |key: &str| Entry {
            key: key.to_owned(),
            began: 1,
            ended: Some(1),
            started_at: DateTime::UNIX_EPOCH,
            ended_at: None,
            failed: false,
        };
        let journal = [entry("step charge#2"), entry("now"), entry("join/0/step pack")];
        for (text, key) in [
            ("charge", "step charge"),
            ("charge#2", "step charge#2"),
            ("step charge#2", "step charge#2"),
            ("now", "now"),
            ("event paid", "event paid"),
            ("join/0/step pack", "join/0/step pack"),
            ("", ""),
        ] {
            assert_eq!(meant(&journal, text), key);
        }
        assert!(is_step("join/0/step pack") && !is_step("event paid") && !is_step("undo/step charge"));
    }

    #[test]
    fn a_value_that_was_set_after_a_failure_is_not_going_on_and_is_set_again() {
        let journal = journal(&["set status", "step pack", "step ship!", "set status#2"]);
        assert_eq!(sorted(repeated(&journal, &decided(&[]))), ["set status#2", "step ship"]);
    }

    #[test]
    fn a_value_that_was_set_after_a_failure_is_kept_if_the_workflow_went_on() {
        let journal = journal(&["step ship!", "set status", "step walk", "step pay!"]);
        assert_eq!(sorted(repeated(&journal, &decided(&[]))), ["step pay"]);
    }

    #[test]
    fn a_version_that_was_asked_for_after_a_failure_is_not_going_on_and_is_kept() {
        let after = journal(&["step ship!", "version apologize"]);
        assert_eq!(sorted(repeated(&after, &decided(&[]))), ["step ship"]);
        let went_on = journal(&["step ship!", "version apologize", "step walk", "step pay!"]);
        assert_eq!(sorted(repeated(&went_on, &decided(&[]))), ["step pay"]);
    }

    #[test]
    fn a_graph_repeats_the_failure_that_ended_it_and_what_that_cut_off() {
        let journal = journal(&["set graph inputs", "step a!", "step b", "step c!", "step d!", "step e!"]);
        assert_eq!(sorted(repeated_of_graph(&journal, &decided(&[]))), ["step c", "step d", "step e"]);
    }

    #[test]
    fn a_graph_repeats_the_item_that_failed_and_those_that_it_cut_off() {
        let journal = journal(&["set graph inputs", "map b/0/step b", "map b/2/step b!", "map b", "map b/1/step b!", "set b"]);
        let expected = ["map b", "map b/1/step b", "map b/2/step b", "set b"];
        assert_eq!(sorted(repeated_of_graph(&journal, &decided(&[("map b", 2)]))), expected);
    }

    #[test]
    fn a_value_that_was_set_beside_a_failure_is_kept() {
        let journal = journal(&["join/0/step ship!", "join/1/set status"]);
        assert_eq!(sorted(repeated(&journal, &decided(&[]))), ["join/0/step ship"]);
    }

    fn decided(decisions: &[(&str, usize)]) -> Decisions {
        decisions.iter().map(|(call, branch)| ((*call).to_owned(), *branch)).collect()
    }

    #[test]
    fn the_failure_that_ended_it_is_repeated_and_one_that_the_workflow_handled_is_not() {
        let repeated = |keys: &[&str]| sorted(repeated(&journal(keys), &Decisions::new()));
        assert_eq!(repeated(&["step charge", "step ask!", "step note", "step ship!"]), ["step ship"]);
        assert_eq!(repeated(&["step ask!", "step note"]), [""; 0], "the workflow failed by itself");
        assert_eq!(repeated(&[]), [""; 0]);
        // A wait that was open for long: what was recorded before its end does not count.
        let waits = [entry("event paid!", 1, 4), entry("step remind", 2, 2), entry("step remind#2", 3, 3)];
        assert_eq!(sorted(super::repeated(&waits, &Decisions::new())), ["event paid"]);
    }

    #[test]
    fn failures_in_branches_beside_each_other_are_all_repeated() {
        let keys = ["join/0/step a!", "join/1/step b", "join/2/step c!"];
        let repeated = sorted(repeated(&journal(&keys), &Decisions::new()));
        assert_eq!(repeated, ["join/0/step a", "join/2/step c"]);
        // A branch that went on after its own failure handled that one.
        let went_on = journal(&["join/0/step a!", "join/0/step instead", "join/1/step b!"]);
        assert_eq!(sorted(super::repeated(&went_on, &Decisions::new())), ["join/1/step b"]);
    }

    #[test]
    fn a_decision_falls_with_the_failure_that_made_it_and_so_does_what_it_cut_off() {
        let journal = journal(&["join/0/step a", "join/1/step b!", "join", "join/2/event c!", "join/0/sleep!"]);
        let repeated = sorted(repeated(&journal, &decided(&[("join", 1)])));
        assert_eq!(repeated, ["join", "join/0/sleep", "join/1/step b", "join/2/event c"]);
    }

    #[test]
    fn what_lost_a_race_is_not_repeated() {
        let keys = ["race/0/step a!", "race/1/step b", "race", "step ship!"];
        assert_eq!(sorted(repeated(&journal(&keys), &decided(&[("race", 1)]))), ["step ship"]);
        // The race was decided for the other branch, so this failure is not repeated.
        assert_eq!(sorted(repeated(&journal(&keys[..3]), &decided(&[("race", 1)]))), [""; 0]);
    }

    #[test]
    fn a_fork_keeps_what_was_over_when_the_step_began() {
        let slow = [entry("step first", 1, 1), entry("join/1/step quick", 2, 2), entry("join/1/step late", 4, 4)];
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        let forked = Entry { started_at: at(3), ..entry("join/0/step slow", 5, 5) };
        let journal: Vec<Entry> = slow.into_iter().chain([forked]).collect();
        assert_eq!(kept_below(&journal, "join/0/step slow"), Some(4), "`late` ended while `slow` ran");
        assert_eq!(kept_below(&journal, "step first"), Some(1));
        assert_eq!(kept_below(&journal, "step second"), None);
    }

    /// The same decision in the words of its definition, pair by pair.
    fn by_definition(journal: &[Entry], decisions: &Decisions) -> HashSet<String> {
        let around = |entry: &Entry| -> Vec<(String, bool)> {
            let decisions = decisions.iter().filter_map(|(call, branch)| {
                let inside = entry.key.strip_prefix(call)?.strip_prefix('/')?;
                let its_branch: usize = inside.split('/').next()?.parse().ok()?;
                Some((call.clone(), its_branch == *branch))
            });
            decisions.collect()
        };
        let is_last = |failure: &&Entry| {
            let around = around(failure);
            let goes_on = |later: &Entry| {
                Some(later.began) > failure.ended
                    && !journal_key::are_beside(&later.key, &failure.key)
                    && !around.iter().any(|(call, _)| *call == later.key)
            };
            failure.failed && around.iter().all(|(_, decided)| *decided) && !journal.iter().any(goes_on)
        };
        let last: Vec<&Entry> = journal.iter().filter(is_last).collect();
        let reopened: HashSet<String> = last.iter().flat_map(|entry| around(entry)).map(|(call, _)| call).collect();
        let cut_off =
            journal.iter().filter(|entry| entry.failed && around(entry).iter().any(|(call, _)| reopened.contains(call)));
        last.iter().copied().chain(cut_off).map(|entry| entry.key.clone()).chain(reopened.clone()).collect()
    }

    fn key() -> impl Strategy<Value = String> {
        let segment = prop_oneof!["step [ab]", "event [ab]", "join|race", "[012]", "join/[012]", "race/[012]/step [ab]"];
        prop::collection::vec(segment, 1..5).prop_map(|segments| segments.join("/"))
    }

    fn any_journal() -> impl Strategy<Value = Vec<Entry>> {
        let call = (key(), 0..8_i64, any::<bool>());
        prop::collection::vec(call, 0..12).prop_map(|entries| {
            let mut keys = HashSet::new();
            let entries = entries.into_iter().filter(|(key, ..)| keys.insert(key.clone())).zip(1..);
            let entries =
                entries.map(|((key, open_for, failed), began)| Entry { failed, ..entry(&key, began, began + open_for) });
            entries.collect()
        })
    }

    proptest! {
        #[test]
        fn what_is_repeated_is_what_the_definition_says(journal in any_journal(), branch in 0..3_usize) {
            let decisions: Decisions = calls_of_branches(&journal).into_iter().map(|call| (call, branch)).collect();
            prop_assert_eq!(repeated(&journal, &decisions), by_definition(&journal, &decisions));
            prop_assert_eq!(repeated(&journal, &Decisions::new()), by_definition(&journal, &Decisions::new()));
        }

        /// What SQL does when psql names no keys: see `retry.sql`.
        #[test]
        fn one_failure_after_which_nothing_began_is_repeated_alone(journal in any_journal()) {
            let failed: Vec<&Entry> = journal.iter().filter(|entry| entry.failed).collect();
            match failed[..] {
                [] => prop_assert_eq!(repeated(&journal, &Decisions::new()), HashSet::new()),
                [failure] if journal.iter().all(|entry| Some(entry.began) <= failure.ended) => {
                    prop_assert_eq!(repeated(&journal, &Decisions::new()), HashSet::from([failure.key.clone()]));
                }
                _ => {}
            }
        }

        #[test]
        fn only_failures_and_decisions_are_repeated(journal in any_journal(), branch in 0..3_usize) {
            let decisions: Decisions = calls_of_branches(&journal).into_iter().map(|call| (call, branch)).collect();
            for key in repeated(&journal, &decisions) {
                let failed = journal.iter().any(|entry| entry.key == key && entry.failed);
                prop_assert!(failed || decisions.contains_key(&key), "{}", key);
            }
        }
    }
}
