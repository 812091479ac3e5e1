//! Periodic duties that keep executions moving, one per file; `client/engine.rs` starts them. Every worker does every duty, and
//! the database lets one worker win. For some duties it also decides which worker does them for all (`turns`).

use std::pin::Pin;
use std::sync::Arc;

use crate::worker::Worker;

macro_rules! duties {
    ($($duty:ident),* $(,)?) => { &[$((stringify!($duty), |worker| Box::pin($duty::$duty(worker)))),*] };
}

mod cancel_orphans;
mod deliver;
mod expire;
mod fire_schedules;
mod follow;
mod follow_clock;
mod keep_step_logs;
mod look_for_results;
mod look_for_work;
mod measure;
mod prune;
mod reconcile;
mod rescue;
mod turns;
mod wake;

// These need more than a worker.
pub(crate) use follow::{BACKLOG, Followers, Subscription};
pub(crate) use keep_step_logs::keep_step_logs;
pub(crate) use look_for_results::look_for_results;
pub(crate) use measure::measure;
pub(crate) use wake::wake;

/// What a worker does again and again, until its task is dropped.
pub(crate) type Duty = fn(Arc<Worker>) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// The duties of every worker, each with the name of its task. A duty is the function that is named like its module.
pub(crate) const DUTIES: &[(&str, Duty)] =
    duties![expire, fire_schedules, rescue, cancel_orphans, prune, reconcile, deliver, follow_clock, look_for_work];
