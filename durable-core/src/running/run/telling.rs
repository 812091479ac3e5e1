//! What is told of steps once it is committed: each end once, and none that was refused.

use std::sync::Arc;
use std::time::Duration;

use super::Run;
use crate::error::{ErrorKind, Failure};
use crate::model::{Checkpoint, Outcome};
use crate::observer::Observed;
use crate::telemetry::{AttemptEnd, WorkflowMetrics};

/// The end of a step, of which nobody was told yet.
#[derive(Debug)]
pub(crate) struct StepEnd {
    step: &'static str,
    /// The place of its checkpoint in the write that carries it.
    place: usize,
    attempt: u32,
    took: Duration,
    error: Option<ErrorKind>,
    /// Its key, and why it failed, for observers where there are any.
    observed: Option<(String, Option<Box<Failure>>)>,
}

/// Ends of steps of one write, and who is told of them.
#[derive(Debug)]
pub(crate) struct Untold {
    ends: Vec<StepEnd>,
    observed: Observed,
    metrics: Arc<WorkflowMetrics>,
}

impl Run {
    pub(crate) fn end_of(&self, step: &'static str, place: usize, checkpoint: &Checkpoint) -> StepEnd {
        let failure = if let Outcome::Error(failure) = &checkpoint.outcome { Some(failure) } else { None };
        let observed = self.observed.is_watched().then(|| (checkpoint.key.clone(), failure.cloned()));
        let error = failure.map(|failure| failure.kind);
        StepEnd { step, place, attempt: checkpoint.attempt, took: checkpoint.took, error, observed }
    }

    pub(crate) fn untold(&self, ends: Vec<StepEnd>) -> Untold {
        Untold { ends, observed: self.observed.clone(), metrics: self.metrics.clone() }
    }
}

/// The outcome of one checkpoint after the database refused the whole write.
#[derive(Debug)]
pub(crate) enum Fate {
    Recorded,
    /// A step's outcome was refused; its failure is recorded.
    Failed(Box<Failure>),
    Refused(Box<Failure>),
    /// It belongs to code that the replay will not reach.
    Forgotten,
}

impl Untold {
    /// The checkpoints were written one by one; with the outcome of each.
    pub(crate) fn tell_fates(mut self, fates: &[Fate]) {
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
        self.tell();
    }

    /// It is committed now.
    pub(crate) fn tell(self) {
        for StepEnd { step, attempt, took, error, observed, .. } in self.ends {
            self.metrics.attempted(step, error.map_or(AttemptEnd::Completed, AttemptEnd::Failed), took);
            if let Some((key, failure)) = observed {
                self.observed.step_recorded(&key, attempt, failure.as_deref());
            }
        }
    }
}
