//! Finds out what changed in an execution since the last updates were sent to its watchers.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use crate::model::{Compensation, Execution, ExecutionDetails, ExecutionValue, Step, Update, Wait};

/// What the watchers of one execution know of it.
#[derive(Debug, Default)]
pub(crate) struct Known {
    execution: Option<u64>,
    steps: HashMap<String, Mark>,
    compensations: HashMap<String, Mark>,
    waits: HashMap<String, Mark>,
    /// The revision of each value.
    values: HashMap<String, u32>,
    pub(crate) seen: Seen,
    /// How often the execution has continued as new: each time it gets a new journal.
    pub(crate) continuations: u32,
}

/// How far the journal was read: the largest ordinals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) checkpoint: i64,
    pub(crate) wait: i64,
}

/// How much is recorded of an execution.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub(crate) checkpoints: usize,
    pub(crate) waits: usize,
    pub(crate) last: Seen,
}

/// A step or a wait as it was last sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    digest: u64,
    is_over: bool,
}

/// What was read of an execution: all of it, or what may have changed.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) steps: Vec<Step>,
    pub(crate) compensations: Vec<Compensation>,
    pub(crate) waits: Vec<Wait>,
    pub(crate) values: Vec<ExecutionValue>,
}

impl Known {
    /// The updates in this reading that the watchers do not have yet; from now on they count as sent. What is sent last was read
    /// first: a watcher that is told of a wait knows the values and the steps before it, and a watcher that is told of the end knows
    /// everything.
    pub(crate) fn note(&mut self, execution: &Execution, reading: Reading) -> Vec<Update> {
        let mut updates = Vec::new();
        self.continuations = execution.continuations;
        for step in reading.steps {
            if is_news(&mut self.steps, &step.key, &step, step.is_over()) {
                updates.push(Update::Step(Box::new(step)));
            }
        }
        for compensation in reading.compensations {
            let is_over = compensation.output.is_some() || compensation.error.is_some();
            if is_news(&mut self.compensations, &compensation.step, &compensation, is_over) {
                updates.push(Update::Compensation(Box::new(compensation)));
            }
        }
        for value in reading.values {
            if self.values.insert(value.name.clone(), value.revision) != Some(value.revision) {
                updates.push(Update::Value(Box::new(value)));
            }
        }
        for wait in reading.waits {
            if is_news(&mut self.waits, &wait.key, &wait, wait.outcome.is_some()) {
                updates.push(Update::Wait(Box::new(wait)));
            }
        }
        let told = self.execution.replace(digest(execution));
        if told != self.execution {
            updates.push(Update::Execution(Box::new(execution.clone())));
        }
        updates
    }

    /// As [`note`](Self::note), for everything there is.
    pub(crate) fn note_all(&mut self, details: ExecutionDetails) -> Vec<Update> {
        let ExecutionDetails { execution, steps, compensations, waits, values, .. } = details;
        self.note(&execution, Reading { steps, compensations, waits, values })
    }

    /// Whether more is recorded than the watchers know of. A transaction that began early and committed late may have an ordinal
    /// below those that were seen.
    pub(crate) fn lacks(&self, recorded: &Recorded) -> bool {
        let ended = |marks: &HashMap<String, Mark>| marks.values().filter(|mark| mark.is_over).count();
        ended(&self.steps) + ended(&self.compensations) < recorded.checkpoints || self.waits.len() < recorded.waits
    }

    /// The keys of the waits that have not ended.
    pub(crate) fn open_waits(&self) -> impl Iterator<Item = &str> {
        self.waits.iter().filter(|(_, mark)| !mark.is_over).map(|(key, _)| key.as_str())
    }

    /// The names of the values, each with its revision.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, u32)> {
        self.values.iter().map(|(name, revision)| (name.as_str(), *revision))
    }
}

fn is_news(known: &mut HashMap<String, Mark>, key: &str, item: &impl Serialize, is_over: bool) -> bool {
    let mark = Mark { digest: digest(item), is_over };
    match known.get_mut(key) {
        Some(told) if *told == mark => false,
        Some(told) => {
            *told = mark;
            true
        }
        None => {
            known.insert(key.to_owned(), mark);
            true
        }
    }
}

fn digest(item: &impl Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    // What does not encode counts as the same: everything that is shown does encode.
    serde_json::to_string(item).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}
