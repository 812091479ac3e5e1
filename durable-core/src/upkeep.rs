//! Periodic duties that keep executions moving, one per file; `client/engine.rs` starts them. Every worker does every duty, and the
//! database lets one worker win. For some duties it also decides which worker does them for all (`turns`).

mod cancel_orphans;
mod deliver;
mod expire;
mod fire_schedules;
mod follow_clock;
mod look_for_results;
mod look_for_work;
mod measure;
mod prune;
mod reconcile;
mod rescue;
mod turns;
mod wake;

pub(crate) use cancel_orphans::cancel_orphans;
pub(crate) use deliver::deliver;
pub(crate) use expire::expire;
pub(crate) use fire_schedules::fire_schedules;
pub(crate) use follow_clock::follow_clock;
pub(crate) use look_for_results::look_for_results;
pub(crate) use look_for_work::look_for_work;
pub(crate) use measure::measure;
pub(crate) use prune::prune;
pub(crate) use reconcile::reconcile;
pub(crate) use rescue::rescue;
pub(crate) use wake::wake;
