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
mod turns;
mod wake;

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::ids::ExecutionId;
use crate::store::Session;
use crate::supervision::{supervise, supervise_with};
use crate::worker::Worker;

pub(crate) use look_for_results::look_for_results;
pub(crate) use measure::measure;

/// Starts every duty; they end when the set is dropped. A duty that panics is restarted.
pub(crate) fn start(worker: &Arc<Worker>, timers: Session, nudges: mpsc::UnboundedReceiver<Vec<ExecutionId>>) -> JoinSet<()> {
    let mut duties = JoinSet::new();
    let workers_lost = Arc::new(Notify::new());
    let (health, waking, nudging, lost) = (&worker.store.health, worker.clone(), worker.clone(), workers_lost.clone());
    duties.spawn(supervise_with(health.clone(), "wake", timers, move |mut timers| {
        let worker = waking.clone();
        async move { wake::wake(worker, &mut timers).await }
    }));
    duties.spawn(supervise_with(health.clone(), "nudge", nudges, move |mut nudges| {
        let worker = nudging.clone();
        async move { nudge::nudge(worker, &mut nudges).await }
    }));
    spawn(&mut duties, worker, "expire", expire::expire);
    spawn(&mut duties, worker, "fire_schedules", fire_schedules::fire_schedules);
    spawn(&mut duties, worker, "rescue", move |worker| rescue::rescue(worker, lost.clone()));
    spawn(&mut duties, worker, "cancel_orphans", move |worker| cancel_orphans::cancel_orphans(worker, workers_lost.clone()));
    spawn(&mut duties, worker, "prune", prune::prune);
    spawn(&mut duties, worker, "reconcile", reconcile::reconcile);
    spawn(&mut duties, worker, "deliver", deliver::deliver);
    spawn(&mut duties, worker, "follow_clock", follow_clock::follow_clock);
    spawn(&mut duties, worker, "look_for_work", look_for_work::look_for_work);
    duties
}

fn spawn<F>(duties: &mut JoinSet<()>, worker: &Arc<Worker>, name: &'static str, duty: impl Fn(Arc<Worker>) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let worker = worker.clone();
    duties.spawn(supervise(worker.store.health.clone(), name, move || duty(worker.clone())));
}
