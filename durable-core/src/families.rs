//! Families: notifies parents of the ends of their children, and ends children that their parents no longer wait for.

use std::sync::Arc;
use std::time::Duration;

use crate::ids::ExecutionId;
use crate::signals::Signals;
use crate::store::families::{self, CancelledChildren, EndedEarly, LARGEST_FAMILY};
use crate::store::parents::{self, Notifications, Notified};
use crate::store::{Lane, Store};

/// Pause before another try, if a message to the execution is being written: about as long as a commit takes.
const PAUSE_WHEN_BUSY: Duration = Duration::from_millis(2);

/// Most tries. If a caller's transaction keeps an execution busy for longer, the duties that look for missed parents and for
/// orphans do the work later.
const TRIES: u32 = 100;

/// Most children in one statement that notifies missed parents; each takes an entry in the server's lock table.
const MISSED_AT_ONCE: i64 = 500;

/// What this process does about the parents and children of executions.
#[derive(Debug)]
pub(crate) struct Families {
    store: Store,
    signals: Arc<Signals>,
    notifications: Lane<Notifications>,
}

impl Families {
    pub(crate) fn new(store: Store, signals: Arc<Signals>, notifications: Lane<Notifications>) -> Self {
        Self { store, signals, notifications }
    }

    /// Gives the end of the child to its parent, if the parent waits for it.
    pub(crate) async fn notify_parent(&self, child: ExecutionId) {
        for _ in 0..TRIES {
            match self.notifications.write(child).await {
                Ok(Notified::Received(effect)) => return self.signals.affected(&effect),
                Ok(Notified::NotAwaited) => return,
                Ok(Notified::Busy) => tokio::time::sleep(PAUSE_WHEN_BUSY).await,
                Err(error) => {
                    return tracing::debug!(%child, %error, "cannot notify a parent yet; the next look for missed parents will");
                }
            }
        }
    }

    /// Notifies the parents that were missed: the process that ended the child died, or the parent was busy. A parent that is
    /// still busy is notified after the next look for work.
    pub(crate) async fn notify_missed_parents(&self) -> Result<(), sqlx::Error> {
        let store = &self.store;
        loop {
            let missed = parents::unnotified(store, &store.pool, MISSED_AT_ONCE).await?;
            let notified = parents::notify(store, &store.pool, &missed).await?;
            let mut busy = false;
            for notified in notified.values() {
                match notified {
                    Notified::Received(effect) => self.signals.affected(effect),
                    Notified::NotAwaited => {}
                    Notified::Busy => busy = true,
                }
            }
            let may_be_more = i64::try_from(missed.len()).is_ok_and(|count| count == MISSED_AT_ONCE);
            if busy || !may_be_more {
                return Ok(());
            }
        }
    }

    /// Spreads that executions were cancelled or are to be rolled back: the workers that run them stop, the clients that wait for
    /// them get the result, and a worker claims the rollbacks. Observers are called last.
    pub(crate) async fn announce(&self, ended_early: &[EndedEarly]) {
        self.store.watched.note(ended_early.iter().map(|execution| execution.id));
        self.signals.ended_early(ended_early);
        let ended: Vec<ExecutionId> =
            ended_early.iter().filter(|execution| execution.ended).map(|execution| execution.id).collect();
        self.tell_observers(&ended).await;
    }

    /// Tells observers of executions that a statement cancelled: no worker ends these, so no worker reports them.
    pub(crate) async fn tell_observers(&self, cancelled: &[ExecutionId]) {
        let observers = &self.signals.observers;
        if observers.is_empty() || cancelled.is_empty() {
            return;
        }
        match families::ends(&self.store, &self.store.pool, cancelled).await {
            Ok(ends) => {
                ends.iter().for_each(|end| observers.of(end.id, &end.workflow, end.version).failed(end.state, &end.error))
            }
            Err(error) => {
                tracing::warn!(%error, "observers are not called for {} executions that were cancelled", cancelled.len());
            }
        }
    }

    /// Cancels these children and their own children, and stops the workers that run them. Returns the executions that were
    /// cancelled; a child that has ended already is not among them.
    pub(crate) async fn cancel_children(&self, children: &[ExecutionId], reason: &str) -> Vec<ExecutionId> {
        let mut left = children.to_vec();
        let mut cancelled = Vec::new();
        for _ in 0..TRIES {
            // One call has room for no more.
            let next = left.split_off(left.len().saturating_sub(LARGEST_FAMILY));
            match families::cancel_children(&self.store, &self.store.pool, &next, reason).await {
                Ok(CancelledChildren { ended_early, busy }) => {
                    self.announce(&ended_early).await;
                    cancelled.extend(ended_early.into_iter().map(|child| child.id));
                    left.extend(busy);
                }
                Err(error) => {
                    tracing::debug!(%error, "cannot cancel children yet; trying again");
                    left.extend(next);
                }
            }
            if left.is_empty() {
                break;
            }
            tokio::time::sleep(PAUSE_WHEN_BUSY).await;
        }
        cancelled
    }
}
