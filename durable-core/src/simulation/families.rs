//! What must be true of families: of parents, of children, and of what the rollback of a parent does to its children.

use std::collections::BTreeSet;

use super::check::cut_off;
use super::world::World;
use crate::error::ErrorKind;
use crate::ids::ExecutionId;
use crate::model::ParentPolicy;
use crate::running::memory::{self, Book, Parent, Record, State};

impl World {
    /// After the duty that ends orphans, no execution goes on whose parent has ended or no longer waits for it.
    pub(super) fn check_orphans(&mut self) {
        let mut book = memory::lock(&self.book);
        let orphans: Vec<String> = children(&book)
            .filter(|(_, record, of, parent)| record.goes_on() && of.policy == ParentPolicy::Await && !waits_for(parent, of))
            .map(|(id, ..)| format!("{id} goes on, and its parent does not wait for it"))
            .collect();
        book.violations.extend(orphans);
    }
}

/// The children on record, each with its parent.
fn children(book: &Book) -> impl Iterator<Item = (ExecutionId, &Record, &Parent, &Record)> {
    book.records.iter().filter_map(|(id, record)| {
        let of = record.parent.as_ref()?;
        Some((*id, record, of, book.records.get(&of.id)?))
    })
}

fn waits_for(parent: &Record, of: &Parent) -> bool {
    !parent.is_over()
        && of.iteration == parent.continuations
        && parent.waits.get(&of.key).is_some_and(|wait| wait.outcome.is_none())
}

/// What is true of families at any time.
pub(super) fn check_families(book: &Book) -> Vec<String> {
    let mut violations = Vec::new();
    let mut calls = BTreeSet::new();
    for (id, record, of, parent) in children(book) {
        if !calls.insert((of.id, &of.key, of.iteration)) {
            violations.push(format!("{} has started two children for `{}`", of.id, of.key));
        }
        let is_of_now = of.iteration == parent.continuations;
        if is_of_now && parent.waits.get(&of.key).and_then(|wait| wait.child) != Some(id) {
            violations.push(format!("{id} is not the child of `{}` of its parent", of.key));
        }
        if record.goes_on() && must_have_ended(of, parent) {
            violations.push(format!("{id} goes on, and its parent {} was ended with its children", of.id));
        }
    }
    violations
}

/// Whether the end or the rollback of the parent has ended this child at once.
fn must_have_ended(of: &Parent, parent: &Record) -> bool {
    let is_stopped = |kind: ErrorKind| matches!(kind, ErrorKind::Cancelled | ErrorKind::RolledBack);
    let ends = match &parent.rollback {
        None => parent.state == State::Cancelled,
        Some(cause) => !of.by_compensation && (of.policy == ParentPolicy::Await || is_stopped(cause.kind)),
    };
    ends && of.policy != ParentPolicy::Detach
}

/// The completed children that the execution waited for, that did something to be undone, and that nothing has undone.
pub(super) fn not_undone(book: &Book, id: ExecutionId) -> impl Iterator<Item = ExecutionId> {
    let is_undone =
        |child| book.records.values().any(|record| record.undoes == Some(child) && record.state == State::Compensated);
    completed_children(book, id).filter(move |child| leaves_something(book, *child) && !is_undone(*child))
}

fn completed_children(book: &Book, id: ExecutionId) -> impl Iterator<Item = ExecutionId> {
    let of_it = children(book).filter(move |(_, record, of, parent)| {
        let counts = of.id == id && of.policy == ParentPolicy::Await && !of.by_compensation && record.undoes.is_none();
        // What an orphan did before it was ended, and after its parent had ended, stays.
        // What children did before their parent continued as new stays.
        counts && of.iteration == parent.continuations && record.state == State::Completed && record.ended_before(parent)
    });
    of_it.map(|(child, ..)| child)
}

/// Whether a completed execution did anything that can be undone, itself or through its children.
fn leaves_something(book: &Book, id: ExecutionId) -> bool {
    let Some(record) = book.records.get(&id) else { return false };
    let has_undoable = record.checkpoints.values().any(|(_, checkpoint)| checkpoint.undo_order.is_some());
    has_undoable
        || cut_off(id, record).next().is_some()
        || completed_children(book, id).any(|child| leaves_something(book, child))
}
