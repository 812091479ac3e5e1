//! Executions that are watched, in this process or in others, and which of them changed.
//!
//! While no execution is watched, a write of this process only reads one number in memory.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::subject;
use crate::ids::ExecutionId;

/// The watched executions that this process knows of; shared by all clones.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watched(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// How many executions are watched.
    count: AtomicUsize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// By the hash with which lanes name an execution.
    executions: HashMap<u64, WatchedExecution>,
    changes: Changes,
}

#[derive(Debug)]
struct WatchedExecution {
    id: ExecutionId,
    here: bool,
    /// Until when other processes watch it, unless they repeat that they do.
    elsewhere_until: Option<Instant>,
}

/// What changed since the last look.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Watched in this process.
    pub(crate) here: BTreeSet<ExecutionId>,
    /// Changed by this process, and watched in others.
    pub(crate) elsewhere: BTreeSet<ExecutionId>,
    /// Whether another process asks which executions this process watches.
    pub(crate) asked: bool,
}

impl Watched {
    /// Notes that this process wrote about these subjects of a lane.
    pub(crate) fn note_written(&self, subjects: impl Iterator<Item = u64>) {
        if self.0.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut state = self.state();
        let mut is_news = false;
        for subject in subjects {
            is_news |= state.note(subject, true);
        }
        drop(state);
        if is_news {
            self.0.changed.notify_one();
        }
    }

    /// Notes that this process changed these executions.
    pub(crate) fn note(&self, ids: impl IntoIterator<Item = ExecutionId>) {
        self.note_written(ids.into_iter().map(subject));
    }

    /// Notes that other processes changed these executions.
    pub(crate) fn note_heard(&self, ids: &[ExecutionId]) {
        let mut state = self.state();
        for id in ids {
            state.note(subject(id), false);
        }
        drop(state);
        self.0.changed.notify_one();
    }

    /// Another process asks which executions this process watches.
    pub(crate) fn ask(&self) {
        self.state().changes.asked = true;
        self.0.changed.notify_one();
    }

    /// Everything that is watched here may have changed: notices may have been missed.
    pub(crate) fn note_all(&self) {
        let mut state = self.state();
        let State { executions, changes } = &mut *state;
        changes.here.extend(executions.values().filter(|watched| watched.here).map(|watched| watched.id));
        drop(state);
        self.0.changed.notify_one();
    }

    /// This process watches the execution from now on.
    pub(crate) fn watch(&self, id: ExecutionId) {
        self.state().watched(id).here = true;
        self.recount();
    }

    /// This process watches the execution no longer.
    pub(crate) fn forget(&self, id: ExecutionId) {
        let mut state = self.state();
        state.watched(id).here = false;
        state.changes.here.remove(&id);
        drop(state);
        self.recount();
    }

    /// Another process watches these executions, until then. An execution that is new counts as changed: this process may have
    /// changed it after the watcher read it, and before it learned that it is watched.
    pub(crate) fn watch_elsewhere(&self, ids: &[ExecutionId], until: Instant) {
        let now = Instant::now();
        let mut state = self.state();
        for id in ids {
            let watched = state.watched(*id);
            let is_new = !watched.is_watched_elsewhere(now);
            watched.elsewhere_until = Some(until);
            if is_new {
                state.changes.elsewhere.insert(*id);
            }
        }
        drop(state);
        self.recount();
        self.0.changed.notify_one();
    }

    /// Forgets executions that are watched no longer.
    pub(crate) fn recount(&self) {
        let mut state = self.state();
        let now = Instant::now();
        state.executions.retain(|_, watched| watched.here || watched.is_watched_elsewhere(now));
        self.0.count.store(state.executions.len(), Ordering::Relaxed);
    }

    /// Returns once something changed.
    pub(crate) async fn changed(&self) {
        self.0.changed.notified().await;
    }

    /// What changed since the last call.
    pub(crate) fn take_changes(&self) -> Changes {
        std::mem::take(&mut self.state().changes)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn watched(&mut self, id: ExecutionId) -> &mut WatchedExecution {
        self.executions.entry(subject(id)).or_insert(WatchedExecution { id, here: false, elsewhere_until: None })
    }

    /// Notes a change if the subject is watched, and says whether it is.
    fn note(&mut self, subject: u64, by_this_process: bool) -> bool {
        let Some(watched) = self.executions.get(&subject) else { return false };
        if watched.here {
            self.changes.here.insert(watched.id);
        }
        if by_this_process && watched.is_watched_elsewhere(Instant::now()) {
            self.changes.elsewhere.insert(watched.id);
        }
        true
    }
}

impl WatchedExecution {
    fn is_watched_elsewhere(&self, now: Instant) -> bool {
        self.elsewhere_until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_change_is_noted_where_the_execution_is_watched_and_nowhere_else() {
        let (watched, [here, elsewhere, unwatched]) = (Watched::default(), std::array::from_fn(|_| ExecutionId::new()));
        watched.note([here, elsewhere, unwatched]);
        assert!(watched.changed().now_or_never().is_none());

        watched.watch(here);
        watched.watch_elsewhere(&[elsewhere], Instant::now() + Duration::from_secs(60));
        assert!(watched.changed().now_or_never().is_some());
        assert_eq!(watched.take_changes().elsewhere, [elsewhere].into(), "it may have changed before this was known");
        watched.note([unwatched]);
        assert!(watched.changed().now_or_never().is_none());
        watched.note([here, elsewhere, unwatched]);
        assert!(watched.changed().now_or_never().is_some());
        let changes = watched.take_changes();
        assert_eq!((changes.here, changes.elsewhere), ([here].into(), [elsewhere].into()));

        // A notice from another process is not passed on.
        watched.note_heard(&[here, elsewhere]);
        let changes = watched.take_changes();
        assert_eq!((changes.here, changes.elsewhere), ([here].into(), BTreeSet::new()));
    }

    #[tokio::test(start_paused = true)]
    async fn other_processes_watch_as_long_as_they_repeat_it() {
        let (watched, id) = (Watched::default(), ExecutionId::new());
        watched.watch_elsewhere(&[id], Instant::now() + Duration::from_secs(60));
        watched.take_changes();
        tokio::time::advance(Duration::from_secs(61)).await;
        watched.note([id]);
        assert!(watched.take_changes().elsewhere.is_empty());
        watched.recount();
        assert_eq!(watched.0.count.load(Ordering::Relaxed), 0);
        watched.watch(id);
        watched.forget(id);
        assert_eq!(watched.0.count.load(Ordering::Relaxed), 0);
    }
}
