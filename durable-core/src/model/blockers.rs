//! Says what keeps an execution from continuing.

use super::wait::time;
use super::{AttemptOutcome, ExecutionDetails, ExecutionState, Step, Wait};

impl ExecutionDetails {
    /// What keeps this execution from continuing, a sentence for each blocker. Empty if the execution has ended, and if it runs and
    /// waits for nothing.
    pub fn blockers(&self) -> Vec<String> {
        let execution = &self.execution;
        if execution.state.is_finished() {
            return Vec::new();
        }
        let mut blockers = Vec::new();
        if let Some(since) = execution.paused_at {
            blockers.push(format!("it is paused since {}: resume it", time(since)));
        }
        if let Some(error) = &execution.error {
            blockers.push(format!("it was stopped: {error}; deploy code that fits, then resume it"));
        }
        let compensations = self.compensations.iter().map(|undone| (undone.step.as_str(), undone.attempts.as_slice()));
        let calls = self.steps.iter().filter(|step| !is_over(step)).map(|step| (step.key.as_str(), step.attempts.as_slice()));
        for (key, attempts) in calls.chain(compensations.filter(|(key, _)| !self.is_undone(key))) {
            let Some(last) = attempts.last() else { continue };
            if last.outcome == AttemptOutcome::Failed {
                let why = last.error.as_ref().map(ToString::to_string).unwrap_or_default();
                blockers.push(format!("`{key}` is to be tried again after attempt {} failed: {why}", last.number));
            }
        }
        blockers.extend(self.waits.iter().filter(|wait| wait.outcome.is_none()).map(Wait::blocker));
        match (execution.state, execution.wake_at) {
            (ExecutionState::Pending, Some(at)) => blockers.push(starts_at(at)),
            // If no worker has had it, it waits for its start and not for a timer.
            (ExecutionState::Paused, Some(at)) if execution.epoch == 0 => blockers.push(starts_at(at)),
            (ExecutionState::Pending, None) => blockers.push(format!(
                "a worker on queue `{}` that knows workflow `{}` in version {} must have a slot free, and the queue must not be paused or at its limits",
                execution.queue, execution.workflow, execution.version
            )),
            _ => {}
        }
        blockers
    }

    /// Whether the undoing of that step is over.
    fn is_undone(&self, step: &str) -> bool {
        self.compensations.iter().any(|undone| undone.step == step && (undone.output.is_some() || undone.error.is_some()))
    }
}

fn starts_at(at: chrono::DateTime<chrono::Utc>) -> String {
    format!("it is to start at {}", time(at))
}

fn is_over(step: &Step) -> bool {
    step.output.is_some() || step.error.is_some()
}
