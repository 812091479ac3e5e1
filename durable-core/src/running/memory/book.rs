//! The record of a simulated world: what claims, writes and clients do to its executions.

use std::collections::btree_map::Entry as Place;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::message::Message;
use super::record::{Record, State};
use super::{Queue, REFUSED};
use crate::error::Failure;
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::{ExecutionValue, StoredNode, Tags};
use crate::store::attempts::AttemptRecord;
use crate::store::families::EndedEarly;
use crate::store::journal::Journals;
use crate::store::saves::{NextState, Save, Written};
use crate::store::transactions::{Commit, Committed};

/// What a world has on record.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) records: BTreeMap<ExecutionId, Record>,
    pub(crate) queue: Queue,
    /// Workers that were declared lost: no write of theirs counts.
    pub(crate) lost: BTreeSet<WorkerId>,
    /// What must never happen, and did.
    pub(crate) violations: Vec<String>,
    /// Executions to which a client is sending a message: the client's transaction holds their mailboxes.
    pub(crate) sending: BTreeSet<ExecutionId>,
    /// Executions that ended together with another execution. No process has been notified of them yet.
    pub(crate) ended_early: Vec<EndedEarly>,
    /// Children that an engine tried to cancel without success.
    pub(crate) not_cancelled: BTreeSet<ExecutionId>,
    how: Option<Break>,
    pub(super) ordinals: u64,
    ids: u128,
}

/// A break of the ledger, which the simulation must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    /// Epochs and lost workers are not checked.
    Unfenced,
    /// What a transaction wrote is committed without its checkpoint.
    ForgetsCheckpoints,
    /// The end of an execution does not end the children that end with it.
    LeavesChildren,
    /// Children whose parents stopped waiting for them are not found later.
    ForgetsOrphans,
    /// An execution that continues as new keeps its journal.
    KeepsJournals,
}

impl Book {
    /// An empty book, whose ledger has this break.
    pub(crate) fn broken(how: Option<Break>) -> Self {
        Self { how, ..Self::default() }
    }

    pub(super) fn is_broken(&self, how: Break) -> bool {
        self.how == Some(how)
    }

    /// Creates an execution without a parent.
    pub(crate) fn create(&mut self, id: ExecutionId, input: &str, time_limit: Option<Duration>) {
        self.records.insert(id, Record { time_limit, ..Record::new(input) });
    }

    /// A new id for an execution: the same at each run of a seed.
    pub(crate) fn new_id(&mut self) -> ExecutionId {
        self.ids += 1;
        // Below the number is room for the home, which is 0.
        ExecutionId::from(Uuid::from_u128(self.ids << 12))
    }

    pub(super) fn next_ordinal(&mut self) -> u64 {
        self.ordinals += 1;
        self.ordinals
    }

    /// Gives a pending execution to a worker; returns whether it did.
    pub(crate) fn claim(&mut self, id: ExecutionId, worker: WorkerId, now: DateTime<Utc>) -> bool {
        let claimable = |record: &&mut Record| record.state == State::Pending && !record.paused;
        let Some(record) = self.records.get_mut(&id).filter(claimable) else { return false };
        record.state = State::Running;
        record.worker = Some(worker);
        record.epoch += 1;
        record.claims += 1;
        if let Some(limit) = record.time_limit.take().filter(|_| record.rollback.is_none()) {
            record.deadline_at = Some(now + limit);
        }
        true
    }

    /// Claims anew what the worker holds besides the claims that it knows.
    pub(crate) fn claim_held(&mut self, worker: WorkerId, known: &[(ExecutionId, Epoch)]) -> Vec<ExecutionId> {
        if self.lost.contains(&worker) {
            return Vec::new();
        }
        let mut adopted = Vec::new();
        for (id, record) in &mut self.records {
            if record.is_held_by(worker) && !known.contains(&(*id, Epoch(record.epoch))) {
                record.epoch += 1;
                record.claims += 1;
                adopted.push(*id);
            }
        }
        adopted
    }

    /// Of the claims that a worker believes to hold, those that it does not hold, and those that are paused.
    pub(crate) fn strays(&self, worker: WorkerId, believed: &[(ExecutionId, Epoch)]) -> (Vec<ExecutionId>, Vec<ExecutionId>) {
        let (mut lost, mut paused) = (Vec::new(), Vec::new());
        for (id, epoch) in believed {
            let Some(record) = self.records.get(id) else { continue };
            if !record.is_held_by(worker) || record.epoch != epoch.0 || self.lost.contains(&worker) {
                lost.push(*id);
            } else if record.paused {
                paused.push(*id);
            }
        }
        (lost, paused)
    }

    /// Declares a worker lost, and puts what it held back into the queue.
    pub(crate) fn rescue(&mut self, worker: WorkerId) {
        self.lost.insert(worker);
        self.records.values_mut().filter(|record| record.is_held_by(worker)).for_each(|record| record.state = State::Pending);
    }

    /// Whether the execution still takes this message.
    pub(crate) fn accepts(&self, id: ExecutionId, message: &Message) -> bool {
        self.records.get(&id).is_some_and(|record| record.accepts(message))
    }

    /// Delivers a message; returns whether a wait took it.
    pub(crate) fn send(&mut self, id: ExecutionId, message: Message, now: DateTime<Utc>) -> bool {
        let arrival = self.next_ordinal();
        if !self.accepts(id, &message) {
            return false;
        }
        let Some(record) = self.records.get_mut(&id) else { return false };
        record.mailbox.insert(arrival, (message, now));
        record.deliver(now);
        let taken = !record.mailbox.contains_key(&arrival);
        if taken {
            record.wake();
        }
        taken
    }

    /// Gives a message to every open wait for the topic, of any execution; returns those executions.
    pub(crate) fn publish(&mut self, message: &Message, now: DateTime<Utc>) -> Vec<ExecutionId> {
        let arrival = self.next_ordinal();
        let took = self.records.iter_mut().filter_map(|(id, record)| {
            let took = record.publish(arrival, message, now);
            if took {
                record.wake();
            }
            took.then_some(*id)
        });
        took.collect()
    }

    /// Puts executions whose time has come back into the queue; returns how many.
    pub(crate) fn wake(&mut self, now: DateTime<Utc>) -> usize {
        let mut woken = 0;
        for record in self.records.values_mut() {
            if record.state == State::Waiting && record.wake_at.is_some_and(|wake_at| wake_at <= now) {
                record.end_due(now);
                record.state = State::Pending;
                woken += 1;
            }
        }
        woken
    }

    /// Cancels an execution or begins its rollback, and does the same to the children that end with it.
    pub(crate) fn end_early(
        &mut self,
        id: ExecutionId,
        failure: &Failure,
        compensate: bool,
        now: DateTime<Utc>,
    ) -> Vec<EndedEarly> {
        let ids = [id];
        if compensate { self.roll_back_families(&ids, failure, now) } else { self.cancel_families(&ids, failure, now) }
    }

    /// Checks that this attempt of the step with this idempotency key may begin.
    pub(crate) fn check_begin(&mut self, id: ExecutionId, step: Uuid, attempt: u32) {
        let namespace = self.namespace_of(id);
        let Some(record) = self.records.get_mut(&id) else { return };
        record.begun.insert(step);
        if record.past_steps.contains(&step) {
            self.violations.push(format!("a step of {id} has the idempotency key of a step from an earlier iteration"));
        }
        if let Some(key) = record.checkpoints.keys().find(|key| namespace.derive(key) == step) {
            self.violations.push(format!("`{key}` is committed, and ran again"));
        }
        let failed = record.attempts.values().filter(|recorded| recorded.failure.is_some() && recorded.attempt >= attempt);
        if let Some(recorded) = failed.into_iter().find(|recorded| namespace.derive(&recorded.key) == step) {
            self.violations.push(format!("attempt {attempt} of `{}` is on record, and ran again", recorded.key));
        }
    }

    pub(super) fn journals(&self, ids: &[ExecutionId]) -> Journals {
        ids.iter().filter_map(|id| Some((*id, Ok(self.records.get(id)?.journal())))).collect()
    }

    /// Whether this is the newest claim of the execution, and its worker is not lost.
    pub(super) fn is_fenced(&self, worker: WorkerId, id: ExecutionId, epoch: Epoch) -> bool {
        let newest = |record: &Record| record.worker == Some(worker) && record.epoch == epoch.0;
        self.records.get(&id).is_some_and(newest) && !self.lost.contains(&worker)
    }

    pub(super) fn held(&self, worker: WorkerId, id: ExecutionId, epoch: Epoch) -> bool {
        let is_running = self.records.get(&id).is_some_and(|record| record.state == State::Running);
        is_running && (self.is_broken(Break::Unfenced) || self.is_fenced(worker, id, epoch))
    }

    /// Writes what a save says; `again` says that an earlier try may have been recorded.
    pub(crate) fn save(&mut self, save: &Save, again: bool, now: DateTime<Utc>) -> Written {
        if !self.held(save.worker, save.id, save.epoch) {
            let moved = |record: &Record| save.next.as_ref().is_some_and(|next| State::after(next) == record.state);
            let saved =
                again && self.is_fenced(save.worker, save.id, save.epoch) && self.records.get(&save.id).is_some_and(moved);
            return if saved { Written::Accepted } else { Written::Refused };
        }
        for checkpoint in &*save.checkpoints {
            let ordinal = self.next_ordinal();
            let Some(record) = self.records.get_mut(&save.id) else { continue };
            match record.checkpoints.entry(checkpoint.key.clone()) {
                Place::Vacant(place) => {
                    place.insert((ordinal, checkpoint.clone()));
                    record.set_values(checkpoint);
                }
                Place::Occupied(_) if again => {}
                Place::Occupied(_) => self.violations.push(format!("`{}` was written twice", checkpoint.key)),
            }
        }
        let ordinal = self.next_ordinal();
        let (Some(next), Some(record)) = (&save.next, self.records.get_mut(&save.id)) else { return Written::Accepted };
        record.claims = 0;
        record.state = State::after(next);
        match next {
            NextState::Completed(end) | NextState::Failed(end) | NextState::RolledBack(_, end) => {
                record.end = Some(end.as_str().to_owned());
            }
            // If the database refuses to record an end, a person has to help.
            NextState::Stopped(reason) if reason.as_str().contains(REFUSED) => {}
            NextState::Stopped(reason) => self.violations.push(format!("stopped: {}", reason.as_str())),
            NextState::Released => {}
        }
        if record.is_over() {
            record.finished = Some((now, ordinal));
            let open = record.waits.values().filter(|wait| wait.outcome.is_none());
            self.violations.extend(
                open.filter(|_| !save.leaves_waits).map(|wait| format!("ended although the wait for `{}` is open", wait.name)),
            );
            record.cancel_waits(now);
        }
        Written::Accepted
    }

    /// The tags of an execution.
    pub(crate) fn tags(&self, id: ExecutionId) -> Tags {
        self.records.get(&id).map(|record| record.tags.clone()).unwrap_or_default()
    }

    /// The value that an execution has set under this name.
    pub(super) fn value(&self, id: ExecutionId, name: &str) -> Option<ExecutionValue> {
        self.records.get(&id)?.values.get(name).cloned()
    }

    pub(super) fn nodes(&self, id: ExecutionId) -> Vec<StoredNode> {
        self.records.get(&id).map(|record| record.nodes.values().cloned().collect()).unwrap_or_default()
    }

    pub(super) fn attempt(&mut self, record: &AttemptRecord) -> Written {
        let AttemptRecord { worker, epoch, attempt } = record;
        if !self.held(*worker, attempt.execution_id, *epoch) {
            return Written::Refused;
        }
        let Some(record) = self.records.get_mut(&attempt.execution_id) else { return Written::Refused };
        let recorded = record.attempts.entry((attempt.key.clone(), attempt.attempt)).or_insert_with(|| attempt.clone());
        // An attempt that has ended is not changed.
        if recorded.failure.is_none() {
            *recorded = attempt.clone();
        }
        Written::Accepted
    }

    pub(super) fn commit(&mut self, commit: &Commit, written: &[u64]) -> Committed {
        let Commit { worker, id, epoch, checkpoint } = commit;
        if !self.held(*worker, *id, *epoch) {
            return Committed::Refused;
        }
        let ordinal = self.next_ordinal();
        let Some(record) = self.records.get_mut(id) else { return Committed::Refused };
        if let Some((_, before)) = record.checkpoints.get(&checkpoint.key) {
            return Committed::Before(before.outcome.clone());
        }
        if self.how != Some(Break::ForgetsCheckpoints) {
            record.checkpoints.insert(checkpoint.key.clone(), (ordinal, checkpoint.clone()));
        }
        record.written.extend(written);
        Committed::Written
    }
}
