//! Says what an execution waits for before it can go on.

use super::{AttemptOutcome, ExecutionDetails, ExecutionState, Step, Wait, WaitKind};

impl ExecutionDetails {
    /// What must come about before this execution goes on, a sentence for each condition; empty for one that has ended, and for
    /// one that runs and waits for nothing.
    pub fn unmet_conditions(&self) -> Vec<String> {
        let execution = &self.execution;
        if execution.state.is_finished() {
            return Vec::new();
        }
        let mut unmet = Vec::new();
        if let Some(since) = execution.paused_at {
            unmet.push(format!("it is paused since {}: resume it", time(since)));
        }
        if let Some(error) = &execution.error {
            unmet.push(format!("it was stopped: {error}; deploy code that fits, then resume it"));
        }
        let compensations = self.compensations.iter().map(|undone| (undone.step.as_str(), undone.attempts.as_slice()));
        let calls = self.steps.iter().filter(|step| !is_over(step)).map(|step| (step.key.as_str(), step.attempts.as_slice()));
        for (key, attempts) in calls.chain(compensations.filter(|(key, _)| !self.is_undone(key))) {
            let Some(last) = attempts.last() else { continue };
            if last.outcome == AttemptOutcome::Failed {
                let why = last.error.as_ref().map(ToString::to_string).unwrap_or_default();
                unmet.push(format!("`{key}` is to be tried again after attempt {} failed: {why}", last.number));
            }
        }
        unmet.extend(self.waits.iter().filter(|wait| wait.outcome.is_none()).map(describe));
        match (execution.state, execution.wake_at) {
            (ExecutionState::Pending, Some(at)) => unmet.push(starts_at(at)),
            // If no worker has had it, it waits for its start and not for a timer.
            (ExecutionState::Paused, Some(at)) if execution.epoch == 0 => unmet.push(starts_at(at)),
            (ExecutionState::Pending, None) => unmet.push(format!(
                "a worker on queue `{}` that knows workflow `{}` in version {} must have a slot free, and the queue must not be paused or at its limits",
                execution.queue, execution.workflow, execution.version
            )),
            _ => {}
        }
        unmet
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

fn describe(wait: &Wait) -> String {
    let until = wait.due_at.map(|due| format!(", until {}", time(due))).unwrap_or_default();
    let since = time(wait.started_at);
    match wait.kind {
        WaitKind::Sleep => format!("`{}` sleeps since {since}{until}", wait.key),
        WaitKind::Event if !wait.names.is_empty() => {
            format!("one of the events `{}` must be sent (waiting since {since}{until})", wait.names.join("`, `"))
        }
        WaitKind::Event => format!("event `{}` must be sent (waiting since {since}{until})", wait.name),
        WaitKind::Input => {
            let prompt = wait.prompt.as_ref().map(|prompt| format!(": {prompt}")).unwrap_or_default();
            format!("input `{}` must be given{prompt} (waiting since {since}{until})", wait.name)
        }
        WaitKind::Topic => {
            let about = wait.correlation.as_ref().map(|about| format!(" about `{about}`")).unwrap_or_default();
            format!("something must be published to `{}`{about} (waiting since {since}{until})", wait.name)
        }
        WaitKind::Child => match wait.child_id {
            Some(child) => format!("child {child} must end (`{}`, waiting since {since}{until})", wait.key),
            None => format!("`{}` must end (waiting since {since}{until})", wait.key),
        },
    }
}

fn time(at: chrono::DateTime<chrono::Utc>) -> impl std::fmt::Display {
    at.format("%Y-%m-%d %H:%M:%S UTC")
}
