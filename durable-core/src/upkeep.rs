//! Periodic duties that keep executions moving, one per file. Every worker does them all; the database lets one win.

mod deliver;
mod follow_clock;
mod look_for_results;
mod reconcile;
mod rescue;
mod wake;

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::store::Session;
use crate::worker::Worker;

pub(crate) use look_for_results::look_for_results;

/// Starts every duty; they end when the set is dropped.
pub(crate) fn start(worker: &Arc<Worker>, timers: Session) -> JoinSet<()> {
    let mut duties = JoinSet::new();
    duties.spawn(wake::wake(worker.clone(), timers));
    duties.spawn(rescue::rescue(worker.clone()));
    duties.spawn(reconcile::reconcile(worker.clone()));
    duties.spawn(deliver::deliver(worker.clone()));
    duties.spawn(follow_clock::follow_clock(worker.clone()));
    duties
}
