//! The ledger that is memory, for tests: the record of a simulated world, in which a scheduler answers the writes.

mod book;
mod continuing;
mod family;
mod message;
mod parking;
mod record;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::BoxFuture;
use super::hold::Hold;
use super::ledger::{FamilyNews, Here, Ledger};
use crate::error::{Error, ErrorKind, Failure, Result};
use crate::ids::{Epoch, ExecutionId, Home, WorkerId};
use crate::model::{ExecutionValue, StoredNode, Tags};
use crate::store::attempts::AttemptRecord;
use crate::store::continuations::{Continuation, Continued};
use crate::store::families::CancelledChildren;
use crate::store::journal::Journals;
use crate::store::parks::{Park, ParkOutcome};
use crate::store::saves::{Save, Written};
use crate::store::transactions::{Commit, Committed, Open};

pub(crate) use book::{Book, Break};
pub(crate) use message::Message;
pub(crate) use record::{Parent, Record, State};

/// What the database says when it refuses an operation.
pub(crate) const REFUSED: &str = "refused by the simulated database";

/// The ledger of one process; all ledgers of a world share its book.
#[derive(Debug)]
pub(crate) struct Memory {
    book: Arc<Mutex<Book>>,
    lease: watch::Receiver<Instant>,
    /// The id under which the process holds its lease.
    worker: watch::Receiver<WorkerId>,
    here: Here,
}

/// Operations that are not carried out yet, and answers that have not arrived.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) entries: VecDeque<Entry>,
    pub(crate) answers: VecDeque<Answer>,
}

/// An operation, and where its answer goes.
#[derive(Debug)]
pub(crate) enum Entry {
    Save(Save, oneshot::Sender<Result<Written>>),
    Park(Box<Park>, oneshot::Sender<Result<ParkOutcome>>),
    Attempt(AttemptRecord, oneshot::Sender<Result<Written>>),
    /// With the values that the transaction has written.
    Commit(Box<Commit>, Vec<u64>, oneshot::Sender<Result<Committed>>),
    Rollback(Rollback, oneshot::Sender<Result<bool>>),
    Continue(Box<Continuation>, oneshot::Sender<Result<Continued>>),
    Read(WorkerId, Vec<ExecutionId>, oneshot::Sender<Result<Journals>>),
    /// The child has ended: notifies its parent.
    Notify(WorkerId, ExecutionId),
    /// Cancels children that their parent no longer waits for.
    Abandon(WorkerId, Vec<ExecutionId>, oneshot::Sender<()>),
}

/// The beginning of a rollback by the worker that holds the execution.
#[derive(Debug)]
pub(crate) struct Rollback {
    pub(crate) worker: WorkerId,
    pub(crate) id: ExecutionId,
    pub(crate) epoch: Epoch,
    pub(crate) cause: Failure,
}

/// Operations with the same lane are carried out and answered in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LaneOf(WorkerId, Option<ExecutionId>, u8);

/// An answer on its way. Dropped, it never arrives.
pub(crate) struct Answer {
    pub(crate) worker: WorkerId,
    pub(crate) lane: LaneOf,
    /// What was done, for the trace.
    pub(crate) said: String,
    arrive: Box<dyn FnOnce() + Send>,
}

/// How the scheduler has an operation carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Commit,
    /// The database refuses it with an error of its own.
    Refuse,
}

impl Memory {
    pub(crate) fn new(book: Arc<Mutex<Book>>, lease: watch::Receiver<Instant>, worker: watch::Receiver<WorkerId>) -> Self {
        Self { book, lease, worker, here: Here::default() }
    }
}

/// Queues an operation, which the scheduler carries out.
pub(crate) fn ask<T: Send + 'static>(
    book: &Mutex<Book>,
    entry: impl FnOnce(oneshot::Sender<Result<T>>) -> Entry,
) -> BoxFuture<'static, Result<T>> {
    let (answer, answered) = oneshot::channel();
    lock(book).queue.entries.push_back(entry(answer));
    Box::pin(async move { answered.await.map_err(|_| Error::of_kind(ErrorKind::Unavailable, "the process has ended"))? })
}

pub(crate) fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger for Memory {
    fn save(&self, save: Save) -> BoxFuture<'static, Result<Written>> {
        ask(&self.book, |answer| Entry::Save(save, answer))
    }

    fn park<'park>(
        &'park self,
        park: &'park Park,
        given_up: &'park (dyn Fn() -> bool + Send + Sync),
    ) -> BoxFuture<'park, Result<ParkOutcome>> {
        let ask = || ask(&self.book, |answer| Entry::Park(Box::new(park.clone()), answer));
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
        ask(&self.book, |answer| Entry::Attempt(record, answer))
    }

    fn read_value(&self, id: ExecutionId, name: &str) -> BoxFuture<'static, Result<Option<ExecutionValue>>> {
        let value = lock(&self.book).value(id, name);
        Box::pin(async { Ok(value) })
    }

    fn read_nodes(&self, id: ExecutionId) -> BoxFuture<'static, Result<Vec<StoredNode>>> {
        let nodes = lock(&self.book).nodes(id);
        Box::pin(async { Ok(nodes) })
    }

    fn archive(&self, _: ExecutionId, _: Hold) -> BoxFuture<'static, Result<()>> {
        // Lists are no part of the simulation.
        Box::pin(async { Ok(()) })
    }

    fn continue_as_new<'next>(&'next self, continuation: &'next Continuation) -> BoxFuture<'next, Result<Continued>> {
        ask(&self.book, |answer| Entry::Continue(Box::new(continuation.clone()), answer))
    }

    fn read_tags(&self, id: ExecutionId) -> BoxFuture<'static, Result<Tags>> {
        let tags = lock(&self.book).tags(id);
        Box::pin(async { Ok(tags) })
    }

    fn begin(&self) -> BoxFuture<'_, Result<Open>> {
        Box::pin(async { Ok(Open::Memory(Vec::new())) })
    }

    fn commit<'commit>(&'commit self, transaction: Open, commit: &'commit Commit) -> BoxFuture<'commit, Result<Committed>> {
        let written = if let Open::Memory(written) = transaction { written } else { Vec::new() };
        ask(&self.book, |answer| Entry::Commit(Box::new(commit.clone()), written, answer))
    }

    fn lease(&self) -> &watch::Receiver<Instant> {
        &self.lease
    }

    fn tell(&self, news: FamilyNews) {
        if let FamilyNews::Orphaned(children, done) = news {
            lock(&self.book).queue.entries.push_back(Entry::Abandon(*self.worker.borrow(), children, done));
        }
    }

    fn new_id(&self, _home: Home) -> ExecutionId {
        lock(&self.book).new_id()
    }

    fn here(&self) -> &Here {
        &self.here
    }
}

impl Entry {
    pub(crate) fn worker(&self) -> WorkerId {
        match self {
            Self::Save(save, _) => save.worker,
            Self::Park(park, _) => park.worker,
            Self::Attempt(record, _) => record.worker,
            Self::Commit(commit, ..) => commit.worker,
            Self::Rollback(rollback, _) => rollback.worker,
            Self::Continue(continuation, _) => continuation.worker,
            Self::Read(worker, ..) | Self::Notify(worker, ..) | Self::Abandon(worker, ..) => *worker,
        }
    }

    pub(crate) fn lane(&self) -> LaneOf {
        let (id, kind) = match self {
            Self::Save(save, _) => (Some(save.id), 0),
            Self::Park(park, _) => (Some(park.id), 1),
            Self::Attempt(record, _) => (Some(record.attempt.execution_id), 2),
            Self::Rollback(rollback, _) => (Some(rollback.id), 3),
            Self::Read(_, ids, _) => (ids.first().copied(), 4),
            // Each transaction is on a connection of its own.
            Self::Commit(commit, ..) => (Some(commit.id), 5),
            Self::Notify(_, child) => (Some(*child), 6),
            Self::Abandon(_, children, _) => (children.first().copied(), 7),
            Self::Continue(continuation, _) => (Some(continuation.id), 8),
        };
        LaneOf(self.worker(), id, kind)
    }
}

impl Answer {
    fn new<T: Send + 'static>(entry: (WorkerId, LaneOf), said: String, to: oneshot::Sender<T>, answer: T) -> Self {
        let (worker, lane) = entry;
        let arrive = Box::new(move || {
            // The run may have stopped waiting.
            let _ = to.send(answer);
        });
        Self { worker, lane, said, arrive }
    }

    pub(crate) fn arrive(self) {
        (self.arrive)();
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("lane", &self.lane).field("said", &self.said).finish_non_exhaustive()
    }
}

impl Book {
    /// Carries out the operation at this place of the queue. Its answer is on its way.
    pub(crate) fn carry_out(&mut self, place: usize, verdict: Verdict, now: DateTime<Utc>) -> Option<Answer> {
        let entry = self.queue.entries.remove(place)?;
        let of = (entry.worker(), entry.lane());
        let id = of.1.1.map_or_else(String::new, |id| id.to_string());
        let refused = || Error::of_kind(ErrorKind::Database, REFUSED);
        Some(match (entry, verdict) {
            (Entry::Save(save, to), Verdict::Commit) => {
                let written = self.save(&save, save.again, now);
                let keys: Vec<&str> = save.checkpoints.iter().map(|checkpoint| checkpoint.key.as_str()).collect();
                Answer::new(of, format!("{id} save {keys:?} {:?} -> {written:?}", save.next), to, Ok(written))
            }
            (Entry::Park(park, to), Verdict::Commit) => {
                let outcome = self.park(&park, now);
                let said = format!("{id} park stays={} {:?} -> {outcome:?}", park.stays, park.dropped);
                Answer::new(of, said, to, Ok(outcome))
            }
            (Entry::Attempt(record, to), Verdict::Commit) => {
                let written = self.attempt(&record);
                let said = format!("{id} attempt {} at {} -> {written:?}", record.attempt.attempt, record.attempt.key);
                Answer::new(of, said, to, Ok(written))
            }
            (Entry::Commit(commit, written, to), Verdict::Commit) => {
                let committed = self.commit(&commit, &written);
                let said = format!("{id} commit of {} with {written:?} -> {committed:?}", commit.checkpoint.key);
                Answer::new(of, said, to, Ok(committed))
            }
            (Entry::Commit(_, written, to), Verdict::Refuse) => {
                let answer =
                    if written.iter().any(|value| value % 2 == 0) { Ok(Committed::Undone(refused())) } else { Err(refused()) };
                Answer::new(of, format!("{id} commit is refused"), to, answer)
            }
            (Entry::Rollback(rollback, to), Verdict::Commit) => {
                let ended_early = self.begin_rollback(&rollback, now);
                let begun = ended_early.is_some();
                self.ended_early.extend(ended_early.into_iter().flatten());
                Answer::new(of, format!("{id} rollback -> {begun}"), to, Ok(begun))
            }
            (Entry::Continue(continuation, to), Verdict::Commit) => {
                let continued = self.continue_as_new(&continuation);
                let said = format!("{id} continues with {} -> {continued:?}", continuation.input.as_str());
                Answer::new(of, said, to, Ok(continued))
            }
            (Entry::Continue(_, to), Verdict::Refuse) => {
                Answer::new(of, format!("{id} may not continue as new"), to, Err(refused()))
            }
            (Entry::Read(_, ids, to), Verdict::Commit) => {
                Answer::new(of, format!("{id} journal is read"), to, Ok(self.journals(&ids)))
            }
            (Entry::Notify(_, child), Verdict::Commit) => {
                let notified = self.notify_parent(child, now);
                Answer::new(of, format!("{id} parent -> {notified:?}"), oneshot::channel().0, ())
            }
            (Entry::Abandon(_, children, to), Verdict::Commit) => {
                let CancelledChildren { ended_early, .. } = self.cancel_children(&children, now);
                let said = format!("children {children:?} are cancelled, {} end", ended_early.len());
                self.ended_early.extend(ended_early);
                Answer::new(of, said, to, ())
            }
            (Entry::Notify(..), Verdict::Refuse) => {
                Answer::new(of, format!("{id} parent is not notified"), oneshot::channel().0, ())
            }
            // The engine has given up: others look for orphans.
            (Entry::Abandon(_, children, to), Verdict::Refuse) => {
                self.not_cancelled.extend(&children);
                Answer::new(of, format!("children {children:?} are not cancelled"), to, ())
            }
            (Entry::Save(_, to) | Entry::Attempt(_, to), Verdict::Refuse) => {
                Answer::new(of, format!("{id} write is refused"), to, Err(refused()))
            }
            (Entry::Park(_, to), Verdict::Refuse) => Answer::new(of, format!("{id} parking is refused"), to, Err(refused())),
            (Entry::Rollback(_, to), Verdict::Refuse) => Answer::new(of, format!("{id} rollback is refused"), to, Err(refused())),
            (Entry::Read(_, _, to), Verdict::Refuse) => {
                Answer::new(of, format!("{id} journal cannot be read"), to, Err(refused()))
            }
        })
    }
}
