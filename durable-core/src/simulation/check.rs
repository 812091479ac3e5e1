//! The model: what must be true of every record, whatever happened.

use std::collections::{BTreeMap, BTreeSet};

use super::families::{check_families, not_undone};
use super::graphs::SimulatedGraph;
use super::graphs::check::{check_graph, check_graph_end};
use super::world::World;
use crate::context::Workflow;
use crate::ids::ExecutionId;
use crate::model::WaitOutcome;
use crate::plan::journal_key;
use crate::running::memory::{self, Book, Record, State};

impl World {
    /// Compares what is on record with the guarantees; `true` if one is violated.
    pub(super) fn check(&mut self) -> bool {
        let mut book = memory::lock(&self.book);
        let mut violations = check_families(&book);
        for (id, record) in &book.records {
            let end = (record.state, record.end.clone());
            if self.ended.get(id) == Some(&end) {
                continue;
            }
            let accepted = self.accepted.get(id).map_or(&[][..], Vec::as_slice);
            let of_graph = check_graph(record, accepted);
            violations.extend(check_journal(record).into_iter().chain(of_graph).map(|what| format!("{id} {what}")));
            if !record.is_over() {
                if self.ended.contains_key(id) {
                    violations.push(format!("{id} had ended, and is {:?} again", record.state));
                }
                continue;
            }
            match self.ended.insert(*id, end.clone()) {
                Some(before) => violations.push(format!("{id} ended twice: {before:?}, then {end:?}")),
                None => {
                    let ended = check_end(&book, *id, record, self.sent.get(id));
                    let of_graph = check_graph_end(record, accepted);
                    violations.extend(ended.into_iter().chain(of_graph).map(|what| format!("{id} {what}")));
                }
            }
        }
        book.violations.extend(violations);
        !book.violations.is_empty()
    }
}

/// What is true of a journal at any time.
fn check_journal(record: &Record) -> Vec<String> {
    let mut violations = Vec::new();
    let mut committed = Vec::new();
    for (key, (_, checkpoint)) in record.checkpoints.iter().filter(|(key, _)| !key.starts_with(journal_key::UNDO)) {
        let step = journal_key::step_name(key);
        let has_completed = record.output(key).is_some();
        if step.as_deref() == Some("transfer") {
            committed.extend(record.output(key).and_then(|output| output.parse::<u64>().ok()));
        }
        // An outcome that the database refused is recorded as a failure, and is undone all the same.
        let is_undone = match step.as_deref() {
            Some("charge") => true,
            Some("book" | "transfer") => has_completed,
            _ => false,
        };
        if is_undone && checkpoint.undo_order.is_none() {
            violations.push(format!("will not undo `{key}`"));
        }
    }
    let mut written = record.written.clone();
    written.sort_unstable();
    committed.sort_unstable();
    if written != committed {
        violations.push(format!("has the checkpoints of transactions {committed:?}, and what {written:?} wrote"));
    }
    violations
}

/// What must be true of an execution that has just ended.
fn check_end(book: &Book, id: ExecutionId, record: &Record, sent: Option<&BTreeSet<u64>>) -> Vec<String> {
    match record.state {
        // A graph returns its values, and none of its steps must be undone if it was cut off.
        State::Completed if record.workflow == SimulatedGraph::NAME => Vec::new(),
        State::Completed => [check_output(record, sent), check_cut_off(id, record)].concat(),
        State::Compensated => check_rollback(book, id, record),
        State::Failed => check_failure(book, id, record),
        _ => Vec::new(),
    }
}

/// The output of a completed execution comes from its journal, and everything in it is there once.
fn check_output(record: &Record, sent: Option<&BTreeSet<u64>>) -> Vec<String> {
    let mut violations = Vec::new();
    let said: Vec<String> = record.end.as_deref().and_then(|end| serde_json::from_str(end).ok()).unwrap_or_default();
    let outputs: BTreeSet<&str> = record.checkpoints.keys().filter_map(|key| record.output(key)).collect();
    let mut seen = BTreeSet::new();
    for said in said.iter().filter(|said| *said != "failure") {
        // All waits for a topic receive the same publication.
        if !seen.insert(said.as_str()) && !said.starts_with("topic ") {
            violations.push(format!("counted `{said}` twice"));
        }
        match said.split_once(' ') {
            Some(("step", value)) if !outputs.contains(value) => {
                violations.push(format!("went on from `{said}`, which is not on record"))
            }
            Some(("event" | "input" | "topic", message))
                if !message.parse().is_ok_and(|message| sent.is_some_and(|sent| sent.contains(&message))) =>
            {
                violations.push(format!("received `{said}`, which was never sent to it"));
            }
            _ => {}
        }
    }
    for (key, wait) in
        record.waits.iter().filter(|(key, wait)| wait.outcome == Some(WaitOutcome::Received) && !key.contains("race"))
    {
        let lost = wait.taken.iter().map(|(_, message, _)| message).filter(|message| message.fits);
        let lost = lost.filter(|message| !seen.contains(format!("event {}", message.number).as_str()));
        violations.extend(lost.map(|message| format!("lost the message {}, which `{key}` had taken", message.number)));
    }
    for (key, wait) in &record.waits {
        let Some((_, message)) = wait.message.as_ref().filter(|_| wait.outcome == Some(WaitOutcome::Received)) else { continue };
        // A branch that lost a race may have used its message.
        let text = format!("{} {}", wait.kind.as_str(), message.number);
        if !key.contains("race") && !seen.contains(text.as_str()) {
            violations.push(format!("lost the message {}, which `{key}` had received", message.number));
        }
    }
    violations
}

/// A completed execution has on record what was cut off: the rollback of its parent undoes that, too.
fn check_cut_off(id: ExecutionId, record: &Record) -> Vec<String> {
    cut_off(id, record).map(|key| format!("completed, and did not record that `{key}` was cut off")).collect()
}

/// A rollback that succeeded has undone every step that completed and can be undone, the last completed first; and so every
/// child.
fn check_rollback(book: &Book, id: ExecutionId, record: &Record) -> Vec<String> {
    let mut violations = Vec::new();
    // An execution of its own undoes what a completed child did.
    let undone = record.undoes.unwrap_or(id);
    let Some(of) = book.records.get(&undone) else { return vec![format!("has undone {undone}, which is not on record")] };
    let enlisted = of.checkpoints.iter().filter_map(|(key, (_, checkpoint))| Some((checkpoint.undo_order?, key)));
    let in_order: BTreeMap<i32, &String> = enlisted.collect();
    let mut before = 0;
    for key in in_order.into_values().rev() {
        match undone_at(record, &journal_key::undo(key)) {
            None => violations.push(format!("was rolled back, and did not undo `{key}`")),
            Some(ordinal) if ordinal < before => violations.push(format!("undid `{key}` too early")),
            Some(ordinal) => before = ordinal,
        }
    }
    let cut_off = cut_off(undone, of).filter(|key| !record.checkpoints.contains_key(&journal_key::undo(key)));
    violations.extend(cut_off.map(|key| format!("was rolled back, and did not undo `{key}`, which was cut off")));
    violations
        .extend(not_undone(book, undone).map(|child| format!("was rolled back, and did not undo what its child {child} did")));
    violations
}

/// When what is undone under this key was undone: a step by a compensation, a child by an execution.
fn undone_at(record: &Record, key: &str) -> Option<u64> {
    let compensation = record.checkpoints.get(key).map(|(ordinal, _)| *ordinal);
    compensation.or_else(|| record.waits.get(key)?.resolved_ordinal)
}

/// The steps that must be undone even if they did not complete, that have begun, and whose end is not on record.
pub(super) fn cut_off(id: ExecutionId, record: &Record) -> impl Iterator<Item = &String> {
    let keys: BTreeSet<&String> = record.attempts.keys().map(|(key, _)| key).collect();
    let is_open = move |key: &&String| {
        let may_remain = journal_key::step_name(key).as_deref() == Some("charge") && !key.starts_with(journal_key::UNDO);
        may_remain && record.begun.contains(&record.namespace.unwrap_or(id).derive(key)) && !record.checkpoints.contains_key(*key)
    };
    keys.into_iter().filter(is_open)
}

/// An execution that failed without a rollback had nothing to undo.
fn check_failure(book: &Book, id: ExecutionId, record: &Record) -> Vec<String> {
    let undoable = record.checkpoints.iter().filter(|(_, (_, checkpoint))| checkpoint.undo_order.is_some());
    let undoable = undoable.map(|(key, _)| key).chain(cut_off(id, record));
    let children = not_undone(book, id).map(|child| format!("failed, and left what its child {child} did"));
    undoable.map(|key| format!("failed, and left `{key}` as it was")).chain(children).collect()
}
