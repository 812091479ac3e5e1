//! What a watcher of an execution receives.

use serde::{Deserialize, Serialize};

use super::{Compensation, Execution, ExecutionDetails, ExecutionValue, Step, Wait};

/// Something that changed about an execution, for those who [watch](crate::client::Durable::watch) it. Each update has the whole
/// of what changed, as it is now.
///
/// As JSON it is `{"update": "step", "is": {…}}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "update", content = "is", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Update {
    /// Everything: what a watcher receives first, and again if it has fallen behind or the execution continues as new.
    Snapshot(Box<ExecutionDetails>),
    /// A step has begun to be tried, failed at an attempt, or ended.
    Step(Box<Step>),
    /// The undoing of a step has begun to be tried, failed at an attempt, or ended.
    Compensation(Box<Compensation>),
    /// A wait has begun, ended, or changed.
    Wait(Box<Wait>),
    /// A value was set.
    Value(Box<ExecutionValue>),
    /// The execution itself has changed: its state, its epoch, its end.
    Execution(Box<Execution>),
}

impl ExecutionDetails {
    /// Brings the details up to date, for a caller that shows the whole execution while it watches it. The lists of children,
    /// mailbox and refusals stay as they were in the last snapshot.
    pub fn apply(&mut self, update: Update) {
        match update {
            Update::Snapshot(details) => *self = *details,
            Update::Execution(execution) => self.execution = *execution,
            Update::Step(step) => {
                self.steps.retain(|known| known.key != step.key);
                // Those that have ended come first, in the order in which they ended.
                let ended = self.steps.iter().filter(|known| known.is_over()).count();
                let place = if step.is_over() { ended } else { self.steps.len() };
                self.steps.insert(place, *step);
            }
            Update::Compensation(compensation) => {
                match self.compensations.iter_mut().find(|known| known.step == compensation.step) {
                    Some(known) => *known = *compensation,
                    None => self.compensations.push(*compensation),
                }
            }
            Update::Wait(wait) => match self.waits.iter_mut().find(|known| known.key == wait.key) {
                Some(known) => *known = *wait,
                None => self.waits.push(*wait),
            },
            Update::Value(value) => {
                let place = self.values.binary_search_by(|known| known.name.cmp(&value.name));
                match place {
                    Ok(place) => self.values[place] = *value,
                    Err(place) => self.values.insert(place, *value),
                }
            }
        }
    }
}
