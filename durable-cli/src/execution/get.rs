//! `durable execution get` and `durable execution steps`.

use std::collections::BTreeMap;
use std::fmt::Write;

use clap::Args;
use durable::{
    Attempt, AttemptOutcome, Blocker, Compensation, Durable, Edit, Execution, ExecutionDetails, ExecutionId, ExecutionValue,
    Failure as Recorded, Introspection, Json, KeptMessage, NodeDetails, Refusal, Step, Wait, WaitKind, WaitOutcome,
};
use serde::Serialize;

use super::list::state;
use crate::connection::Connection;
use crate::failure::Failure;
use crate::ids::Ids;
use crate::plain;
use crate::screen::{Format, Row, Screen, maybe_time, one_line_each, short, table, taken, time};

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The execution
    id: ExecutionId,
}

/// An execution with why it does not continue.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    details: ExecutionDetails,
    blockers: Vec<ShownBlocker>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    nodes: Vec<NodeDetails>,
}

/// A blocker as data, as a sentence, and with the command that ends it.
#[derive(Serialize)]
struct ShownBlocker {
    #[serde(flatten)]
    blocker: Blocker,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

pub(crate) async fn carry_out(ids: &Ids, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let ids = ids.read()?;
    let durable = connection.client().await?;
    let mut failures = Vec::new();
    for (nth, id) in ids.iter().enumerate() {
        match look(&durable, *id).await {
            Ok(shown) => {
                match screen.format {
                    Format::Table if nth > 0 => screen.line(format!("\n{}", report(&shown)))?,
                    Format::Table => screen.line(report(&shown))?,
                    // One alone as it is: `jq .execution.state`. Several one after the other, as they come.
                    Format::Json => screen.json(&shown)?,
                    Format::Ids => screen.line(id)?,
                }
            }
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    durable.shutdown().await?;
    Failure::of_several(failures, ids.len())
}

async fn look(durable: &Durable, id: ExecutionId) -> durable::Result<Shown> {
    let Introspection { details, blockers, nodes, .. } = durable.introspect(id).await?;
    let shown = |blocker: Blocker| ShownBlocker { text: blocker.to_string(), command: blocker.command(id), blocker };
    Ok(Shown { details, blockers: blockers.into_iter().map(shown).collect(), nodes })
}

fn report(Shown { details, blockers, nodes }: &Shown) -> String {
    let mut text = table(&[], facts(&details.execution).into_iter());
    section(&mut text, "blockers", blockers.iter().map(blocker_lines).collect());
    section(&mut text, "cannot be read", details.unreadable.iter().map(|what| format!("- {}", plain::on_lines(what))).collect());
    let attempts = |key: &str, attempts: &[Attempt]| attempts.iter().map(|attempt| cells(key, attempt)).collect::<Vec<_>>();
    let steps: Vec<_> =
        details.steps.iter().flat_map(|step| with_output(attempts(&step.key, &step.attempts), &step.output)).collect();
    part(&mut text, ATTEMPT_HEADINGS, steps);
    part(&mut text, &["wait", "since", "until", "outcome", "at", "payload"], details.waits.iter().map(wait_cells).collect());
    part(&mut text, &["value", "revision", "set", "content", "metadata"], details.values.iter().map(value_cells).collect());
    section(&mut text, "nodes", nodes.iter().map(|node| format!("- {}", plain::on_lines(&node.to_string()))).collect());
    part(&mut text, &["edited", "at", "by", "because"], details.edits.iter().map(edit_cells).collect());
    part(&mut text, &["not waited for", "name", "came", "from", "payload"], details.mailbox.iter().map(kept_cells).collect());
    part(
        &mut text,
        &["refused by", "name", "at", "from", "payload", "because"],
        details.refusals.iter().map(refusal_cells).collect(),
    );
    let children = details.children.iter();
    let children = children
        .map(|child| vec![child.key.clone(), child.id.to_string(), child.workflow.clone(), child.state.to_string()])
        .collect();
    part(&mut text, &["child", "id", "workflow", "state"], children);
    let undone = details.compensations.iter();
    let undone = undone.flat_map(|Compensation { step, attempts: all, .. }| attempts(&format!("undo {step}"), all)).collect();
    part(&mut text, &["compensation", "attempt", "outcome", "began", "ended", "result"], undone);
    text
}

/// How often it has continued as new; nothing if it never has.
fn continued(execution: &Execution) -> String {
    match execution.continuations {
        0 => String::new(),
        1 => "once".to_owned(),
        times => format!("{times} times"),
    }
}

/// Tags on one line: `carrier=dhl tenant=acme`.
fn tags(tags: &BTreeMap<String, String>) -> String {
    tags.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

fn facts(execution: &Execution) -> Vec<Vec<String>> {
    let facts = [
        ("execution", execution.id.to_string()),
        ("workflow", format!("{} version {}", execution.workflow, execution.version)),
        ("state", state(execution)),
        ("queue", execution.queue.clone()),
        ("priority", execution.priority.to_string()),
        ("key", execution.key.clone().unwrap_or_default()),
        ("deduplication key", execution.deduplication_key.clone().unwrap_or_default()),
        ("debounce key", execution.debounce_key.clone().unwrap_or_default()),
        ("tags", tags(&execution.tags)),
        ("created", time(execution.created_at)),
        ("started", maybe_time(execution.started_at)),
        ("paused", maybe_time(execution.paused_at)),
        ("wakes", maybe_time(execution.wake_at)),
        ("expires", maybe_time(execution.expires_at)),
        ("must end by", maybe_time(execution.deadline_at)),
        ("ended", maybe_time(execution.finished_at)),
        ("archived", maybe_time(execution.archived_at)),
        ("parent", execution.parent.as_ref().map(|parent| format!("{} ({})", parent.id, parent.key)).unwrap_or_default()),
        ("undoes", execution.undoes.map(|id| id.to_string()).unwrap_or_default()),
        ("forked from", execution.forked_from.map(|id| id.to_string()).unwrap_or_default()),
        ("input", execution.input.to_string()),
        ("continued", continued(execution)),
        ("continued with", execution.continued_with.as_ref().map(Json::to_string).unwrap_or_default()),
        ("output", execution.output.as_ref().map(Json::to_string).unwrap_or_default()),
        ("unreadable", execution.unreadable.clone().unwrap_or_default()),
    ]
    .map(|(what, fact)| (what, plain::on_one_line(&fact)));
    // A report of a stopped execution has lines.
    let errors =
        [("error", with_causes(execution.error.as_ref())), ("rolled back for", with_causes(execution.rollback.as_ref()))];
    let known = facts.into_iter().chain(errors).filter(|(_, fact)| !fact.is_empty());
    known.map(|(what, fact)| vec![what.to_owned(), fact]).collect()
}

/// An error with its causes.
fn with_causes(failure: Option<&Recorded>) -> String {
    failure.map(|failure| format!("{failure:#}")).unwrap_or_default()
}

/// A part of the report, where there is anything to say.
fn part(text: &mut String, headings: &[&str], rows: Vec<Vec<String>>) {
    if !rows.is_empty() {
        text.push_str("\n\n");
        text.push_str(&table(headings, rows.into_iter().map(one_line_each)));
    }
}

fn section(text: &mut String, heading: &str, lines: Vec<String>) {
    if !lines.is_empty() {
        // Writing to a text cannot fail.
        write!(text, "\n\n{}\n{}", heading.to_uppercase(), lines.join("\n")).ok();
    }
}

fn edit_cells(edit: &Edit) -> Vec<String> {
    let key = edit.key.clone().unwrap_or_else(|| "input".to_owned());
    vec![key, time(edit.edited_at), edit.edited_by.clone().unwrap_or_default(), edit.reason.clone()]
}

const ATTEMPT_HEADINGS: &[&str] = &["step", "attempt", "outcome", "began", "ended", "result"];

fn cells(key: &str, attempt: &Attempt) -> Vec<String> {
    let outcome = match attempt.outcome {
        AttemptOutcome::Running => "running",
        AttemptOutcome::Completed => "completed",
        AttemptOutcome::Failed => "failed",
    };
    let result = attempt.error.as_ref().map(|error| short(&error.message)).unwrap_or_default();
    let (began, ended) = (time(attempt.started_at), maybe_time(attempt.finished_at));
    vec![key.to_owned(), attempt.number.to_string(), outcome.to_owned(), began, ended, result]
}

/// The output stands with the last attempt.
fn with_output(mut rows: Vec<Vec<String>>, output: &Option<Json>) -> Vec<Vec<String>> {
    if let (Some(output), Some(result)) = (output, rows.last_mut().and_then(|row| row.last_mut())) {
        *result = short(output.as_str());
    }
    rows
}

fn wait_cells(wait: &Wait) -> Vec<String> {
    let outcome = match wait.outcome {
        None => "open",
        Some(WaitOutcome::Elapsed) => "elapsed",
        Some(WaitOutcome::Received) if wait.kind == WaitKind::Close => "closed",
        Some(WaitOutcome::Received) => "received",
        Some(WaitOutcome::TimedOut) => "timed out",
        Some(WaitOutcome::Cancelled) => "cancelled",
        Some(WaitOutcome::Closed) => "closed",
    };
    let payload = match &wait.payload {
        Some(_) if wait.kind == WaitKind::Close => taken(wait),
        payload => payload.as_ref().map(|payload| short(payload.as_str())).unwrap_or_default(),
    };
    let assignee = wait.assignee.as_ref().map(|assignee| format!(" ({assignee})")).unwrap_or_default();
    vec![
        format!("{}{assignee}", wait.key),
        time(wait.started_at),
        maybe_time(wait.due_at),
        outcome.to_owned(),
        maybe_time(wait.resolved_at),
        payload,
    ]
}

fn blocker_lines(blocker: &ShownBlocker) -> String {
    let mut lines = format!("- {}", plain::on_lines(&blocker.text));
    if let Some(command) = &blocker.command {
        lines.push_str(&format!("\n  {}", plain::on_lines(command)));
    }
    lines
}

fn value_cells(value: &ExecutionValue) -> Vec<String> {
    let ExecutionValue { name, revision, set_at, value, metadata, .. } = value;
    let metadata = metadata.as_ref().map(|metadata| short(metadata.as_str())).unwrap_or_default();
    vec![name.clone(), revision.to_string(), time(*set_at), short(value.as_str()), metadata]
}

fn kept_cells(message: &KeptMessage) -> Vec<String> {
    let KeptMessage { kind, name, payload, sent_by, sent_at, .. } = message;
    vec![kind.as_str().to_owned(), name.clone(), time(*sent_at), sent_by.clone().unwrap_or_default(), short(payload.as_str())]
}

fn refusal_cells(refusal: &Refusal) -> Vec<String> {
    let Refusal { key, name, reason, payload, sent_by, refused_at, .. } = refusal;
    let payload = payload.as_ref().map(|payload| short(payload.as_str())).unwrap_or_default();
    vec![key.clone(), name.clone(), time(*refused_at), sent_by.clone().unwrap_or_default(), payload, short(reason)]
}

/// One attempt of a step, for `execution steps`.
#[derive(Serialize)]
struct StepAttempt<'details> {
    step: &'details str,
    #[serde(flatten)]
    attempt: &'details Attempt,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'details Json>,
}

impl Row for StepAttempt<'_> {
    const HEADINGS: &'static [&'static str] = ATTEMPT_HEADINGS;

    fn cells(&self) -> Vec<String> {
        let rows = vec![cells(self.step, self.attempt)];
        with_output(rows, &self.output.cloned()).swap_remove(0)
    }

    /// What `execution fork --from-step` takes.
    fn id(&self) -> String {
        self.step.to_owned()
    }
}

pub(crate) async fn steps(One { id }: &One, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let durable = connection.client().await?;
    let details = durable.get_execution(*id).await?;
    let attempts: Vec<StepAttempt<'_>> = details.steps.iter().flat_map(attempts).collect();
    screen.rows(&attempts)?;
    Ok(durable.shutdown().await?)
}

fn attempts(step: &Step) -> impl Iterator<Item = StepAttempt<'_>> {
    step.attempts.iter().map(|attempt| {
        let output = if attempt.outcome == AttemptOutcome::Completed { step.output.as_ref() } else { None };
        StepAttempt { step: &step.key, attempt, output }
    })
}
