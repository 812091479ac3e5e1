//! A scope: workflow code whose durable calls come one after another. `run` is one, and so is each branch of a join or a map.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll, Waker};

use super::ambient::{self, Ambient};
use super::run::{Run, Verdict};
use super::step_handle::StepHandle;
use super::wakers::{Bell, Wakers};
use crate::error::{ErrorKind, Failure};
use crate::ids::ExecutionId;
use crate::plan::divergence;
use crate::plan::journal_key::{self, KeySequence};

/// Where durable calls take their journal keys from, one call at a time.
pub(crate) struct Scope {
    pub(super) run: Arc<Run>,
    pub(super) wakers: Wakers,
    around: Option<Arc<Scope>>,
    /// What its keys begin with.
    path: String,
    /// What the code in it may know of itself, where it is an attempt at something.
    pub(super) attempt: Option<StepHandle>,
    calls: Mutex<Calls>,
    abandoned: AtomicBool,
    only_replays: AtomicBool,
}

#[derive(Debug)]
struct Calls {
    keys: KeySequence,
    /// The durable future that was polled and has not finished.
    under_way: Option<String>,
}

impl Scope {
    /// The scope of everything that runs in `run`; its keys begin with `path`.
    pub(crate) fn root(run: &Arc<Run>, path: &str) -> Arc<Self> {
        Arc::new(Self::new(run.clone(), run.bell(), None, path, None))
    }

    /// A scope inside this one, polled as part of a durable call of this one.
    pub(super) fn branch(self: &Arc<Self>, path: &str) -> Arc<Self> {
        Arc::new(Self::new(self.run.clone(), Arc::new(Bell::default()), Some(self.clone()), path, None))
    }

    /// As [`branch`](Self::branch), for code that is an attempt and may make durable calls.
    pub(super) fn attempt(self: &Arc<Self>, path: &str, handle: StepHandle) -> Arc<Self> {
        Arc::new(Self::new(self.run.clone(), Arc::new(Bell::default()), Some(self.clone()), path, Some(handle)))
    }

    fn new(run: Arc<Run>, bell: Arc<Bell>, around: Option<Arc<Self>>, path: &str, attempt: Option<StepHandle>) -> Self {
        Self {
            run,
            wakers: Wakers::new(bell),
            around,
            path: path.to_owned(),
            attempt,
            calls: Mutex::new(Calls { keys: KeySequence::within(path), under_way: None }),
            abandoned: AtomicBool::new(false),
            only_replays: AtomicBool::new(false),
        }
    }

    /// The journal key of the next durable call, in the order they are written.
    pub(super) fn next_key(&self, kind: &str, name: &str) -> String {
        let mut calls = self.calls();
        let key = calls.keys.next(kind, name);
        if key.len() > journal_key::LONGEST {
            self.run.give_up(Verdict::Refused(Box::new(Failure::new(ErrorKind::Invalid, journal_key::too_long(&key)))));
        }
        if let Some(under_way) = &calls.under_way {
            self.run.give_up(Verdict::Diverged(divergence::overlap(&key, under_way)));
        }
        key
    }

    /// Has the next durable call journalled under this key.
    pub(super) fn give_key(&self, key: String) {
        self.calls().keys.give(key);
    }

    /// Marks a durable call as polled and unfinished, until the guard is dropped.
    pub(super) fn set_out(self: &Arc<Self>, key: &str) -> UnderWay {
        if let Some(under_way) = self.calls().under_way.replace(key.to_owned()) {
            let elsewhere = ambient::scope().is_some_and(|scope| !Arc::ptr_eq(&scope, self));
            let report = if elsewhere { divergence::made_outside(key, &under_way) } else { divergence::overlap(key, &under_way) };
            self.run.give_up(Verdict::Diverged(report));
        }
        // Code that only replays has used what it went on from in an earlier life.
        if !self.only_replays() || self.run.is_recorded(key) {
            self.run.use_messages(&self.path);
        }
        UnderWay { scope: self.clone(), key: key.to_owned() }
    }

    /// Polls a future whose durable calls belong to this scope, if anything in it was woken.
    pub(super) fn poll<F: Future + ?Sized>(self: &Arc<Self>, future: Pin<&mut F>, outer: &Waker) -> Poll<F::Output> {
        if !self.wakers.begin_poll(outer) {
            return Poll::Pending;
        }
        let mut inner = task::Context::from_waker(self.wakers.counted());
        ambient::enter(Ambient::Flow(self.clone()), || future.poll(&mut inner))
    }

    pub(crate) fn execution_id(&self) -> ExecutionId {
        self.run.id
    }

    /// Whether code outside the engine holds a waker of this scope.
    pub(crate) fn waits_for_foreign_code(&self) -> bool {
        self.wakers.foreign_alive()
    }

    /// Says that the code in this scope is dropped because it is no longer wanted, not because its process lets go of it:
    /// what was cut off in it is recorded as such.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    /// Whether this scope, or one around it, is no longer wanted.
    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed) || self.around.as_ref().is_some_and(|around| around.is_abandoned())
    }

    /// Lets the code in this scope come as far as its journal goes, and no further: nothing begins in it any more.
    pub(super) fn only_replay(&self) {
        self.only_replays.store(true, Ordering::Relaxed);
    }

    /// Whether nothing begins in this scope that is not in its journal.
    pub(super) fn only_replays(&self) -> bool {
        self.only_replays.load(Ordering::Relaxed) || self.around.as_ref().is_some_and(|around| around.only_replays())
    }

    /// Stops here, until it is dropped, what is about to begin in a scope that only replays.
    pub(super) async fn stop_if_only_replaying(&self) {
        if self.only_replays() {
            std::future::pending().await
        }
    }

    /// What its keys begin with; nothing for the scope that an execution begins in.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        // No code that can panic runs under the lock.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A durable call that was polled and has not finished.
#[derive(Debug)]
pub(super) struct UnderWay {
    scope: Arc<Scope>,
    key: String,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut calls = self.scope.calls();
        if calls.under_way.as_deref() == Some(&self.key) {
            calls.under_way = None;
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("execution", &self.run.id).field("calls", &self.calls).finish_non_exhaustive()
    }
}
