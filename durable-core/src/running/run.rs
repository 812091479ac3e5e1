//! One execution as it runs in memory: its journal, what it has written, and what it waits for.

mod commits;
mod losing;
mod polling;
mod recording;
mod refusing;
mod rest;
mod telling;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use chrono::{DateTime, Utc};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use self::polling::Polling;
use self::recording::Sent;
use self::telling::StepEnd;
use super::hold::{Hold, Owner, Verdict};
use super::wakers::Bell;
use crate::clock::{Clock, Latest};
use crate::error::{Failure, Result};
use crate::ids::ExecutionId;
use crate::model::{Checkpoint, Claimed, FailedAttempt, JournalRecords, NewWait, RecordedWait, RefusedMessage, Undoable};
use crate::observer::Observed;
use crate::store::Lane;
use crate::store::attempts::{AttemptRecord, Attempts};
use crate::store::parks::Parks;
use crate::store::saves::{NextState, Save, Saves, Written};
use crate::store::transactions::Transactions;
use crate::telemetry::{Spans, Trace, WorkflowMetrics};

pub(crate) use recording::Saved;
pub(crate) use rest::{Busy, Look, Rest};

/// The lanes that every run of a process writes to.
#[derive(Debug, Clone)]
pub(crate) struct Lanes {
    pub(crate) saves: Lane<Saves>,
    pub(crate) parks: Lane<Parks>,
    pub(crate) attempts: Lane<Attempts>,
    pub(crate) family: Family,
    pub(crate) transactions: Transactions,
    /// Until when this process's lease holds, as far as it knows.
    pub(crate) lease: watch::Receiver<Instant>,
}

/// What a run tells its process of its children.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    pub(crate) news: mpsc::UnboundedSender<FamilyNews>,
    /// The workflows that this process knows, and the queues that it works on.
    pub(crate) here: Arc<Here>,
}

/// Something that became of children.
#[derive(Debug)]
pub(crate) enum FamilyNews {
    /// One was started in this queue.
    Started(String),
    /// Their parent gave them up; answered once they are cancelled.
    Orphaned(Vec<ExecutionId>, oneshot::Sender<()>),
}

/// What this process can run.
#[derive(Debug, Default)]
pub(crate) struct Here {
    pub(crate) workflows: Vec<(&'static str, u32)>,
    pub(crate) queues: Vec<String>,
}

/// One execution in memory.
pub(crate) struct Run {
    pub(crate) id: ExecutionId,
    pub(crate) owner: Owner,
    /// The due time that it was started for, where a schedule started it.
    pub(crate) scheduled_for: Option<DateTime<Utc>>,
    /// Who is told of it.
    pub(crate) observed: Observed,
    pub(crate) spans: Spans,
    pub(crate) trace: Arc<Trace>,
    pub(crate) metrics: Arc<WorkflowMetrics>,
    lanes: Lanes,
    clock: Arc<Clock>,
    latest: Arc<Latest>,
    state: Mutex<State>,
    /// Rung when the execution should be polled.
    bell: Arc<Bell>,
    progress: watch::Sender<Progress>,
    /// How many transactions of steps are being committed.
    committing: watch::Sender<usize>,
    cancelled: watch::Sender<bool>,
    draining: AtomicBool,
    pub(crate) polling: Polling,
    /// Told when something may have answered a wait of this execution while it runs.
    pub(crate) nudged: Notify,
    /// Told when the database has been asked about the waits.
    pub(crate) asked: Notify,
}

#[derive(Debug)]
struct State {
    hold: Hold,
    /// Whether the worker before this one was lost while it held the execution.
    after_crash: bool,
    recorded: BTreeMap<String, Checkpoint>,
    attempts: BTreeMap<String, Vec<FailedAttempt>>,
    /// Waits in the journal that nobody has asked for yet: over, or still open.
    known: BTreeMap<String, RecordedWait>,
    /// How many of them are open.
    known_open: usize,
    /// Checkpoints of steps that have returned; they travel with the next write.
    unwritten: Vec<Checkpoint>,
    /// The steps among them, of which nobody was told yet.
    untold: Vec<StepEnd>,
    /// How many checkpoints were left so far.
    left: u64,
    /// How many of them were sent off to be written.
    sent: u64,
    /// The writes under way: up to which checkpoint each writes, and how many were sent off before it.
    in_flight: BTreeMap<u64, u64>,
    /// What a rollback would undo, by the order in which it was completed.
    undoable: BTreeMap<i32, Undoable>,
    /// Why the execution is being rolled back, if it is.
    rollback: Option<Failure>,
    /// Durable futures that do something else than wait.
    busy: usize,
    /// The branches that stopped because a write did not count.
    stuck: usize,
    /// Writes among them that go on without their futures.
    unanswered: usize,
    waits: HashMap<String, OpenWait>,
    /// How many of the waits the database does not know of.
    unregistered: usize,
    /// How many of the waits are over, and their futures have not looked yet.
    answered: usize,
    /// Waits that were dropped, and that the database takes for open.
    dropped: BTreeSet<String>,
    /// Messages that waits received and cannot use, not yet recorded in the database.
    refused: Vec<RefusedMessage>,
    /// Messages that code below a fork was given and has not gone on from: the keys of their waits, by the path of the scope.
    unused: BTreeMap<String, Vec<String>>,
    /// The children that dropped waits were for.
    orphaned: Vec<ExecutionId>,
    /// Whether a child may have completed whose end the code has not looked at and never will.
    unheard: bool,
    /// When the first of the registered waits is due.
    next_due: Option<DateTime<Utc>>,
    /// Whether the database is being asked about the waits.
    asking: bool,
    /// Whether the code has come to its end: nobody is asked any more who is busy.
    settling: bool,
    /// Whether somebody said, since it was last asked, that a wait may be over.
    nudged: bool,
    backoffs: HashMap<String, (DateTime<Utc>, Waker)>,
    /// Whether something stopped because the worker shuts down, or because the execution is to be replayed.
    stopped: bool,
    /// Whether the recorded outcome of a step differs from what the code saw, so that the execution must be replayed.
    outdated: bool,
    verdict: Option<Verdict>,
}

/// How much of what the run has left is committed.
#[derive(Debug, Clone, Copy)]
enum Progress {
    /// Everything up to this checkpoint, by the number in which they were left.
    UpTo(u64),
    /// No more than now: a write was refused.
    Refused,
}

/// A write that somebody waits for; seen to its end also when they no longer do.
struct Writing {
    run: Arc<Run>,
    left: u64,
    answer: Option<Answer>,
}

type Answer = Pin<Box<dyn Future<Output = Saved> + Send>>;

/// A wait that a future of this run is polled for.
#[derive(Debug)]
struct OpenWait {
    /// What to register; `None` once the database knows of it.
    new: Option<NewWait>,
    /// How it ended, until its future looks.
    over: Option<RecordedWait>,
    waker: Waker,
    /// The child that is waited for.
    child: Option<ExecutionId>,
}

impl Run {
    pub(crate) fn new(
        claimed: &Claimed,
        owner: Owner,
        lanes: Lanes,
        clock: Arc<Clock>,
        observed: Observed,
        trace: Trace,
        metrics: Arc<WorkflowMetrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id: claimed.id,
            owner,
            scheduled_for: claimed.scheduled_for,
            observed,
            spans: Spans::of(claimed),
            trace: Arc::new(trace),
            metrics,
            lanes,
            clock,
            latest: Arc::default(),
            state: Mutex::new(State {
                hold: Hold::by(claimed),
                after_crash: false,
                recorded: BTreeMap::new(),
                attempts: BTreeMap::new(),
                known: BTreeMap::new(),
                known_open: 0,
                unwritten: Vec::new(),
                untold: Vec::new(),
                left: 0,
                sent: 0,
                in_flight: BTreeMap::new(),
                undoable: BTreeMap::new(),
                rollback: None,
                busy: 0,
                stuck: 0,
                unanswered: 0,
                waits: HashMap::new(),
                unregistered: 0,
                answered: 0,
                dropped: BTreeSet::new(),
                refused: Vec::new(),
                unused: BTreeMap::new(),
                orphaned: Vec::new(),
                unheard: false,
                next_due: None,
                asking: false,
                settling: false,
                nudged: false,
                backoffs: HashMap::new(),
                stopped: false,
                outdated: false,
                verdict: None,
            }),
            bell: Arc::default(),
            progress: watch::Sender::new(Progress::UpTo(0)),
            committing: watch::Sender::new(0),
            cancelled: watch::Sender::new(false),
            draining: AtomicBool::new(false),
            polling: Polling::default(),
            nudged: Notify::new(),
            asked: Notify::new(),
        })
    }

    /// Puts the journal in place of an execution that has run before.
    pub(crate) fn load(&self, journal: JournalRecords, after_crash: bool) {
        let mut state = self.state();
        state.after_crash = after_crash;
        if let Some(newest) = journal.newest {
            self.latest.note(newest);
        }
        for checkpoint in journal.checkpoints {
            if let Some(order) = checkpoint.undo_order {
                state.undoable.insert(order, Undoable::of(&checkpoint));
            }
            state.recorded.insert(checkpoint.key.clone(), checkpoint);
        }
        for attempt in journal.attempts {
            // Those of a call that has ended concern nobody: left here, they would make it look cut off, and undone once more.
            if state.recorded.contains_key(&attempt.key) {
                continue;
            }
            state.attempts.entry(attempt.key.clone()).or_default().push(attempt);
        }
        state.known_open = journal.waits.iter().filter(|wait| wait.outcome.is_none()).count();
        state.known.extend(journal.waits.into_iter().map(|wait| (wait.key.clone(), wait)));
    }

    /// Goes on in memory after a new claim, with the waits that are over.
    pub(crate) fn wake(&self, hold: Hold, resolved: Vec<RecordedWait>) {
        self.state().hold = hold;
        self.resolve(resolved);
    }

    /// Ends the run from outside.
    pub(crate) fn end(&self, verdict: Verdict) {
        self.give_up(verdict);
        self.cancelled.send_replace(true);
    }

    /// Ends the run at its next poll, unless something else ended it before.
    pub(crate) fn give_up(&self, verdict: Verdict) {
        self.state().verdict.get_or_insert(verdict);
        self.bell.ring();
    }

    /// Asks the run to end at its next durable call.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.cancelled.send_replace(true);
    }

    /// Whether nobody has told it to stop.
    pub(crate) fn may_go_on(&self) -> bool {
        self.state().verdict.is_none() && !self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn hold(&self) -> Hold {
        self.state().hold
    }

    pub(crate) fn bell(&self) -> Arc<Bell> {
        self.bell.clone()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The database's time, but never earlier than the newest entry of the execution.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.latest.or(self.clock.now())
    }

    pub(crate) fn cancellation(&self) -> watch::Receiver<bool> {
        self.cancelled.subscribe()
    }

    /// What was recorded under the key; an entry is asked for once.
    pub(crate) fn take_recorded(&self, key: &str) -> Option<Checkpoint> {
        self.state().recorded.remove(key)
    }

    pub(crate) fn has_recorded(&self, key: &str) -> bool {
        self.state().recorded.contains_key(key)
    }

    /// The first of these keys under which an earlier life waited and nobody has asked yet, with the digest that was recorded.
    pub(crate) fn find_known(&self, mut keys: impl Iterator<Item = String>) -> Option<(String, Option<u64>)> {
        let state = self.state();
        if state.known.is_empty() {
            return None;
        }
        keys.find_map(|key| {
            let digest = state.known.get(&key)?.digest.map(i64::cast_unsigned);
            Some((key, digest))
        })
    }

    pub(crate) fn take_attempts(&self, key: &str) -> (Vec<FailedAttempt>, bool) {
        let mut state = self.state();
        let mut attempts = state.attempts.remove(key).unwrap_or_default();
        attempts.sort_by_key(|attempt| attempt.attempt);
        (attempts, state.after_crash)
    }

    /// Leaves a checkpoint for the next write: the one before the next step begins, or the one that ends the execution.
    pub(crate) fn leave_checkpoint(&self, checkpoint: Checkpoint) {
        let mut state = self.state();
        state.left += 1;
        state.unwritten.push(checkpoint);
    }

    /// As [`leave_checkpoint`](Self::leave_checkpoint), for what a rollback undoes.
    pub(crate) fn leave_undoable(&self, checkpoint: Checkpoint) {
        let Some(order) = self.enlist(&checkpoint) else { return self.leave_checkpoint(checkpoint) };
        self.leave_checkpoint(Checkpoint { undo_order: Some(order), ..checkpoint });
    }

    /// As [`leave_checkpoint`](Self::leave_checkpoint), for a step; once it is committed, that is told.
    pub(crate) fn leave_step(&self, step: &'static str, checkpoint: Checkpoint, undoable: bool) {
        let order = if undoable { self.enlist(&checkpoint) } else { None };
        let mut state = self.state();
        let end = self.end_of(step, state.unwritten.len(), &checkpoint);
        state.left += 1;
        state.untold.push(end);
        state.unwritten.push(Checkpoint { undo_order: order, ..checkpoint });
    }

    /// The place of a step among those that a rollback undoes, behind the others; none for what a rollback itself does.
    fn enlist(&self, checkpoint: &Checkpoint) -> Option<i32> {
        let mut state = self.state();
        if state.rollback.is_some() {
            return None;
        }
        let order = state.undoable.last_key_value().map_or(1, |(last, _)| last + 1);
        state.undoable.insert(order, Undoable::of(checkpoint));
        Some(order)
    }

    /// Waits until every checkpoint so far is committed. Does not return when the execution is no longer held.
    pub(crate) async fn commit_checkpoints(self: &Arc<Self>) {
        if self.write_checkpoints().await == Written::Refused {
            self.lose();
            let _stuck = Stuck::begin(self);
            std::future::pending().await
        }
    }

    /// Ends the run because one of its writes did not count, unless that has been handled.
    pub(crate) fn lose(&self) {
        if !self.state().outdated {
            self.give_up(Verdict::Lost);
        }
    }

    /// How the run ends because one of its writes did not count.
    pub(crate) fn verdict_of_refusal(&self) -> Verdict {
        let state = self.state();
        match &state.verdict {
            _ if state.outdated => Verdict::Released,
            Some(verdict) => verdict.clone(),
            None => Verdict::Lost,
        }
    }

    /// Forces a replay: the record of a step is not the outcome that the code went on with. Running steps are finished first.
    fn outdate(&self) {
        self.draining.store(true, Ordering::Relaxed);
        let mut state = self.state();
        state.outdated = true;
        state.stopped = true;
        drop(state);
        self.bell.ring();
    }

    /// Waits until every checkpoint so far is committed, or one was refused.
    pub(crate) async fn write_checkpoints(self: &Arc<Self>) -> Written {
        match self.begin_writing() {
            Some((left, answer)) => Writing { run: self.clone(), left, answer: Some(answer) }.written().await,
            // What there was another branch has taken along, in a write that may be under way still.
            None => self.until_written().await,
        }
    }

    /// Writes the checkpoints while the run goes on.
    pub(crate) fn write_checkpoints_soon(self: &Arc<Self>) {
        // Sent off before this returns, or the run would find them unwritten again and again.
        if let Some((left, answer)) = self.begin_writing() {
            self.write_on(left, answer);
        }
    }

    /// Sends off every checkpoint that was left, with the number up to which everything is committed once they are.
    fn begin_writing(&self) -> Option<(u64, Answer)> {
        let mut state = self.state();
        if state.unwritten.is_empty() {
            return None;
        }
        let (before, answer) = (state.sent, self.save(&mut state, None));
        state.sent = state.left;
        let sent = state.sent;
        state.in_flight.insert(sent, before);
        Some((sent, Box::pin(answer)))
    }

    /// Sees a write to its end while the run goes on.
    fn write_on(self: &Arc<Self>, left: u64, answer: Answer) {
        // A runtime that is gone has taken the whole run with it.
        let Ok(runtime) = Handle::try_current() else { return };
        let (run, write) = (self.clone(), self.begin_write());
        runtime.spawn(async move {
            let saved = answer.await;
            if run.wrote(left, saved) == Written::Refused {
                run.lose();
            }
            drop(write);
        });
    }

    /// Takes note of what became of a write. A later write may be answered before an earlier one, whose parts the database refused.
    fn wrote(&self, left: u64, saved: Saved) -> Written {
        let written = if let Saved::Written = saved { Written::Accepted } else { Written::Refused };
        match saved {
            Saved::Written | Saved::Lost => {}
            Saved::Replaced => self.outdate(),
            Saved::Unrecorded(failure) => self.give_up(Verdict::Refused(failure)),
        }
        let all_committed = {
            let mut state = self.state();
            state.in_flight.remove(&left);
            state.in_flight.first_key_value().map_or(state.sent, |(_, before)| *before)
        };
        self.progress.send_modify(|progress| match (written, &progress) {
            (Written::Accepted, Progress::UpTo(committed)) => *progress = Progress::UpTo(all_committed.max(*committed)),
            (Written::Accepted, Progress::Refused) => {}
            (Written::Refused, _) => *progress = Progress::Refused,
        });
        written
    }

    /// Returns when everything that was sent off so far is committed, or one of it was refused.
    pub(crate) async fn until_written(&self) -> Written {
        let sent = self.state().sent;
        self.until_committed(sent).await
    }

    /// Returns when everything up to this checkpoint is committed, or something was refused.
    async fn until_committed(&self, left: u64) -> Written {
        if let reached @ Progress::UpTo(_) = *self.progress.borrow()
            && reached.covers(left)
        {
            return Written::Accepted;
        }
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.covers(left)).await;
        // The sender is this run's own.
        reached.map_or(Written::Refused, |progress| progress.written())
    }

    /// Writes the state the execution goes to, together with the checkpoints that were left.
    pub(crate) async fn finish(&self, next: NextState) -> Saved {
        self.settled().await;
        // Earlier writes may still be refused; then the execution does not end like this.
        self.until_written().await;
        let (outdated, verdict) = {
            let state = self.state();
            (state.outdated && next.is_end(), state.verdict.clone())
        };
        if let (NextState::Completed(_), Some(Verdict::Refused(failure))) = (&next, verdict) {
            return Saved::Unrecorded(failure);
        }
        let answer = self.save(&mut self.state(), Some(if outdated { NextState::Released } else { next }));
        let saved = answer.await;
        self.until_answered().await;
        if let (Saved::Written, true) = (&saved, outdated) { Saved::Replaced } else { saved }
    }

    fn save(&self, state: &mut State, next: Option<NextState>) -> impl Future<Output = Saved> + use<> {
        let Hold { worker, epoch } = state.hold;
        let checkpoints = std::mem::take(&mut state.unwritten).into();
        let leaves_waits = !state.dropped.is_empty() || state.known_open > 0;
        let untold = self.untold(std::mem::take(&mut state.untold));
        let save = Save { worker, id: self.id, epoch, checkpoints, next, latest: self.latest.clone(), leaves_waits };
        Sent { saves: self.lanes.saves.clone(), save, untold }.written()
    }

    /// Records an attempt and waits for its commit; fails with what the database said if it refuses that. Does not return when the
    /// execution is no longer held.
    pub(crate) async fn record_attempt(self: &Arc<Self>, attempt: FailedAttempt) -> Result<(), Box<Failure>> {
        let (key, failure) = (attempt.key.clone(), attempt.failure.clone());
        match self.record_attempt_soon(attempt).await {
            Ok(Ok(Written::Accepted)) => Ok(()),
            Ok(Err(error)) if !recording::is_of_engine(&error) => {
                Err(recording::refused_attempt(&key, failure.as_deref(), &error))
            }
            _ => self.stop(Verdict::Lost).await,
        }
    }

    /// Sends off an attempt to be recorded; that is seen to its end also when nobody waits for it.
    pub(crate) fn record_attempt_soon(self: &Arc<Self>, attempt: FailedAttempt) -> oneshot::Receiver<Result<Written>> {
        let Hold { worker, epoch } = self.hold();
        let recorded = self.lanes.attempts.submit(AttemptRecord { worker, epoch, attempt });
        let (told, outcome) = oneshot::channel();
        let write = self.begin_write();
        tokio::spawn(async move {
            // Where the step is gone, nobody wants to know.
            let _ = told.send(recorded.await);
            drop(write);
        });
        outcome
    }

    /// Ends the run from inside: the calling future never returns, and the engine drops it.
    pub(crate) async fn stop<T>(&self, verdict: Verdict) -> T {
        self.give_up(verdict);
        std::future::pending().await
    }

    /// Stops here if the worker shuts down. The run ends when nothing else in it is under way: other branches finish their steps.
    pub(crate) async fn stop_if_draining(&self) {
        if self.draining.load(Ordering::Relaxed) {
            self.state().stopped = true;
            self.bell.ring();
            std::future::pending().await
        }
    }

    /// Waits while the lease may have run out, as when the database is away: no step begins that another worker may be running.
    pub(crate) async fn await_lease(&self) {
        if *self.lanes.lease.borrow() > Instant::now() {
            return;
        }
        let mut lease = self.lanes.lease.clone();
        if lease.wait_for(|until| *until > Instant::now()).await.is_err() {
            self.stop::<()>(Verdict::Released).await;
        }
    }

    /// Why a child cannot be started: this process works on its queue, and does not know it.
    pub(crate) fn refuses_child(&self, workflow: &str, version: u32, queue: &str) -> Option<String> {
        let here = &self.lanes.family.here;
        let known = here.workflows.contains(&(workflow, version));
        if known || !here.queues.iter().any(|worked_on| worked_on == queue) {
            return None;
        }
        let registered = here.workflows.iter().map(|(name, version)| format!("{name} version {version}"));
        Some(format!(
            "workflow `{workflow}` version {version} is not registered where its queue `{queue}` is worked on (registered: {}); \
             register it on the builder, or start it in a queue of workers that know it",
            registered.collect::<Vec<_>>().join(", ")
        ))
    }

    /// Has a child cancelled that nobody waits for any more; returns once it is, or once nobody can tell.
    pub(crate) async fn cancel_child(&self, child: Option<ExecutionId>) {
        let Some(child) = child else { return };
        self.note_unheard_child();
        let (done, cancelled) = oneshot::channel();
        // An engine that shuts down leaves it to the others: they look for orphans.
        let _ = self.lanes.family.news.send(FamilyNews::Orphaned(vec![child], done));
        let _ = cancelled.await;
    }

    /// Notes that a child may have completed without the code having looked at its end.
    pub(crate) fn note_unheard_child(&self) {
        self.state().unheard = true;
    }

    /// The children that were waited for when their waits were dropped.
    pub(crate) fn take_orphaned(&self) -> Vec<ExecutionId> {
        std::mem::take(&mut self.state().orphaned)
    }

    /// Whether a child may have completed whose end the code has not looked at.
    pub(crate) fn has_unheard_children(&self) -> bool {
        let state = self.state();
        state.unheard || state.known.values().any(|wait| wait.child_id.is_some())
    }

    /// Why the execution is being rolled back, if it is.
    pub(crate) fn rollback(&self) -> Option<Failure> {
        self.state().rollback.clone()
    }

    /// Turns the execution round: from here on its completed steps are undone. That it must not go on does not hold it up.
    pub(crate) fn turn_back(&self, cause: Failure) {
        let mut state = self.state();
        // The refused write caused the rollback; the rollback's own writes start afresh.
        let sent = state.sent;
        state.in_flight.clear();
        self.progress.send_if_modified(|progress| {
            let refused = matches!(progress, Progress::Refused);
            if refused {
                *progress = Progress::UpTo(sent);
            }
            refused
        });
        state.settling = false;
        state.rollback = Some(cause);
        state.verdict.take_if(|verdict| matches!(verdict, Verdict::Refused(_)));
    }

    /// What a rollback undoes, last completed first.
    pub(crate) fn undoable(&self) -> Vec<Undoable> {
        self.state().undoable.values().rev().cloned().collect()
    }

    /// The steps that have attempts and no outcome: they were cut off, by a crash or from outside.
    pub(crate) fn cut_off(&self) -> Vec<String> {
        let state = self.state();
        state.attempts.keys().filter(|key| !state.recorded.contains_key(*key)).cloned().collect()
    }

    /// Keys that were recorded and never asked for.
    pub(crate) fn unasked(&self) -> Vec<String> {
        let state = self.state();
        // A wait that was dropped is cancelled, and asked for by nobody.
        let waits = state.known.values().filter(|wait| !wait.is_cancelled()).map(|wait| &wait.key);
        let mut keys: Vec<String> = state.recorded.keys().chain(waits).cloned().collect();
        keys.sort_unstable();
        keys
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    fn covers(self, left: u64) -> bool {
        match self {
            Self::UpTo(committed) => committed >= left,
            Self::Refused => true,
        }
    }

    fn written(self) -> Written {
        if let Self::Refused = self { Written::Refused } else { Written::Accepted }
    }
}

/// While this guard lives, a future of the run counts as busy and does not go on.
struct Stuck<'run>(&'run Run);

impl<'run> Stuck<'run> {
    fn begin(run: &'run Run) -> Self {
        run.state().stuck += 1;
        run.bell.ring();
        Self(run)
    }
}

impl Drop for Stuck<'_> {
    fn drop(&mut self) {
        self.0.state().stuck -= 1;
    }
}

impl Writing {
    /// Waits for the commit, and for the commits of all earlier checkpoints.
    async fn written(mut self) -> Written {
        let Some(answer) = &mut self.answer else { return Written::Refused };
        let saved = answer.await;
        self.answer = None;
        match self.run.wrote(self.left, saved) {
            Written::Accepted => self.run.until_committed(self.left).await,
            Written::Refused => Written::Refused,
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // The branch that wrote is gone, and others count on its write.
        if let Some(answer) = self.answer.take() {
            self.run.write_on(self.left, answer);
        }
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("id", &self.id).finish_non_exhaustive()
    }
}
