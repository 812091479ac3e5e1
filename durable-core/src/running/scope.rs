//! A scope: workflow code whose durable calls come one after another. `run` is one, and so is each branch of a join or a map.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::hold::Verdict;
use super::run::Run;
use super::step_handle::StepHandle;
use super::wakers::{Bell, Wakers};
use crate::error::{ErrorKind, Failure};
use crate::ids::ExecutionId;
use crate::plan::divergence;
use crate::plan::journal_key::{self, KeySequence};

/// Where durable calls take their journal keys from, one call at a time.
pub(crate) struct Scope {
    pub(crate) run: Arc<Run>,
    pub(crate) wakers: Wakers,
    around: Option<Arc<Scope>>,
    /// What its keys begin with.
    pub(super) path: String,
    /// What the code in the scope may know about itself, if it is an attempt.
    pub(crate) attempt: Option<StepHandle>,
    calls: Mutex<Calls>,
    abandoned: AtomicBool,
    only_replays: AtomicBool,
}

#[derive(Debug)]
pub(super) struct Calls {
    keys: KeySequence,
    /// The key of the durable call that was polled and has not finished.
    pub(super) under_way: Option<String>,
}

impl Scope {
    /// The scope of everything that runs in `run`; its keys begin with `path`.
    pub(crate) fn root(run: &Arc<Run>, path: &str) -> Arc<Self> {
        Arc::new(Self::new(run.clone(), run.bell(), None, path, None))
    }

    /// A scope inside this one, polled as part of a durable call of this one.
    pub(crate) fn branch(self: &Arc<Self>, path: &str) -> Arc<Self> {
        Arc::new(Self::new(self.run.clone(), Arc::new(Bell::default()), Some(self.clone()), path, None))
    }

    /// As [`branch`](Self::branch), for code that is an attempt and may make durable calls.
    pub(crate) fn attempt(self: &Arc<Self>, path: &str, handle: StepHandle) -> Arc<Self> {
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
    pub(crate) fn next_key(&self, kind: &str, name: &str) -> String {
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
    pub(crate) fn give_key(&self, key: String) {
        self.calls().keys.give(key);
    }

    /// Whether no durable call has taken the key that was given.
    pub(crate) fn has_given_key(&self) -> bool {
        self.calls().keys.has_given()
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
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed) || self.around.as_ref().is_some_and(|around| around.is_abandoned())
    }

    /// Lets the code in this scope come as far as its journal goes, and no further: nothing begins in it any more.
    pub(crate) fn only_replay(&self) {
        self.only_replays.store(true, Ordering::Relaxed);
    }

    /// Whether this scope, or one around it, only replays: its branch has lost.
    pub(crate) fn only_replays(&self) -> bool {
        self.only_replays.load(Ordering::Relaxed) || self.around.as_ref().is_some_and(|around| around.only_replays())
    }

    /// Whether nothing begins in this scope that is not in its journal: its branch has lost, or the whole run only reads.
    pub(crate) fn goes_no_further(&self) -> bool {
        self.run.only_reads() || self.only_replays()
    }

    /// Stops here, until it is dropped, what is about to begin in a scope that goes no further than its journal.
    pub(crate) async fn stop_if_only_replaying(&self) {
        if self.goes_no_further() {
            std::future::pending().await
        }
    }

    /// What its keys begin with; nothing for the scope that an execution begins in.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn calls(&self) -> MutexGuard<'_, Calls> {
        // No code that can panic runs under the lock.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("execution", &self.run.id).field("calls", &self.calls).finish_non_exhaustive()
    }
}
