//! The whole state of an execution, as text for a test that fails.

use std::fmt::Write as _;

use durable::{Attempt, AttemptOutcome, Durable, ExecutionId, Failure, Introspection};

/// Everything that is known of an execution.
pub(crate) async fn describe(client: &Durable, id: ExecutionId) -> String {
    match client.introspect(id).await {
        Ok(introspection) => whole(&introspection),
        Err(error) => format!("execution {id}: {error}"),
    }
}

fn whole(introspection: &Introspection) -> String {
    let details = &introspection.details;
    let mut text = introspection.to_string();
    // Nothing here can fail: it is written into a string.
    let _ = write!(text, "\ninput: {}", details.execution.input);
    if let Some(output) = &details.execution.output {
        let _ = write!(text, "\noutput: {output}");
    }
    for (what, failure) in [("error", &details.execution.error), ("rolled back because", &details.execution.rollback)] {
        if let Some(failure) = failure {
            let _ = write!(text, "\n{what}: {}", sentence(failure));
        }
    }
    for step in &details.steps {
        let _ = write!(text, "\n{}", step.key);
        add_attempts(&mut text, &step.attempts);
        if let Some(output) = &step.output {
            let _ = write!(text, ": {output}");
        }
        add_failure(&mut text, step.error.as_ref(), &step.attempts);
    }
    for wait in &details.waits {
        let outcome = wait.outcome.map_or_else(|| "open".to_owned(), |outcome| format!("{outcome:?}").to_lowercase());
        let due = wait.due_at.map_or_else(String::new, |due| format!(", due at {due}"));
        let _ = write!(text, "\nwait `{}`: {outcome}{due}", wait.key);
    }
    for compensation in &details.compensations {
        let _ = write!(text, "\nundo of `{}`", compensation.step);
        add_attempts(&mut text, &compensation.attempts);
        add_failure(&mut text, compensation.error.as_ref(), &compensation.attempts);
    }
    for child in &details.children {
        let _ = write!(text, "\nchild `{}` is execution {} of `{}`: {}", child.key, child.id, child.workflow, child.state);
    }
    for value in &details.values {
        let _ = write!(text, "\nvalue `{}`: {}", value.name, value.value);
    }
    for message in &details.mailbox {
        let _ = write!(text, "\nin the mailbox: {message:?}");
    }
    text
}

fn add_attempts(text: &mut String, attempts: &[Attempt]) {
    for attempt in attempts {
        let outcome = match (&attempt.error, attempt.outcome) {
            (Some(failure), _) => format!("failed: {}", sentence(failure)),
            (None, AttemptOutcome::Completed) => "completed".to_owned(),
            (None, AttemptOutcome::Failed) => "failed".to_owned(),
            (None, AttemptOutcome::Running) => "running".to_owned(),
        };
        let _ = write!(text, "\n  attempt {}: {outcome}", attempt.number);
    }
}

/// Adds why a call failed, unless its last attempt says so.
fn add_failure(text: &mut String, failure: Option<&Failure>, attempts: &[Attempt]) {
    let is_said = attempts.last().is_some_and(|last| last.error.is_some());
    if let Some(failure) = failure.filter(|_| !is_said) {
        let _ = write!(text, ": failed: {}", sentence(failure));
    }
}

fn sentence(failure: &Failure) -> String {
    format!("{failure}")
}
