//! The callers of this process that wait for the ends of executions.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use crate::ids::ExecutionId;
use crate::store::executions::Finished;

/// The callers of this process that wait for a result.
#[derive(Debug, Default)]
pub(crate) struct Results {
    waiting: Mutex<HashMap<ExecutionId, Vec<oneshot::Sender<Finished>>>>,
    /// One of them may have ended elsewhere.
    pub(crate) look: Notify,
}

impl Results {
    /// The end of the execution, once this process learns of it.
    pub(crate) fn wait_for(&self, id: ExecutionId) -> oneshot::Receiver<Finished> {
        let (sender, receiver) = oneshot::channel();
        self.waiting().entry(id).or_default().push(sender);
        receiver
    }

    /// Gives the result to all who wait for it.
    pub(crate) fn deliver(&self, finished: &Finished) {
        let Some(waiting) = self.waiting().remove(&finished.id) else { return };
        for waiter in waiting {
            // A waiter that gave up is gone.
            let _ = waiter.send(finished.clone());
        }
    }

    /// Looks in the database if a handle waits for one of these executions.
    pub(super) fn look_for(&self, ids: &[ExecutionId]) {
        let waiting = self.waiting();
        if ids.iter().any(|id| waiting.contains_key(id)) {
            self.look.notify_one();
        }
    }

    /// The executions that a handle still waits for.
    pub(crate) fn wanted(&self) -> Vec<ExecutionId> {
        let mut waiting = self.waiting();
        waiting.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.is_closed());
            !waiters.is_empty()
        });
        waiting.keys().copied().collect()
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<ExecutionId, Vec<oneshot::Sender<Finished>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
