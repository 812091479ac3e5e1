//! Periodic duties that keep executions moving, one per file. Every worker does them all; the database lets one win, and gives out
//! those that one worker does for all.

mod cancel_orphans;
mod deliver;
mod expire;
mod fire_schedules;
mod follow_clock;
mod look_for_results;
mod look_for_work;
mod measure;
mod nudge;
mod prune;
mod reconcile;
mod rescue;
mod tell_parents;
mod turns;
mod wake;

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::ids::ExecutionId;
use crate::store::Session;
use crate::worker::Worker;

pub(crate) use look_for_results::look_for_results;
pub(crate) use measure::measure;

/// Starts every duty; they end when the set is dropped.
pub(crate) fn start(worker: &Arc<Worker>, timers: Session, nudges: mpsc::UnboundedReceiver<Vec<ExecutionId>>) -> JoinSet<()> {
    let mut duties = JoinSet::new();
    let workers_lost = Arc::new(Notify::new());
    duties.spawn(wake::wake(worker.clone(), timers));
    duties.spawn(expire::expire(worker.clone()));
    duties.spawn(fire_schedules::fire_schedules(worker.clone()));
    duties.spawn(rescue::rescue(worker.clone(), workers_lost.clone()));
    duties.spawn(cancel_orphans::cancel_orphans(worker.clone(), workers_lost));
    duties.spawn(tell_parents::tell_parents(worker.clone()));
    duties.spawn(nudge::nudge(worker.clone(), nudges));
    duties.spawn(prune::prune(worker.clone()));
    duties.spawn(reconcile::reconcile(worker.clone()));
    duties.spawn(deliver::deliver(worker.clone()));
    duties.spawn(follow_clock::follow_clock(worker.clone()));
    duties.spawn(look_for_work::look_for_work(worker.clone()));
    duties
}
