//! The ledger that is memory, for tests: the record of a simulated world, in which a scheduler answers the writes.

use std::collections::btree_map::Entry as Place;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::BoxFuture;
use super::ledger::{FamilyNews, Here, Ledger};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::{
    Checkpoint, Due, FailedAttempt, JournalRecords, Outcome, RecordedWait, RefusedMessage, WaitKind, WaitOutcome,
};
use crate::payload::Payload;
use crate::store::attempts::AttemptRecord;
use crate::store::parks::{Park, ParkOutcome};
use crate::store::saves::{NextState, Save, Written};
use crate::store::transactions::{Commit, Committed, Open};

/// The ledger of one worker; all ledgers of a world share its book.
#[derive(Debug)]
pub(crate) struct Memory {
    book: Arc<Mutex<Book>>,
    lease: watch::Receiver<Instant>,
    here: Here,
}

/// What a world has on record, and the writes that are not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) records: BTreeMap<ExecutionId, Record>,
    pub(crate) queue: VecDeque<Entry>,
    /// Workers that were declared lost: no write of theirs counts.
    pub(crate) lost: BTreeSet<WorkerId>,
    /// What must never happen, and did.
    pub(crate) violations: Vec<String>,
    /// Stops counting epochs and lost workers: a break of the ledger, to be found out.
    pub(crate) unfenced: bool,
    /// Executions to which a client is sending a message: the client's transaction holds their mailboxes.
    pub(crate) sending: BTreeSet<ExecutionId>,
    pub(crate) ordinals: u64,
}

/// A write, and where its answer goes.
#[derive(Debug)]
pub(crate) enum Entry {
    Save(Save, oneshot::Sender<Result<Written>>),
    Park(Box<Park>, oneshot::Sender<Result<ParkOutcome>>),
    Attempt(AttemptRecord, oneshot::Sender<Result<Written>>),
}

/// How the scheduler has a write answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Commit,
    /// The database refuses the write with an error of its own.
    Refuse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Running,
    Waiting,
    Stopped,
    Completed,
    Failed,
}

impl State {
    fn after(next: &NextState) -> Self {
        match next {
            NextState::Completed(_) => Self::Completed,
            NextState::Failed(_) | NextState::RolledBack(..) => Self::Failed,
            NextState::Stopped(_) => Self::Stopped,
            NextState::Released => Self::Pending,
        }
    }
}

/// One execution on record.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) state: State,
    pub(crate) worker: Option<WorkerId>,
    pub(crate) epoch: i32,
    pub(crate) claims: i16,
    pub(crate) checkpoints: BTreeMap<String, Checkpoint>,
    attempts: BTreeMap<(String, u32), FailedAttempt>,
    pub(crate) waits: BTreeMap<String, WaitRow>,
    pub(crate) mailbox: VecDeque<Message>,
    /// How many messages the code could not use.
    pub(crate) refusals: usize,
    pub(crate) wake_at: Option<DateTime<Utc>>,
    pub(crate) end: Option<String>,
}

/// A message that no wait has taken.
#[derive(Debug)]
pub(crate) struct Message {
    arrival: u64,
    name: String,
    pub(crate) value: u64,
    sent_at: DateTime<Utc>,
}

#[derive(Debug)]
pub(crate) struct WaitRow {
    pub(crate) kind: WaitKind,
    pub(crate) name: String,
    pub(crate) outcome: Option<WaitOutcome>,
    pub(crate) message: Option<(u64, u64)>,
    due_at: Option<DateTime<Utc>>,
    resolved_at: Option<DateTime<Utc>>,
    ordinal: u64,
}

impl Memory {
    pub(crate) fn new(book: Arc<Mutex<Book>>, lease: watch::Receiver<Instant>) -> Self {
        Self { book, lease, here: Here::default() }
    }

    fn queue<T: Send + 'static>(&self, entry: impl FnOnce(oneshot::Sender<Result<T>>) -> Entry) -> BoxFuture<'static, Result<T>> {
        let (answer, answered) = oneshot::channel();
        lock(&self.book).queue.push_back(entry(answer));
        Box::pin(async move { answered.await.map_err(|_| Error::of_kind(ErrorKind::Unavailable, "the world has ended"))? })
    }
}

pub(crate) fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger for Memory {
    fn save(&self, save: Save) -> BoxFuture<'static, Result<Written>> {
        self.queue(|answer| Entry::Save(save, answer))
    }

    fn park<'park>(
        &'park self,
        park: &'park Park,
        given_up: &'park (dyn Fn() -> bool + Send + Sync),
    ) -> BoxFuture<'park, Result<ParkOutcome>> {
        let ask = || self.queue(|answer| Entry::Park(Box::new(park.clone()), answer));
        let mut asked = ask();
        Box::pin(async move {
            loop {
                match asked.await {
                    Ok(ParkOutcome::Busy) if !given_up() => asked = ask(),
                    other => return other,
                }
            }
        })
    }

    fn record_attempt(&self, record: AttemptRecord) -> BoxFuture<'static, Result<Written>> {
        self.queue(|answer| Entry::Attempt(record, answer))
    }

    fn begin(&self) -> BoxFuture<'_, Result<Open>> {
        Box::pin(async { Err(Error::of_kind(ErrorKind::Invalid, "a ledger in memory has no transactions")) })
    }

    fn commit<'commit>(&'commit self, _transaction: Open, _commit: &'commit Commit) -> BoxFuture<'commit, Result<Committed>> {
        Box::pin(async { Err(Error::of_kind(ErrorKind::Invalid, "a ledger in memory has no transactions")) })
    }

    fn lease(&self) -> &watch::Receiver<Instant> {
        &self.lease
    }

    fn tell(&self, _news: FamilyNews) {}

    fn here(&self) -> &Here {
        &self.here
    }
}

impl Entry {
    pub(crate) fn execution_id(&self) -> ExecutionId {
        match self {
            Self::Save(save, _) => save.id,
            Self::Park(park, _) => park.id,
            Self::Attempt(record, _) => record.attempt.execution_id,
        }
    }

    pub(crate) fn worker(&self) -> WorkerId {
        match self {
            Self::Save(save, _) => save.worker,
            Self::Park(park, _) => park.worker,
            Self::Attempt(record, _) => record.worker,
        }
    }

    /// Writes of one kind and execution are answered in order, as in a lane.
    pub(crate) fn lane(&self) -> (ExecutionId, u8) {
        let kind = match self {
            Self::Save(..) => 0,
            Self::Park(..) => 1,
            Self::Attempt(..) => 2,
        };
        (self.execution_id(), kind)
    }
}

impl Book {
    /// Writes the entry at this place of the queue, and answers it.
    pub(crate) fn answer(&mut self, place: usize, verdict: Verdict, now: DateTime<Utc>) -> String {
        let Some(entry) = self.queue.remove(place) else { return String::new() };
        let refused = || Error::of_kind(ErrorKind::Database, "refused by the simulated database");
        match (entry, verdict) {
            (Entry::Save(save, answer), Verdict::Commit) => {
                let written = self.save(&save, false);
                let keys: Vec<&str> = save.checkpoints.iter().map(|checkpoint| checkpoint.key.as_str()).collect();
                let _ = answer.send(Ok(written));
                format!("save {keys:?} {:?} -> {written:?}", save.next)
            }
            (Entry::Save(_, answer), Verdict::Refuse) => {
                let _ = answer.send(Err(refused()));
                "save -> refused by the database".to_owned()
            }
            (Entry::Park(park, answer), _) => {
                let outcome = self.park(&park, now);
                let said = format!("park stays={} {:?} -> {outcome:?}", park.stays, park.dropped);
                let _ = answer.send(Ok(outcome));
                said
            }
            (Entry::Attempt(record, answer), _) => {
                let written = self.attempt(&record);
                let _ = answer.send(Ok(written));
                format!("attempt {} at {} -> {written:?}", record.attempt.attempt, record.attempt.key)
            }
        }
    }

    pub(crate) fn create(&mut self, id: ExecutionId) {
        let record = Record {
            state: State::Pending,
            worker: None,
            epoch: 0,
            claims: 0,
            checkpoints: BTreeMap::new(),
            attempts: BTreeMap::new(),
            waits: BTreeMap::new(),
            mailbox: VecDeque::new(),
            refusals: 0,
            wake_at: None,
            end: None,
        };
        self.records.insert(id, record);
    }

    /// Gives a pending execution to a worker.
    pub(crate) fn claim(&mut self, id: ExecutionId, worker: WorkerId) -> Option<(Epoch, i16, JournalRecords)> {
        let record = self.records.get_mut(&id).filter(|record| record.state == State::Pending)?;
        record.state = State::Running;
        record.worker = Some(worker);
        record.epoch += 1;
        record.claims += 1;
        Some((Epoch(record.epoch), record.claims, record.journal()))
    }

    /// Puts what a worker held back into the queue.
    pub(crate) fn rescue(&mut self, worker: WorkerId) {
        self.lost.insert(worker);
        let held = self.records.values_mut().filter(|record| record.worker == Some(worker) && record.state == State::Running);
        held.for_each(|record| record.state = State::Pending);
    }

    /// Delivers a message; the result says whether a wait took it.
    pub(crate) fn send(&mut self, id: ExecutionId, name: &str, message: u64, now: DateTime<Utc>) -> bool {
        self.ordinals += 1;
        let arrival = self.ordinals;
        let Some(record) = self.records.get_mut(&id).filter(|record| !record.is_over()) else { return false };
        record.mailbox.push_back(Message { arrival, name: name.to_owned(), value: message, sent_at: now });
        record.deliver(now);
        let taken = !record.mailbox.iter().any(|kept| kept.arrival == arrival);
        if taken && record.state == State::Waiting {
            record.state = State::Pending;
        }
        taken
    }

    /// Puts an execution whose time has come back into the queue.
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

    /// Checks that this attempt of the step with this idempotency key may begin.
    pub(crate) fn check_begin(&mut self, id: ExecutionId, step: Uuid, attempt: u32) {
        let Some(record) = self.records.get(&id) else { return };
        if let Some(key) = record.checkpoints.keys().find(|key| id.derive(key) == step) {
            self.violations.push(format!("`{key}` is committed, and ran again"));
        }
        let failed = record.attempts.values().filter(|recorded| recorded.failure.is_some() && recorded.attempt >= attempt);
        if let Some(recorded) = failed.into_iter().find(|recorded| id.derive(&recorded.key) == step) {
            self.violations.push(format!("attempt {attempt} of `{}` is on record, and ran again", recorded.key));
        }
    }

    /// Whether this is the newest claim of the execution, and its worker is not lost.
    fn is_fenced(&self, worker: WorkerId, id: ExecutionId, epoch: Epoch) -> bool {
        let newest = |record: &Record| record.worker == Some(worker) && record.epoch == epoch.0;
        self.records.get(&id).is_some_and(newest) && !self.lost.contains(&worker)
    }

    fn held(&self, worker: WorkerId, id: ExecutionId, epoch: Epoch) -> bool {
        let is_running = self.records.get(&id).is_some_and(|record| record.state == State::Running);
        is_running && (self.unfenced || self.is_fenced(worker, id, epoch))
    }

    /// Writes what a save says; `again` says that the answer to an earlier try may have been lost.
    pub(crate) fn save(&mut self, save: &Save, again: bool) -> Written {
        if !self.held(save.worker, save.id, save.epoch) {
            let moved = |record: &Record| save.next.as_ref().is_some_and(|next| State::after(next) == record.state);
            let saved =
                again && self.is_fenced(save.worker, save.id, save.epoch) && self.records.get(&save.id).is_some_and(moved);
            return if saved { Written::Accepted } else { Written::Refused };
        }
        let Some(record) = self.records.get_mut(&save.id) else { return Written::Refused };
        for checkpoint in &*save.checkpoints {
            match record.checkpoints.entry(checkpoint.key.clone()) {
                Place::Vacant(place) => drop(place.insert(checkpoint.clone())),
                Place::Occupied(_) if again => {}
                Place::Occupied(_) => self.violations.push(format!("`{}` was written twice", checkpoint.key)),
            }
        }
        let Some(next) = &save.next else { return Written::Accepted };
        record.claims = 0;
        record.state = State::after(next);
        match next {
            NextState::Completed(end) | NextState::Failed(end) | NextState::RolledBack(_, end) => {
                record.end = Some(end.as_str().to_owned());
            }
            NextState::Stopped(reason) => self.violations.push(format!("stopped: {}", reason.as_str())),
            NextState::Released => {}
        }
        if next.is_end() {
            let open = record.waits.values_mut().filter(|wait| wait.outcome.is_none());
            for wait in open {
                if !save.leaves_waits {
                    self.violations.push(format!("ended although the wait for `{}` is open", wait.name));
                }
                wait.outcome = Some(WaitOutcome::Cancelled);
            }
        }
        Written::Accepted
    }

    fn attempt(&mut self, record: &AttemptRecord) -> Written {
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

    fn park(&mut self, park: &Park, now: DateTime<Utc>) -> ParkOutcome {
        let held = self.held(park.worker, park.id, park.epoch);
        let fenced = self.is_fenced(park.worker, park.id, park.epoch);
        if (held || fenced) && self.sending.contains(&park.id) {
            return ParkOutcome::Busy;
        }
        let Some(record) = self.records.get_mut(&park.id) else { return ParkOutcome::Lost };
        if !held {
            // The answer to an earlier try was lost.
            let parked = fenced && matches!(record.state, State::Waiting | State::Pending);
            return if parked { ParkOutcome::Parked { wake_at: record.wake_at } } else { ParkOutcome::Lost };
        }
        for RefusedMessage { key, message_id, .. } in &park.refused {
            let given = record.waits.get_mut(key).filter(|wait| wait.message_id() == *message_id && message_id.is_some());
            if let Some(wait) = given {
                (wait.outcome, wait.message) = (None, None);
                record.refusals += 1;
            }
        }
        for key in &park.dropped {
            record.drop_wait(key);
        }
        for wait in &park.waits {
            self.ordinals += 1;
            let due_at = match wait.due {
                Due::Never => None,
                Due::After(delay) => Some(now + delay),
                Due::At(time) => Some(time),
            };
            record.waits.entry(wait.key.clone()).or_insert(WaitRow {
                kind: wait.kind,
                name: wait.name.clone(),
                outcome: None,
                message: None,
                due_at,
                resolved_at: None,
                ordinal: self.ordinals,
            });
        }
        record.deliver(now);
        record.end_due(now);
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
        record.wake_at = due.into_iter().chain(park.wake_at).min();
        ParkOutcome::Parked { wake_at: record.wake_at }
    }
}

impl Record {
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Completed | State::Failed | State::Stopped)
    }

    pub(crate) fn journal(&self) -> JournalRecords {
        JournalRecords {
            checkpoints: self.checkpoints.values().cloned().collect(),
            attempts: self.attempts.values().cloned().collect(),
            waits: self.waits.iter().map(|(key, wait)| wait.recorded(key)).collect(),
            newest: None,
        }
    }

    /// The waits that have ended.
    pub(crate) fn resolved(&self) -> Vec<RecordedWait> {
        self.waits.iter().filter(|(_, wait)| wait.outcome.is_some()).map(|(key, wait)| wait.recorded(key)).collect()
    }

    /// The outcome of a step on record.
    pub(crate) fn output(&self, key: &str) -> Option<&str> {
        match &self.checkpoints.get(key)?.outcome {
            Outcome::Output(output) => Some(output.as_str()),
            Outcome::Error(_) => None,
        }
    }

    /// Gives each message to the wait that was first to ask for it; the oldest message first.
    fn deliver(&mut self, now: DateTime<Utc>) {
        for message in std::mem::take(&mut self.mailbox) {
            let open = self.waits.values_mut().filter(|wait| wait.kind == WaitKind::Event && wait.outcome.is_none());
            // A wait whose deadline has passed takes only what came before it.
            let in_time = |due_at: DateTime<Utc>| due_at > now || due_at >= message.sent_at;
            let fits = open.filter(|wait| wait.name == message.name && wait.due_at.is_none_or(in_time));
            match fits.min_by_key(|wait| wait.ordinal) {
                Some(wait) => {
                    wait.outcome = Some(WaitOutcome::Received);
                    wait.message = Some((message.arrival, message.value));
                    wait.resolved_at = Some(now);
                }
                None => self.mailbox.push_back(message),
            }
        }
    }

    fn end_due(&mut self, now: DateTime<Utc>) {
        let open = self.waits.values_mut().filter(|wait| wait.outcome.is_none());
        for wait in open.filter(|wait| wait.due_at.is_some_and(|due_at| due_at <= now)) {
            wait.outcome = Some(if wait.kind == WaitKind::Sleep { WaitOutcome::Elapsed } else { WaitOutcome::TimedOut });
            wait.resolved_at = Some(now);
        }
    }

    /// Ends a wait; a message that it has received goes back to its place in the mailbox.
    fn drop_wait(&mut self, key: &str) {
        let Some(wait) = self.waits.get_mut(key) else { return };
        let received = wait.outcome == Some(WaitOutcome::Received);
        if wait.outcome.is_some() && !received {
            return;
        }
        wait.outcome = Some(WaitOutcome::Cancelled);
        if let (Some((arrival, value)), Some(sent_at)) = (wait.message.take(), wait.resolved_at) {
            let place = self.mailbox.iter().position(|kept| kept.arrival > arrival).unwrap_or(self.mailbox.len());
            self.mailbox.insert(place, Message { arrival, name: wait.name.clone(), value, sent_at });
        }
    }
}

impl WaitRow {
    fn recorded(&self, key: &str) -> RecordedWait {
        RecordedWait {
            key: key.to_owned(),
            outcome: self.outcome,
            payload: self.message.and_then(|(_, message)| RawValue::from_string(message.to_string()).ok()),
            child_id: None,
            answered_by: None,
            resolved_at: self.resolved_at,
            message_id: self.message_id(),
            digest: None,
        }
    }

    fn message_id(&self) -> Option<Uuid> {
        self.message.map(|(arrival, _)| Uuid::from_u128(arrival.into()))
    }
}

/// What a workflow of a world returns, as it is recorded.
pub(crate) fn payload(text: &str) -> Payload {
    Payload(text.into())
}
