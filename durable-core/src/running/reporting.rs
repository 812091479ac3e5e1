//! Reports the ends of steps once they are committed: each end once, and no end that was refused.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{ErrorKind, Failure};
use crate::model::{Checkpoint, Outcome};
use crate::observer::Observed;
use crate::telemetry::{AttemptEnd, WorkflowMetrics};

/// The end of a step that was not reported to observers and metrics yet.
#[derive(Debug)]
pub(super) struct StepEnd {
    step: &'static str,
    /// The place of its checkpoint in the write that carries it.
    pub(super) place: usize,
    attempt: u32,
    took: Duration,
    error: Option<ErrorKind>,
    /// Its key, and why it failed; only if there are observers.
    observed: Option<(String, Option<Box<Failure>>)>,
}

/// The ends of the steps of one write, and where to report them.
#[derive(Debug)]
pub(super) struct Unreported {
    pub(super) ends: Vec<StepEnd>,
    pub(super) observed: Observed,
    pub(super) metrics: Arc<WorkflowMetrics>,
}

impl StepEnd {
    /// The end of a step; its place in the write is set when it is left.
    pub(super) fn of(step: &'static str, checkpoint: &Checkpoint, is_watched: bool) -> Self {
        let failure = if let Outcome::Error(failure) = &checkpoint.outcome { Some(failure) } else { None };
        let observed = is_watched.then(|| (checkpoint.key.clone(), failure.cloned()));
        let error = failure.map(|failure| failure.kind);
        Self { step, place: 0, attempt: checkpoint.attempt, took: checkpoint.took, error, observed }
    }
}

/// The outcome of one checkpoint after the database refused the whole write.
#[derive(Debug)]
pub(super) enum Fate {
    Recorded,
    /// A step's outcome was refused; its failure is recorded.
    Failed(Box<Failure>),
    Refused(Box<Failure>),
    /// It belongs to code that the replay will not reach.
    Forgotten,
}

impl Unreported {
    /// Reports the ends whose checkpoints are committed: the checkpoints were written one by one, with these outcomes.
    pub(super) fn report_each(mut self, fates: &[Fate]) {
        self.ends.retain_mut(|end| match fates.get(end.place) {
            Some(Fate::Recorded) => true,
            Some(Fate::Failed(failure)) => {
                end.error = Some(failure.kind);
                if let Some((_, observed)) = &mut end.observed {
                    *observed = Some(failure.clone());
                }
                true
            }
            _ => false,
        });
        self.report();
    }

    /// Reports all ends: the write is committed.
    pub(super) fn report(self) {
        for StepEnd { step, attempt, took, error, observed, .. } in self.ends {
            self.metrics.attempted(step, error.map_or(AttemptEnd::Completed, AttemptEnd::Failed), took);
            if let Some((key, failure)) = observed {
                self.observed.step_recorded(&key, attempt, failure.as_deref());
            }
        }
    }
}
