//! What `#[workflow(schedule = "…")]` says.

use std::time::Duration;

use crate::model::{Missed, Overlap};

/// The schedule of a workflow, as the attribute declares it. The schedule has the workflow's name.
#[derive(Debug, Clone, Copy)]
pub struct ScheduleSpec<T> {
    /// When it fires.
    pub rule: &'static str,
    /// The time zone of the rule.
    pub timezone: &'static str,
    /// How far, at most, a start is put off.
    pub jitter: Duration,
    /// What becomes of missed due times.
    pub missed: Missed,
    /// What happens to due times while an execution runs.
    pub overlap: Overlap,
    /// After how many failures in a row it is disabled.
    pub max_failures: Option<u32>,
    /// Makes the input of its executions.
    pub input: fn() -> T,
}

/// The input of a workflow that the clock starts. No caller gives it, so it has a default.
#[diagnostic::on_unimplemented(
    message = "a scheduled workflow cannot take `{Self}`: it has no default",
    label = "the clock gives no input",
    note = "implement `Default` for it, take none, or make the schedule with `durable.schedule::<W>(name, rule, input)`"
)]
pub trait ScheduledInput {
    /// The input that the clock gives.
    fn scheduled() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> ScheduledInput for T {
    fn scheduled() -> Self {
        Self::default()
    }
}
