//! Tells what was recorded of an execution in the order of time.

use std::fmt;

use durable::chrono::{DateTime, Utc};
use durable::{Attempt, AttemptOutcome, Execution, ExecutionDetails, ExecutionId, Json, StepLog, Wait, WaitKind, WaitOutcome};
use serde::Serialize;

use crate::plain;
use crate::screen::{short, taken, time};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Entry {
    at: DateTime<Utc>,
    execution_id: ExecutionId,
    /// The journal key, or nothing for the execution itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    key: String,
    news: String,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  ", time(self.at))?;
        if !self.key.is_empty() {
            write!(f, "{}: ", plain::on_one_line(&self.key))?;
        }
        f.write_str(&plain::on_one_line(&self.news))
    }
}

/// Everything that was recorded, the oldest first.
pub(crate) fn of(details: &ExecutionDetails) -> Vec<Entry> {
    with_logs(details, &[])
}

/// As [`of`], with what the steps logged.
pub(crate) fn with_logs(details: &ExecutionDetails, logs: &[StepLog]) -> Vec<Entry> {
    let mut story = Story { id: details.execution.id, entries: Vec::new() };
    story.begin(&details.execution);
    for step in &details.steps {
        let output = step.output.as_ref();
        step.attempts.iter().for_each(|attempt| story.attempt(&step.key, attempt, output));
    }
    for undone in &details.compensations {
        let (key, output) = (format!("undo {}", undone.step), undone.output.as_ref());
        undone.attempts.iter().for_each(|attempt| story.attempt(&key, attempt, output));
    }
    for edit in &details.edits {
        let by = edit.edited_by.as_deref().map(|person| format!(" by {person}")).unwrap_or_default();
        story.tell(edit.edited_at, edit.key.as_deref().unwrap_or("input"), format!("edited{by}: {}", edit.reason));
    }
    details.waits.iter().for_each(|wait| story.wait(wait));
    for value in &details.values {
        story.tell(value.set_at, &value.name, format!("was set to {}", short(value.value.as_str())));
    }
    logs.iter().for_each(|log| story.log(log));
    // Stable: what happened at one time stays in the order of the journal.
    story.entries.sort_by_key(|entry| entry.at);
    story.end(&details.execution);
    story.entries
}

struct Story {
    id: ExecutionId,
    entries: Vec<Entry>,
}

impl Story {
    fn tell(&mut self, at: DateTime<Utc>, key: &str, news: impl Into<String>) {
        self.entries.push(Entry { at, execution_id: self.id, key: key.to_owned(), news: news.into() });
    }

    fn begin(&mut self, execution: &Execution) {
        let Execution { workflow, version, queue, .. } = execution;
        self.tell(execution.created_at, "", format!("{workflow} version {version} was created in queue {queue}"));
        if let Some(at) = execution.started_at {
            self.tell(at, "", "it was claimed for the first time");
        }
        if let Some(at) = execution.paused_at {
            self.tell(at, "", "it was paused");
        }
    }

    fn attempt(&mut self, key: &str, attempt: &Attempt, output: Option<&Json>) {
        let Attempt { number, outcome, .. } = attempt;
        self.tell(attempt.started_at, key, format!("attempt {number} began"));
        let Some(at) = attempt.finished_at else { return };
        let news = match (outcome, &attempt.error) {
            (AttemptOutcome::Completed, _) => format!("attempt {number} completed: {}", shown(output)),
            (_, Some(error)) => format!("attempt {number} failed: {error:#}"),
            (_, None) => format!("attempt {number} failed"),
        };
        self.tell(at, key, news);
    }

    fn log(&mut self, log: &StepLog) {
        for line in &log.lines {
            let fields = line.fields.as_ref().map(|fields| format!(" {fields}")).unwrap_or_default();
            let cut = if line.cut { " (cut)" } else { "" };
            self.tell(line.at, &log.key, format!("{} {}: {}{fields}{cut}", line.level, line.target, line.message));
        }
        if let Some(last) = log.lines.last().filter(|_| log.left_out > 0) {
            self.tell(
                last.at,
                &log.key,
                format!("attempt {} logged {} more lines, which were left out", log.attempt, log.left_out),
            );
        }
    }

    fn wait(&mut self, wait: &Wait) {
        let until = wait.due_at.map(|due| format!(" until {}", time(due))).unwrap_or_default();
        self.tell(wait.started_at, &wait.key, format!("it waits{until}"));
        let (Some(at), Some(outcome)) = (wait.resolved_at, wait.outcome) else { return };
        let news = match outcome {
            WaitOutcome::Elapsed => "its time has come".to_owned(),
            WaitOutcome::TimedOut => "nothing came in time".to_owned(),
            WaitOutcome::Cancelled => "it waits no longer".to_owned(),
            WaitOutcome::Closed => "nothing can come: it has closed these events".to_owned(),
            WaitOutcome::Received if wait.kind == WaitKind::Close => format!("closed; {}", taken(wait)),
            WaitOutcome::Received => {
                let by = wait.answered_by.as_ref().map(|person| format!(" from {person}")).unwrap_or_default();
                format!("received{by}: {}", shown(wait.payload.as_ref()))
            }
        };
        self.tell(at, &wait.key, news);
    }

    fn end(&mut self, execution: &Execution) {
        let Some(at) = execution.finished_at else { return };
        let news = match (&execution.output, &execution.error) {
            (Some(output), _) => format!("{}: {}", execution.state, shown(Some(output))),
            (None, Some(error)) => format!("{}: {error:#}", execution.state),
            (None, None) => execution.state.to_string(),
        };
        self.tell(at, "", news);
    }
}

fn shown(value: Option<&Json>) -> String {
    value.map(|value| short(value.as_str())).unwrap_or_default()
}
