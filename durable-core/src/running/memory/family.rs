//! Families on record: children are created with the waits for them, parents are notified of their ends, and families end
//! together.
//!
//! Each function does what the SQL function of the same name does.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::Rollback;
use super::book::{Book, Break};
use super::record::{Parent, Record, State};
use crate::error::{ErrorKind, Failure};
use crate::ids::ExecutionId;
use crate::model::{Checkpoint, ClaimedStep, MOST_TAGS, NewChild, NewWait, Outcome, ParentPolicy, Tags, WaitOutcome};
use crate::payload::Payload;
use crate::store::families::{CancelledChildren, EndedEarly};
use crate::store::journal::failure_text;
use crate::store::messages::Effect;
use crate::store::parents::Notified;

/// The place in a rollback of the first child that is enlisted on record: above any that its parent may give.
const FIRST_UNREAD: i32 = 1_000_000_000;

/// The end of a child, as the wait of its parent receives it.
#[derive(Debug, Clone)]
pub(crate) struct ChildEnd {
    pub(super) text: String,
    /// Whether the child did something that can be undone.
    pub(super) undoable: bool,
}

#[derive(Serialize)]
struct End<'record> {
    state: &'record str,
    output: Option<&'record RawValue>,
    error: Option<&'record RawValue>,
    undoable: bool,
}

impl ChildEnd {
    /// What is recorded of a child that is not waited for, or that could not be started.
    fn at_once(end: &serde_json::Value) -> Self {
        Self { text: end.to_string(), undoable: false }
    }

    fn of(child: &Record, undoable: bool) -> Self {
        let end = child.end.clone().and_then(|end| RawValue::from_string(end).ok());
        let (output, error) = if child.state == State::Completed { (end.as_deref(), None) } else { (None, end.as_deref()) };
        let end = End { state: child.shown().as_str(), output, error, undoable };
        Self { text: serde_json::to_string(&end).unwrap_or_default(), undoable }
    }
}

impl Book {
    /// Creates the children that these waits of the parent are for. A wait that has its child gets no other.
    pub(super) fn start_children(&mut self, parent: ExecutionId, waits: &[NewWait], now: DateTime<Utc>) {
        for wait in waits {
            let Some(child) = wait.details.as_ref().and_then(|details| details.child.as_ref()) else { continue };
            let registered = self.records.get(&parent).and_then(|record| record.waits.get(&wait.key));
            if !registered.is_some_and(|wait| wait.outcome.is_none() && wait.child.is_none()) {
                continue;
            }
            let created = self.create_child(parent, &wait.key, child);
            let ordinal = self.next_ordinal();
            let Some(wait) = self.records.get_mut(&parent).and_then(|record| record.waits.get_mut(&wait.key)) else { continue };
            let answer = match created {
                Ok(()) => {
                    wait.child = Some(child.id);
                    (child.policy != ParentPolicy::Await).then(|| json!({ "state": "started", "output": child.id }))
                }
                Err(refused) => Some(json!({ "state": "refused", "error": refused })),
            };
            if let Some(answer) = answer {
                wait.receive_end(ChildEnd::at_once(&answer), ordinal, now);
            }
        }
    }

    fn create_child(&mut self, parent: ExecutionId, key: &str, child: &NewChild) -> Result<(), Failure> {
        let of = Parent {
            id: parent,
            key: key.to_owned(),
            policy: child.policy,
            by_compensation: child.by_compensation == Some(true),
            iteration: self.records.get(&parent).map_or(0, |record| record.continuations),
            notified: false,
        };
        let record = match child.undoes {
            None => {
                let has_key = |record: &Record| record.key == child.key && record.workflow == child.workflow;
                if let Some(taken) = child.key.as_ref().filter(|_| self.records.values().any(has_key)) {
                    let message = format!("another execution of workflow `{}` has the key `{taken}`", child.workflow);
                    return Err(Failure::new(ErrorKind::Conflict, message));
                }
                let mut tags = if child.inherits_tags == Some(true) { self.tags(parent) } else { Tags::new() };
                tags.extend(child.tags.clone());
                if tags.len() > MOST_TAGS {
                    let message = format!(
                        "child `{}` has {} tags with those of its parent; an execution has at most {MOST_TAGS}",
                        child.workflow,
                        tags.len()
                    );
                    return Err(Failure::new(ErrorKind::Invalid, message));
                }
                Record {
                    workflow: child.workflow.clone(),
                    queue: child.queue.clone(),
                    key: child.key.clone(),
                    step: child.step.as_ref().map(|step| ClaimedStep {
                        key: step.key.clone(),
                        owner_id: step.owner_id,
                        owner_namespace: step.owner_namespace,
                    }),
                    undo_on_failure: child.step.as_ref().is_some_and(|step| step.undo_on_failure),
                    tags,
                    ..Record::new(child.input.get())
                }
            }
            Some(id) => {
                self.enlist_children(&[id]);
                let Some(undone) = self.records.get(&id) else {
                    let message = format!("execution {id} is not there any more: what it did cannot be undone");
                    return Err(Failure::new(ErrorKind::NotFound, message));
                };
                Record {
                    workflow: undone.workflow.clone(),
                    queue: child.queue.clone(),
                    step: undone.step.clone(),
                    undo_on_failure: undone.undo_on_failure,
                    undoes: Some(id),
                    values: undone.values.clone(),
                    nodes: undone.nodes.clone(),
                    tags: undone.tags.clone(),
                    rollback: Some(Failure::new(ErrorKind::RolledBack, "its parent is rolled back")),
                    ..Record::new(&undone.input)
                }
            }
        };
        self.records.insert(child.id, Record { parent: Some(of), ..record });
        Ok(())
    }

    /// Gives the end of the child to the wait of its parent.
    pub(crate) fn notify_parent(&mut self, child: ExecutionId, now: DateTime<Utc>) -> Notified {
        let (undoable, ordinal) = (self.undoable(child), self.next_ordinal());
        let Some(record) = self.records.get_mut(&child) else { return Notified::NotAwaited };
        let end = ChildEnd::of(record, undoable);
        let unnotified = record.parent.as_mut().filter(|parent| parent.policy == ParentPolicy::Await && !parent.notified);
        let (Some(of), Some((finished_at, _))) = (unnotified, record.finished) else { return Notified::NotAwaited };
        if self.sending.contains(&of.id) {
            return Notified::Busy;
        }
        of.notified = true;
        let Parent { id, key, .. } = of.clone();
        let Some(parent) = self.records.get_mut(&id) else { return Notified::NotAwaited };
        // A child that ended after the deadline came too late.
        let in_time = |due_at: Option<DateTime<Utc>>| due_at.is_none_or(|due_at| due_at > finished_at);
        let open = parent.waits.get_mut(&key).filter(|wait| wait.child == Some(child));
        let open = open.filter(|wait| wait.outcome.is_none() && in_time(wait.due_at));
        let Some(wait) = open else { return Notified::NotAwaited };
        wait.receive_end(end, ordinal, now);
        let was_waiting = parent.state == State::Waiting;
        parent.wake();
        Notified::Received(if was_waiting { Effect::Woke(parent.queue.clone()) } else { Effect::Resolved(id) })
    }

    /// The executions that have ended and whose parents are not yet notified.
    pub(crate) fn unnotified(&self) -> Vec<ExecutionId> {
        let unnotified = |parent: &Parent| parent.policy == ParentPolicy::Await && !parent.notified;
        let ended = self.records.iter().filter(|(_, record)| record.is_over() && record.parent.as_ref().is_some_and(unnotified));
        ended.map(|(id, _)| *id).collect()
    }

    /// Whether the execution, or a child that it waited for, did anything that can be undone.
    pub(crate) fn undoable(&self, id: ExecutionId) -> bool {
        let Some(record) = self.records.get(&id) else { return false };
        record.checkpoints.values().any(|(_, checkpoint)| checkpoint.undo_order.is_some())
            || record.waits.values().any(|wait| wait.end.as_ref().is_some_and(|end| end.undoable))
            || self.completed_children(id).any(|(child, _)| self.undoable(child))
    }

    /// The completed children that the execution has waited for since it last continued as new. Children that its compensations
    /// started are left out.
    fn completed_children(&self, id: ExecutionId) -> impl Iterator<Item = (ExecutionId, &Record)> {
        let counts = move |record: &Record| {
            let of = record.parent.as_ref().filter(|_| record.is_child_of(id, ParentPolicy::Await));
            record.state == State::Completed && record.undoes.is_none() && of.is_some_and(|of| !of.by_compensation)
        };
        let has_wait = move |child: ExecutionId, record: &Record| {
            let key = record.parent.as_ref().map(|of| &of.key);
            let wait = self.records.get(&id).zip(key).and_then(|(parent, key)| parent.waits.get(key));
            wait.is_some_and(|wait| wait.child == Some(child))
        };
        let counted = self.records.iter().filter(move |(child, record)| counts(record) && has_wait(**child, record));
        counted.map(|(child, record)| (*child, record))
    }

    /// Cancels executions, and the children that end with them.
    pub(crate) fn cancel_families(&mut self, ids: &[ExecutionId], failure: &Failure, now: DateTime<Utc>) -> Vec<EndedEarly> {
        let held = self.hold_families(ids);
        let ended = held.iter().filter_map(|id| {
            let ordinal = self.next_ordinal();
            let record = self.records.get_mut(id)?;
            record.cancel_waits(now);
            record.state = State::Cancelled;
            record.end = Some(failure_text(failure));
            record.finished = Some((now, ordinal));
            let awaiting = record.parent.as_mut().filter(|parent| parent.policy == ParentPolicy::Await);
            let awaited = awaiting.is_some_and(|parent| {
                parent.notified |= held.contains(&parent.id);
                !parent.notified
            });
            Some(EndedEarly { id: *id, ended: true, queue: record.queue.clone(), awaited })
        });
        ended.collect()
    }

    /// Has executions rolled back, and the children that end with them.
    pub(crate) fn roll_back_families(&mut self, ids: &[ExecutionId], failure: &Failure, now: DateTime<Utc>) -> Vec<EndedEarly> {
        let held = self.hold_families(ids);
        for id in &held {
            self.records.entry(*id).and_modify(|record| record.cancel_waits(now));
        }
        self.enlist_children(&held);
        let rolled_back = held.iter().filter_map(|id| {
            let record = self.records.get_mut(id)?;
            record.rollback = Some(failure.clone());
            record.state = State::Pending;
            record.epoch += 1;
            record.claims = 0;
            record.wake_at = None;
            record.deadline_at = None;
            record.paused = false;
            record.end = None;
            Some(EndedEarly { id: *id, ended: false, queue: record.queue.clone(), awaited: false })
        });
        rolled_back.collect()
    }

    /// Ends children that their parents no longer wait for, unless they are busy.
    pub(crate) fn cancel_children(&mut self, ids: &[ExecutionId], now: DateTime<Utc>) -> CancelledChildren {
        let (busy, free): (Vec<ExecutionId>, Vec<_>) = ids.iter().partition(|id| self.sending.contains(id));
        let ended_early = self.abandon_children(&free, now);
        let goes_on = |id: &ExecutionId| self.records.get(id).is_some_and(Record::goes_on);
        CancelledChildren { ended_early, busy: busy.into_iter().filter(goes_on).collect() }
    }

    /// Cancels these children; a step among them that has begun and must be undone is rolled back.
    fn abandon_children(&mut self, ids: &[ExecutionId], now: DateTime<Utc>) -> Vec<EndedEarly> {
        let failure = Failure::new(ErrorKind::Cancelled, "its parent no longer waits for it");
        let is_undone = |id: &ExecutionId| {
            let has_begun = |record: &Record| record.step.is_some() && record.undoes.is_none() && record.epoch > 0;
            let record = self.records.get(id).filter(|record| record.goes_on() && has_begun(record));
            record.is_some_and(|record| record.undo_on_failure || self.undoable(*id))
        };
        let (undone, cancelled): (Vec<ExecutionId>, Vec<_>) = ids.iter().partition(|id| is_undone(id));
        let mut ended_early = self.roll_back_families(&undone, &failure, now);
        ended_early.extend(self.cancel_families(&cancelled, &failure, now));
        ended_early
    }

    /// Ends children whose parents have ended or no longer wait for them.
    pub(crate) fn cancel_orphans(&mut self, now: DateTime<Utc>) -> Vec<EndedEarly> {
        let (mut undone, mut cancelled) = (Vec::new(), Vec::new());
        for (id, record) in self.records.iter().filter(|(_, record)| record.goes_on()) {
            let Some(of) = &record.parent else { continue };
            let Some(parent) = self.records.get(&of.id) else { continue };
            let is_found = parent.is_over() || !self.is_broken(Break::ForgetsOrphans);
            if is_found && of.is_left_by(parent, *id) {
                let list = if parent.rollback.is_some() && !of.by_compensation { &mut undone } else { &mut cancelled };
                list.push(*id);
            }
        }
        let mut ended_early = self.abandon_children(&cancelled, now);
        let failure = Failure::new(ErrorKind::RolledBack, "its parent was rolled back");
        ended_early.extend(self.roll_back_families(&undone, &failure, now));
        ended_early
    }

    /// Begins the rollback of an execution that its worker holds; returns the children that end with it, or `None` if it is not
    /// held.
    pub(crate) fn begin_rollback(&mut self, rollback: &Rollback, now: DateTime<Utc>) -> Option<Vec<EndedEarly>> {
        let Rollback { worker, id, epoch, cause } = rollback;
        if !self.held(*worker, *id, *epoch) {
            return None;
        }
        let record = self.records.get_mut(id)?;
        record.rollback = Some(cause.clone());
        record.deadline_at = None;
        record.claims = 0;
        record.cancel_waits(now);
        self.enlist_children(&[*id]);
        let awaited = |record: &Record| record.is_child_of(*id, ParentPolicy::Await) && !record.is_over();
        let children: Vec<ExecutionId> =
            self.records.iter().filter(|(_, record)| awaited(record)).map(|(child, _)| *child).collect();
        let failure = Failure::new(ErrorKind::RolledBack, "its parent is rolled back");
        Some(match self.undoable(*id) {
            true => self.roll_back_families(&children, &failure, now),
            false => self.abandon_children(&children, now),
        })
    }

    /// The executions that end with these: themselves, and the children that they wait for or have started. Executions that have
    /// ended or are rolled back are left out, with those below them.
    fn hold_families(&self, ids: &[ExecutionId]) -> Vec<ExecutionId> {
        let goes_on = |id: &ExecutionId| self.records.get(id).is_some_and(Record::goes_on);
        let mut held: Vec<ExecutionId> = ids.iter().copied().filter(goes_on).collect();
        let mut next = 0;
        while let Some(parent) = held.get(next).copied().filter(|_| !self.is_broken(Break::LeavesChildren)) {
            let ends_with = |record: &Record| {
                record.is_child_of(parent, ParentPolicy::Await) || record.is_child_of(parent, ParentPolicy::Cancel)
            };
            let children = self.records.iter().filter(|(id, record)| goes_on(id) && ends_with(record) && !held.contains(id));
            let children: Vec<ExecutionId> = children.map(|(id, _)| *id).collect();
            held.extend(children);
            next += 1;
        }
        held
    }

    /// Records completed children as what a rollback of their parents undoes, if the parents had no time to do so.
    fn enlist_children(&mut self, parents: &[ExecutionId]) {
        for id in parents {
            let Some(parent) = self.records.get(id) else { continue };
            let unread = self.completed_children(*id).filter(|(child, _)| self.undoable(*child));
            let mut unread: Vec<_> = unread
                .filter_map(|(child, record)| {
                    let key = record.parent.as_ref()?.key.clone();
                    if parent.checkpoints.contains_key(&key) {
                        return None;
                    }
                    let wait = parent.waits.get(&key).filter(|wait| wait.outcome == Some(WaitOutcome::Received));
                    let notified = wait.and_then(|wait| wait.resolved_ordinal).unwrap_or(u64::MAX);
                    let output = json!({ "execution_id": child, "queue": record.queue });
                    Some((notified, record.finished, child, key, output.to_string()))
                })
                .collect();
            unread.sort();
            let highest = parent.checkpoints.values().filter_map(|(_, checkpoint)| checkpoint.undo_order).max();
            let place = highest.unwrap_or_default().max(FIRST_UNREAD);
            for (nth, (.., key, output)) in (1..).zip(unread) {
                let outcome = Outcome::Output(Payload(output.into()));
                let checkpoint = Checkpoint { undo_order: Some(place + nth), ..Checkpoint::of(key.clone(), outcome) };
                let ordinal = self.next_ordinal();
                self.records.entry(*id).and_modify(|parent| drop(parent.checkpoints.insert(key, (ordinal, checkpoint))));
            }
        }
    }
}

impl Parent {
    /// Whether the parent has ended, or no longer waits for the child.
    fn is_left_by(&self, parent: &Record, child: ExecutionId) -> bool {
        match self.policy {
            ParentPolicy::Await => {
                let wait = parent.waits.get(&self.key).filter(|wait| wait.child == Some(child));
                let is_over = |outcome| matches!(outcome, Some(WaitOutcome::TimedOut | WaitOutcome::Cancelled));
                parent.is_over() || wait.map_or(parent.continuations > 0, |wait| is_over(wait.outcome))
            }
            ParentPolicy::Cancel => {
                let kind = parent.rollback.as_ref().map(|rollback| rollback.kind);
                let is_undone = matches!(kind, Some(ErrorKind::Cancelled | ErrorKind::RolledBack));
                parent.state == State::Cancelled || (is_undone && !self.by_compensation)
            }
            ParentPolicy::Detach => false,
        }
    }
}
