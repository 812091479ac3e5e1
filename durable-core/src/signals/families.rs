//! Tells parents that their children have ended, and ends children that their parents gave up.

use std::time::Duration;

use super::Signals;
use crate::ids::ExecutionId;
use crate::observer::Observers;
use crate::store::families::{self, CancelledChildren, LARGEST_FAMILY};
use crate::store::parents::{Tells, Told};
use crate::store::{Lane, Store};

/// Pause before somebody is tried again who had a message on its way: about as long as a commit takes.
const PAUSE_WHEN_BUSY: Duration = Duration::from_millis(2);

/// How often to try. Who is busy for longer, by a caller's transaction, is left to the periodic looks for untold ends and orphans.
const TRIES: u32 = 100;

/// Gives the end of the child to the wait of its parent, if it has one that waits.
pub(crate) async fn tell_parent(tells: &Lane<Tells>, signals: &Signals, child: ExecutionId) {
    for _ in 0..TRIES {
        match tells.write(child).await {
            Ok(Told::Heard(effect)) => return signals.affected(&effect),
            Ok(Told::Unheard) => return,
            Ok(Told::Busy) => tokio::time::sleep(PAUSE_WHEN_BUSY).await,
            Err(error) => return tracing::debug!(%child, %error, "cannot tell a parent yet; the next look for untold ends does"),
        }
    }
}

/// Tells observers of executions that were cancelled, which no worker ends.
pub(crate) async fn tell_observers(store: &Store, observers: &Observers, cancelled: &[ExecutionId]) {
    if observers.is_empty() || cancelled.is_empty() {
        return;
    }
    match families::ends(store, &store.pool, cancelled).await {
        Ok(ends) => ends.iter().for_each(|end| observers.of(end.id, &end.workflow, end.version).failed(end.state, &end.error)),
        Err(error) => tracing::warn!(%error, "observers are not told of {} executions that were cancelled", cancelled.len()),
    }
}

/// Cancels children that their parent gave up, with their own children, and has whoever runs them stop; returns those that
/// were cancelled. Those that have ended are left alone.
pub(crate) async fn cancel_children(
    store: &Store,
    signals: &Signals,
    children: &[ExecutionId],
    reason: &str,
) -> Vec<ExecutionId> {
    let mut left = children.to_vec();
    let mut cancelled = Vec::new();
    for _ in 0..TRIES {
        // One call has room for no more.
        let next = left.split_off(left.len().saturating_sub(LARGEST_FAMILY));
        match families::cancel_children(store, &store.pool, &next, reason).await {
            Ok(CancelledChildren { called_off, busy }) => {
                signals.called_off(store, &called_off).await;
                cancelled.extend(called_off.into_iter().map(|child| child.id));
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
