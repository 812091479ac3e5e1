//! One execution in memory: its journal, waits and outbox under one lock, and the ledger that it writes to.

mod children;
mod commits;
pub(crate) mod continuing;
mod ending;
mod recorded;
mod waiting;
mod working;
mod writing;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};

use super::hold::{Hold, Owner, Verdict};
use super::journal::Journal;
use super::ledger::SharedLedger;
use super::outbox::Outbox;
use super::polling::Polling;
use super::rest::{self, Rest, Standing};
use super::waits::Waits;
use super::wakers::Bell;
use crate::clock::{Clock, Latest};
use crate::error::{Failure, Result};
use crate::ids::ExecutionId;
use crate::model::{Claimed, JournalRecords, RecordedWait};
use crate::observer::Observed;
use crate::payload::Payload;
use crate::telemetry::{Spans, Trace, WorkflowMetrics};
use crate::testing::Doubles;

pub(crate) use working::Busy;
use working::Work;

/// One execution in memory.
pub(crate) struct Run {
    pub(crate) id: ExecutionId,
    pub(crate) owner: Owner,
    /// The journal key of the step that it runs for its owner, if it runs no workflow.
    pub(crate) step_key: Option<String>,
    /// The due time that it was started for, if a schedule started it.
    pub(crate) scheduled_for: Option<DateTime<Utc>>,
    /// The observers of its execution.
    pub(crate) observed: Observed,
    pub(crate) spans: Spans,
    pub(crate) trace: Arc<Trace>,
    pub(crate) metrics: Arc<WorkflowMetrics>,
    /// What a test has replaced; `None` in production.
    pub(crate) doubles: Option<Arc<Doubles>>,
    ledger: SharedLedger,
    clock: Arc<Clock>,
    latest: Arc<Latest>,
    state: Mutex<State>,
    /// Rung when the execution should be polled.
    bell: Arc<Bell>,
    /// Notified when a write was settled; the outbox says how.
    write_settled: Notify,
    /// How many transactions of steps are being committed.
    committing: watch::Sender<usize>,
    cancelled: watch::Sender<bool>,
    draining: AtomicBool,
    /// Whether it has a journal.
    replays: AtomicBool,
    /// Whether it has continued as new: it has no journal, and may have values.
    continued: bool,
    /// Whether it ends where its journal ends: nothing begins in it, and nothing is written.
    only_reads: AtomicBool,
    pub(crate) polling: Polling,
    /// Notified when it may be time to ask the database about the waits: after a nudge, and after the answer to the last
    /// question.
    look_again: Notify,
}

#[derive(Debug)]
struct State {
    hold: Hold,
    journal: Journal,
    waits: Waits,
    outbox: Outbox,
    work: Work,
    /// Whether the code has come to its end: how long the database is asked no longer depends on what is busy.
    settling: bool,
    /// Whether something stopped because the worker shuts down, or because the execution is to be replayed.
    stopped: bool,
    /// Whether the recorded outcome of a step differs from what the code saw, so that the execution must be replayed.
    outdated: bool,
    verdict: Option<Verdict>,
    /// The names of its tags, once its code has set one in this process.
    tags: Option<BTreeSet<String>>,
}

impl Run {
    pub(crate) fn new(
        claimed: &Claimed,
        ledger: SharedLedger,
        clock: Arc<Clock>,
        observed: Observed,
        trace: Trace,
        metrics: Arc<WorkflowMetrics>,
        doubles: Option<Arc<Doubles>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            id: claimed.id,
            owner: Owner::of(claimed),
            step_key: claimed.step.as_ref().map(|step| step.key.clone()),
            scheduled_for: claimed.scheduled_for,
            observed,
            spans: Spans::of(claimed),
            trace: Arc::new(trace),
            metrics,
            doubles,
            ledger,
            clock,
            latest: Arc::default(),
            state: Mutex::new(State {
                hold: Hold::by(claimed),
                journal: Journal::default(),
                waits: Waits::default(),
                outbox: Outbox::default(),
                work: Work::default(),
                settling: false,
                stopped: false,
                outdated: false,
                verdict: None,
                tags: None,
            }),
            bell: Arc::default(),
            write_settled: Notify::new(),
            committing: watch::Sender::new(0),
            cancelled: watch::Sender::new(false),
            draining: AtomicBool::new(false),
            replays: AtomicBool::new(false),
            continued: claimed.continued,
            only_reads: AtomicBool::new(false),
            polling: Polling::default(),
            look_again: Notify::new(),
        })
    }

    /// Puts the journal in place of an execution that has run before.
    pub(crate) fn load(&self, journal: JournalRecords, after_crash: bool) {
        self.replays.store(true, Ordering::Relaxed);
        if let Some(newest) = journal.newest {
            self.latest.note(newest);
        }
        let mut state = self.state();
        state.journal.load(journal.checkpoints, journal.attempts, after_crash);
        state.waits.load(journal.waits);
    }

    /// Has the run end where its journal ends.
    pub(crate) fn only_read(&self) {
        self.only_reads.store(true, Ordering::Relaxed);
    }

    pub(crate) fn only_reads(&self) -> bool {
        self.only_reads.load(Ordering::Relaxed)
    }

    /// Goes on in memory after a new claim, with the waits that are over.
    pub(crate) fn wake(&self, hold: Hold, resolved: Vec<RecordedWait>) {
        self.state().hold = hold;
        self.resolve(resolved);
    }

    /// Whether the run rests after a poll; `goes_on` says that its code will be polled again without an answer from the engine.
    pub(super) fn rest_after(&self, polled: Result<Poll<Result<Payload>>, Box<Failure>>, goes_on: bool) -> Poll<Rest> {
        let state = self.state();
        match &state.verdict {
            Some(verdict) => Poll::Ready(Rest::Ended(verdict.clone())),
            None => rest::rest(polled, state.standing(goes_on)),
        }
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

    /// Turns the execution round: from here on its completed steps are undone, also if it was to end.
    pub(crate) fn turn_back(&self, cause: Failure) {
        let mut state = self.state();
        state.outbox.start_afresh();
        state.settling = false;
        state.journal.turn_back(cause);
        state.verdict.take_if(|verdict| matches!(verdict, Verdict::Refused(_)));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn standing(&self, goes_on: bool) -> Standing {
        Standing {
            is_outdated: self.outdated,
            has_stopped: self.stopped,
            busy: self.work.busy(),
            stuck: self.work.stuck,
            goes_on,
            has_answered: self.waits.has_answered(),
            waits: self.waits.has_any(),
            is_unknown: self.waits.has_news(),
            is_asking: self.waits.is_asking(),
            has_unsent: self.outbox.has_unsent(),
        }
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("id", &self.id).finish_non_exhaustive()
    }
}
