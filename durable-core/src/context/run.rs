//! One execution as it runs in memory: its journal, the futures under way in it, and how it comes to rest.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll, Wake, Waker};

use chrono::{DateTime, Utc};
use futures_util::task::AtomicWaker;
use tokio::sync::watch;
use tokio::time::Instant;

use super::ambient::{self, Ambient};
use super::panics;
use crate::clock::Clock;
use crate::error::{Failure, Result};
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::{Checkpoint, FailedAttempt, JournalRecords, NewWait, ResolvedWait};
use crate::payload::Payload;
use crate::plan::divergence;
use crate::plan::journal_key::KeySequence;
use crate::store::Lane;
use crate::store::attempts::{AttemptRecord, Attempts};
use crate::store::parks::{Park, Parks};
use crate::store::saves::{NextState, Save, Saves, Written};

/// The workflow's future, with its output encoded.
pub(crate) type Body = Pin<Box<dyn Future<Output = Result<Payload>> + Send>>;

/// The lanes that every run of a process writes to.
#[derive(Debug, Clone)]
pub(crate) struct Lanes {
    pub(crate) saves: Lane<Saves>,
    pub(crate) parks: Lane<Parks>,
    pub(crate) attempts: Lane<Attempts>,
    /// Until when this process's lease holds, as far as it knows.
    pub(crate) lease: watch::Receiver<Instant>,
}

/// Under which worker and epoch this process holds the execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) worker: WorkerId,
    pub(crate) epoch: Epoch,
}

/// Why a run ends before its workflow does. Never an error that workflow code could swallow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The code does not fit its journal; with the report.
    Diverged(String),
    /// Another worker holds the execution, or nobody.
    Lost,
    /// The worker shuts down; the execution goes back to its queue.
    Released,
}

/// How far one stretch of running got.
#[derive(Debug)]
pub(crate) enum Rest {
    /// The workflow returned.
    Finished(Result<Payload>),
    /// The workflow panicked.
    Panicked(Box<Failure>),
    /// Checkpoints were left, and no step has begun that would write them.
    Unwritten,
    /// Nothing runs and something waits.
    Waiting,
    /// The run ends here.
    Ended(Verdict),
}

/// One execution in memory.
pub(crate) struct Run {
    pub(crate) id: ExecutionId,
    lanes: Lanes,
    clock: Arc<Clock>,
    state: Mutex<State>,
    wakers: Wakers,
    cancelled: watch::Sender<bool>,
    draining: AtomicBool,
}

#[derive(Debug)]
struct State {
    hold: Hold,
    /// Whether the worker before this one was lost while it held the execution.
    after_crash: bool,
    keys: KeySequence,
    recorded: HashMap<String, Checkpoint>,
    attempts: HashMap<String, Vec<FailedAttempt>>,
    resolved: HashMap<String, ResolvedWait>,
    /// Checkpoints of steps that have returned; they travel with the next write.
    unwritten: Vec<Checkpoint>,
    /// The durable future that was polled and has not finished.
    under_way: Option<String>,
    /// Durable futures that do something else than wait.
    busy: usize,
    waits: HashMap<String, (NewWait, Waker)>,
    backoffs: HashMap<String, (DateTime<Utc>, Waker)>,
    verdict: Option<Verdict>,
}

impl Run {
    pub(crate) fn new(id: ExecutionId, hold: Hold, lanes: Lanes, clock: Arc<Clock>) -> Arc<Self> {
        Arc::new(Self {
            id,
            lanes,
            clock,
            state: Mutex::new(State {
                hold,
                after_crash: false,
                keys: KeySequence::default(),
                recorded: HashMap::new(),
                attempts: HashMap::new(),
                resolved: HashMap::new(),
                unwritten: Vec::new(),
                under_way: None,
                busy: 0,
                waits: HashMap::new(),
                backoffs: HashMap::new(),
                verdict: None,
            }),
            wakers: Wakers::default(),
            cancelled: watch::Sender::new(false),
            draining: AtomicBool::new(false),
        })
    }

    /// Puts the journal in place of an execution that has run before.
    pub(crate) fn load(&self, journal: JournalRecords, after_crash: bool) {
        let mut state = self.state();
        state.after_crash = after_crash;
        state.recorded.extend(journal.checkpoints.into_iter().map(|checkpoint| (checkpoint.key.clone(), checkpoint)));
        for attempt in journal.attempts {
            state.attempts.entry(attempt.key.clone()).or_default().push(attempt);
        }
        state.resolved.extend(journal.waits.into_iter().map(|wait| (wait.key.clone(), wait)));
    }

    /// Goes on in memory after a new claim, with the waits that are over.
    pub(crate) fn wake(&self, hold: Hold, resolved: Vec<ResolvedWait>) {
        self.state().hold = hold;
        self.resolve(resolved);
    }

    /// Hands over waits that are over, and lets every waiting future look.
    pub(crate) fn resolve(&self, resolved: Vec<ResolvedWait>) {
        let mut state = self.state();
        let asked: Vec<ResolvedWait> = resolved.into_iter().filter(|wait| state.waits.contains_key(&wait.key)).collect();
        state.resolved.extend(asked.into_iter().map(|wait| (wait.key.clone(), wait)));
        let mut wakers: Vec<Waker> = state.waits.drain().map(|(_, (_, waker))| waker).collect();
        wakers.extend(state.backoffs.drain().map(|(_, (_, waker))| waker));
        drop(state);
        wakers.iter().for_each(Waker::wake_by_ref);
    }

    /// Ends the run from outside.
    pub(crate) fn end(&self, verdict: Verdict) {
        self.state().verdict.get_or_insert(verdict);
        self.cancelled.send_replace(true);
        self.wakers.inner.wake_by_ref();
    }

    /// Asks the run to end at its next durable call.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.cancelled.send_replace(true);
    }

    pub(crate) fn hold(&self) -> Hold {
        self.state().hold
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(super) fn cancellation(&self) -> watch::Receiver<bool> {
        self.cancelled.subscribe()
    }

    /// The journal key of the next durable call, in the order they are written.
    pub(super) fn next_key(&self, kind: &str, name: &str) -> String {
        let mut state = self.state();
        let key = state.keys.next(kind, name);
        if let Some(under_way) = &state.under_way {
            let report = divergence::overlap(&key, under_way);
            state.verdict.get_or_insert(Verdict::Diverged(report));
        }
        key
    }

    /// Marks a durable future as polled and unfinished.
    pub(super) fn set_out(&self, key: &str) {
        let mut state = self.state();
        if let Some(under_way) = state.under_way.replace(key.to_owned()) {
            let report = divergence::overlap(key, &under_way);
            state.verdict.get_or_insert(Verdict::Diverged(report));
        }
    }

    /// Marks it as finished, or dropped.
    pub(super) fn arrive(&self, key: &str) {
        let mut state = self.state();
        if state.under_way.as_deref() == Some(key) {
            state.under_way = None;
        }
        state.waits.remove(key);
        state.backoffs.remove(key);
    }

    /// What was recorded under the key; an entry is asked for once.
    pub(super) fn take_recorded(&self, key: &str) -> Option<Checkpoint> {
        self.state().recorded.remove(key)
    }

    pub(super) fn take_attempts(&self, key: &str) -> (Vec<FailedAttempt>, bool) {
        let mut state = self.state();
        let mut attempts = state.attempts.remove(key).unwrap_or_default();
        attempts.sort_by_key(|attempt| attempt.attempt);
        (attempts, state.after_crash)
    }

    pub(super) fn take_resolved(&self, key: &str) -> Option<ResolvedWait> {
        self.state().resolved.remove(key)
    }

    /// Registers what a future waits for; it is woken when anything of this execution is resolved.
    pub(super) fn register_wait(&self, wait: NewWait, waker: Waker) {
        self.state().waits.insert(wait.key.clone(), (wait, waker));
    }

    /// Registers a back-off that is too long to be sat out in memory.
    pub(super) fn register_backoff(&self, key: &str, until: DateTime<Utc>, waker: Waker) {
        self.state().backoffs.insert(key.to_owned(), (until, waker));
    }

    /// Counts a future as doing something until the guard is dropped.
    pub(super) fn begin_work(self: &Arc<Self>) -> Busy {
        self.state().busy += 1;
        Busy { run: self.clone() }
    }

    /// Leaves a checkpoint for the next write: the one before the next step begins, or the one that ends the execution.
    pub(super) fn leave_checkpoint(&self, checkpoint: Checkpoint) {
        self.state().unwritten.push(checkpoint);
    }

    /// Waits until every checkpoint so far is committed. Does not return when the execution is no longer held.
    pub(super) async fn commit_checkpoints(&self) {
        if self.write_checkpoints().await == Written::Refused {
            self.stop::<()>(Verdict::Lost).await;
        }
    }

    /// Writes every checkpoint so far.
    pub(crate) async fn write_checkpoints(&self) -> Written {
        let (hold, checkpoints) = {
            let mut state = self.state();
            (state.hold, std::mem::take(&mut state.unwritten))
        };
        if checkpoints.is_empty() {
            return Written::Accepted;
        }
        self.save(hold, checkpoints, None).await
    }

    /// Writes the state the execution goes to, together with the checkpoints that were left.
    pub(crate) async fn finish(&self, next: NextState) -> Written {
        let (hold, checkpoints) = {
            let mut state = self.state();
            (state.hold, std::mem::take(&mut state.unwritten))
        };
        self.save(hold, checkpoints, Some(next)).await
    }

    async fn save(&self, hold: Hold, checkpoints: Vec<Checkpoint>, next: Option<NextState>) -> Written {
        let save = Save { worker: hold.worker, id: self.id, epoch: hold.epoch, checkpoints, next };
        match self.lanes.saves.write(save).await {
            Ok(written) => written,
            Err(error) => {
                // The database refuses the row itself; what was not written runs again elsewhere, or fails after its claims.
                tracing::error!(execution_id = %self.id, %error, "a checkpoint was refused");
                Written::Refused
            }
        }
    }

    /// Records an attempt and waits for its commit. Does not return when the execution is no longer held.
    pub(super) async fn record_attempt(&self, attempt: FailedAttempt) {
        let hold = self.hold();
        let record = AttemptRecord { worker: hold.worker, epoch: hold.epoch, attempt };
        if !matches!(self.lanes.attempts.write(record).await, Ok(Written::Accepted)) {
            self.stop::<()>(Verdict::Lost).await;
        }
    }

    /// Records an attempt without waiting.
    pub(super) fn record_attempt_soon(&self, attempt: FailedAttempt) {
        let hold = self.hold();
        self.lanes.attempts.write_soon(AttemptRecord { worker: hold.worker, epoch: hold.epoch, attempt });
    }

    /// Ends the run from inside: the calling future never returns, and the engine drops it.
    pub(super) async fn stop<T>(&self, verdict: Verdict) -> T {
        self.state().verdict.get_or_insert(verdict);
        self.wakers.inner.wake_by_ref();
        std::future::pending().await
    }

    /// Stops here if the worker shuts down.
    pub(super) async fn stop_if_draining(&self) {
        if self.draining.load(Ordering::Relaxed) {
            self.stop::<()>(Verdict::Released).await;
        }
    }

    /// Waits while the lease may have run out, as when the database is away: no step begins that another worker may be running.
    pub(super) async fn await_lease(&self) {
        if *self.lanes.lease.borrow() > Instant::now() {
            return;
        }
        let mut lease = self.lanes.lease.clone();
        if lease.wait_for(|until| *until > Instant::now()).await.is_err() {
            self.stop::<()>(Verdict::Released).await;
        }
    }

    /// What to park with.
    pub(crate) fn to_park(&self) -> Park {
        let state = self.state();
        Park {
            worker: state.hold.worker,
            id: self.id,
            epoch: state.hold.epoch,
            waits: state.waits.values().map(|(wait, _)| wait.clone()).collect(),
            wake_at: state.backoffs.values().map(|(until, _)| *until).min(),
        }
    }

    /// Keys that were recorded and never asked for.
    pub(crate) fn unasked(&self) -> Vec<String> {
        let state = self.state();
        let mut keys: Vec<String> = state.recorded.keys().chain(state.resolved.keys()).cloned().collect();
        keys.sort_unstable();
        keys
    }

    /// Whether code outside the engine holds a waker of this run, so that nobody can tell when it goes on.
    pub(crate) fn waits_for_foreign_code(&self) -> bool {
        self.wakers.foreign_alive()
    }

    /// The waker a durable future keeps: one that does not count as foreign, unless it is polled by a combinator of its own.
    pub(super) fn own_waker(&self, given: &Waker) -> Waker {
        if self.wakers.root_waker.will_wake(given) { self.wakers.inner.clone() } else { given.clone() }
    }

    /// Polls the workflow until it comes to rest.
    pub(crate) async fn until_rest(self: &Arc<Self>, body: &mut Body) -> Rest {
        std::future::poll_fn(|cx| self.poll_rest(body, cx)).await
    }

    fn poll_rest(self: &Arc<Self>, body: &mut Body, cx: &task::Context<'_>) -> Poll<Rest> {
        self.wakers.notified.outer.register(cx.waker());
        if let Some(verdict) = self.state().verdict.clone() {
            return Poll::Ready(Rest::Ended(verdict));
        }
        self.wakers.root.woken.store(false, Ordering::Relaxed);
        let mut root = task::Context::from_waker(&self.wakers.root_waker);
        let polled = ambient::enter(Ambient::Run(self.clone()), || panics::catch(|| body.as_mut().poll(&mut root)));
        let state = self.state();
        if let Some(verdict) = state.verdict.clone() {
            return Poll::Ready(Rest::Ended(verdict));
        }
        match polled {
            Ok(Poll::Ready(result)) => return Poll::Ready(Rest::Finished(result)),
            Err(failure) => return Poll::Ready(Rest::Panicked(failure)),
            Ok(Poll::Pending) => {}
        }
        if !state.unwritten.is_empty() {
            return Poll::Ready(Rest::Unwritten);
        }
        let waits = !(state.waits.is_empty() && state.backoffs.is_empty());
        let goes_on = self.wakers.root.woken.load(Ordering::Relaxed) || self.wakers.foreign_alive();
        if waits && state.busy == 0 && !goes_on { Poll::Ready(Rest::Waiting) } else { Poll::Pending }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("id", &self.id).finish_non_exhaustive()
    }
}

/// While it lives, a future of the run does something else than wait.
#[derive(Debug)]
pub(super) struct Busy {
    run: Arc<Run>,
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.run.state().busy -= 1;
    }
}

/// The wakers of one run. The root one is given to workflow code: while a clone of it lives, foreign code may wake the run,
/// and the run must not be parked. The engine's own futures keep the inner one instead.
struct Wakers {
    notified: Arc<Notified>,
    root: Arc<Root>,
    root_waker: Waker,
    inner: Waker,
}

#[derive(Default)]
struct Notified {
    outer: AtomicWaker,
}

struct Root {
    woken: AtomicBool,
    notified: Arc<Notified>,
}

impl Default for Wakers {
    fn default() -> Self {
        let notified = Arc::new(Notified::default());
        let root = Arc::new(Root { woken: AtomicBool::new(false), notified: notified.clone() });
        Self { root_waker: Waker::from(root.clone()), inner: Waker::from(notified.clone()), notified, root }
    }
}

impl Wakers {
    fn foreign_alive(&self) -> bool {
        const OURS: usize = 2; // `root` and `root_waker`
        Arc::strong_count(&self.root) > OURS
    }
}

impl Wake for Notified {
    fn wake(self: Arc<Self>) {
        self.outer.wake();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.outer.wake();
    }
}

impl Wake for Root {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Relaxed);
        self.notified.outer.wake();
    }
}
