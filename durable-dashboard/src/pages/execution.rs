//! One execution: its state, why it waits, what it did, its values and its family.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use durable::chrono::{DateTime, Utc};
use durable::{Blocker, Execution, ExecutionDetails, ExecutionId, ExecutionState, Failure, Introspection, Json, StepLog};
use serde::Serialize;

use super::act_on_execution::{Verb, id};
use super::waterfall::{Axis, Entry, entries};
use crate::Shared;
use crate::access::Role;
use crate::problem::{Problem, sentence};
use crate::text::{self, Value};
use crate::visit::{Query, Shell, Visit, Visitor};

/// Rows of the journal on a page.
const ROWS: usize = 200;

/// A larger graph is not drawn on the page.
const MOST_NODES: usize = 150;

/// Most lines of logs, children and values on a page.
const MOST_LINES: usize = 200;

#[derive(Template)]
#[template(path = "execution.html")]
struct Page {
    shell: Shell,
    id: String,
    workflow: String,
    version: u32,
    state: ExecutionState,
    words: &'static str,
    /// Why it ended or stopped, and why it is rolled back.
    failures: Vec<Failure>,
    unreadable: Vec<String>,
    facts: Vec<(&'static str, String)>,
    tags: BTreeMap<String, String>,
    blockers: Vec<Why>,
    actions: Vec<Does>,
    rows: Vec<Row>,
    shown: String,
    is_cut: bool,
    earlier: Option<String>,
    later: Option<String>,
    data: Vec<Datum>,
    edits: Vec<String>,
    children: Vec<(String, String, String, ExecutionState)>,
    all_children: String,
    logs: Vec<Line>,
    logs_left_out: usize,
    graph: Option<String>,
}

/// Why it does not continue.
struct Why {
    text: String,
    command: Option<String>,
    /// Where a person does something about it.
    href: Option<(String, &'static str)>,
}

/// An action, with the same on the command line.
struct Does {
    label: &'static str,
    href: String,
    command: String,
}

struct Row {
    key: String,
    class: &'static str,
    state: String,
    began: String,
    took: String,
    bar: (u32, u32),
    backs_off: Option<(u32, u32)>,
    value: Option<Value>,
    error: Option<String>,
    child: Option<String>,
}

/// A value with its name.
struct Datum {
    name: String,
    note: String,
    value: Value,
}

struct Line {
    at: String,
    level: String,
    key: String,
    text: String,
}

#[derive(Serialize)]
struct Twin<'page> {
    #[serde(flatten)]
    introspection: &'page Introspection,
    why: Vec<String>,
    logs: &'page [StepLog],
}

pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    visit: Visitor,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    let id = id(&path)?;
    let (introspection, logs) = tokio::try_join!(shared.durable.introspect(id), shared.durable.step_logs(id))?;
    let graph = graph(&shared, &introspection.details).await?;
    let why = introspection.blockers.iter().map(|blocker| sentence(&blocker.to_string())).collect();
    let page = page(&visit, &introspection, &logs, graph)?;
    visit.answer(&page, &Twin { introspection: &introspection, why, logs: &logs })
}

fn page(visit: &Visit, introspection: &Introspection, logs: &[StepLog], graph: Option<String>) -> Result<Page, Problem> {
    let Introspection { details, blockers, .. } = introspection;
    let execution = &details.execution;
    let id = execution.id;
    let mut shell = visit.shell(format!("{} {} · {}", execution.workflow, execution.state, short(id)), "executions");
    shell.is_live = true;
    let Journal { rows, shown, is_cut, earlier, later } = journal(&visit.query, details)?;
    let may_act = visit.may(Role::Operator);
    let actions = Verb::ALL.into_iter().filter(|verb| may_act && verb.fits(execution.state));
    let does =
        |verb: Verb| Does { label: verb.label(), href: format!("{id}/act?verb={}", verb.as_str()), command: verb.command(id) };
    let children = details.children.iter().take(MOST_LINES);
    let (logs, logs_left_out) = lines(logs);
    Ok(Page {
        shell,
        id: id.to_string(),
        workflow: execution.workflow.clone(),
        version: execution.version,
        state: execution.state,
        words: words(execution.state),
        failures: execution.error.iter().chain(&execution.rollback).cloned().collect(),
        unreadable: execution.unreadable.iter().chain(&details.unreadable).cloned().collect(),
        facts: facts(execution),
        tags: execution.tags.clone(),
        blockers: blockers.iter().map(|blocker| why(id, blocker, may_act)).collect(),
        actions: actions.map(does).collect(),
        rows,
        shown,
        is_cut,
        earlier,
        later,
        data: data(details),
        edits: edits(details),
        children: children.map(|child| (child.key.clone(), child.id.to_string(), child.workflow.clone(), child.state)).collect(),
        all_children: format!("../executions?parent={id}"),
        logs,
        logs_left_out,
        graph,
    })
}

/// The last part of an id, which differs most.
fn short(id: ExecutionId) -> String {
    let id = id.to_string();
    id[id.len() - 8..].to_owned()
}

/// The state in words.
fn words(state: ExecutionState) -> &'static str {
    match state {
        ExecutionState::Pending => "In its queue, or to start later.",
        ExecutionState::Running => "A worker runs it.",
        ExecutionState::Waiting => "It waits, and holds no worker.",
        ExecutionState::Paused => "It was paused, and begins nothing new until it is resumed.",
        ExecutionState::Stopped => "Its code does not fit its journal. Deploy code that fits, then resume it.",
        ExecutionState::Completed => "It has ended with an output.",
        ExecutionState::Failed => "It has ended with an error. Retry it when the cause is gone.",
        ExecutionState::Cancelled => "It was cancelled. A retry continues it.",
        ExecutionState::Expired => "No worker began it in time. A retry begins it.",
        ExecutionState::Compensating => "Its completed steps are being undone.",
        ExecutionState::Compensated => "It has ended, and its completed steps are undone.",
        ExecutionState::CompensationFailed => "It has ended, and at least one step could not be undone. Undo the rest by hand.",
        ExecutionState::Unknown => "A later release of Durable has written this state.",
    }
}

/// What the head shows: names and HTML.
fn facts(execution: &Execution) -> Vec<(&'static str, String)> {
    let shown = |text: &str| Value::plain(text);
    let link = |id: ExecutionId| format!("<a href=\"{id}\">{id}</a>");
    let parent = |parent: &durable::Parent| format!("{} ({})", link(parent.id), shown(&parent.key));
    let continued = (execution.continuations > 0).then(|| execution.continuations.to_string());
    let took = execution.started_at.map(|from| text::length(from, execution.finished_at.unwrap_or_else(text::now)));
    let time = |at: &Option<_>| at.as_ref().map(text::time);
    let facts = [
        ("Queue", Some(format!("<a href=\"../executions?{}\">{}</a>", by("queue", &execution.queue), shown(&execution.queue)))),
        ("Priority", (execution.priority != 0).then(|| execution.priority.to_string())),
        ("Key", execution.key.as_deref().map(shown)),
        ("Concurrency key", execution.concurrency_key.as_deref().map(shown)),
        ("Deduplication key", execution.deduplication_key.as_deref().map(shown)),
        ("Debounce key", execution.debounce_key.as_deref().map(shown)),
        ("Created", Some(text::time(&execution.created_at))),
        ("Began", time(&execution.started_at)),
        ("Paused", time(&execution.paused_at)),
        ("Wakes", time(&execution.wake_at)),
        ("Expires", time(&execution.expires_at)),
        ("Must end by", time(&execution.deadline_at)),
        ("Ended", time(&execution.finished_at)),
        ("Took", took),
        ("Parent", execution.parent.as_ref().map(parent)),
        ("Undoes", execution.undoes.map(link)),
        ("Continues", execution.forked_from.map(link)),
        ("Schedule", execution.schedule.as_deref().map(shown)),
        ("Scheduled for", time(&execution.scheduled_for)),
        ("Continued as new", continued),
    ];
    facts.into_iter().filter_map(|(name, html)| Some((name, html?))).collect()
}

/// A filter of the list of executions.
fn by(name: &str, value: &str) -> String {
    text::exact(&Query::default().with(name, value).encoded())
}

fn why(id: ExecutionId, blocker: &Blocker, may_act: bool) -> Why {
    let key = |key: &str| Query::default().with("key", key).encoded();
    let href = match blocker {
        Blocker::Input { wait, .. } if may_act => Some((format!("{id}/answer?{}", key(&wait.key)), "Answer")),
        Blocker::Event { names, .. } if may_act => names.first().map(|name| {
            let query = Query::default().with("verb", "event").with("name", name);
            (format!("{id}/act?{}", query.encoded()), "Send event")
        }),
        Blocker::Child { child: Some(child), .. } => Some((child.to_string(), "Look at the child")),
        Blocker::QueuePaused { .. } => Some(("../queues".to_owned(), "Look at the queue")),
        Blocker::NoWorker { .. } | Blocker::UnknownWorkflow { .. } => Some(("../workers".to_owned(), "Look at the workers")),
        _ => None,
    };
    Why { text: sentence(&blocker.to_string()), command: blocker.command(id), href }
}

/// A page of the journal.
struct Journal {
    rows: Vec<Row>,
    shown: String,
    is_cut: bool,
    earlier: Option<String>,
    later: Option<String>,
}

fn journal(query: &Query, details: &ExecutionDetails) -> Result<Journal, Problem> {
    let from = query.get("row").map_or(Ok(0), |text| {
        text.parse::<usize>().map_err(|_| Problem::invalid(format!("`{text}` is not the number of a row of the journal.")))
    })?;
    let execution = &details.execution;
    let all = entries(details);
    let from = if from < all.len() { from } else { all.len().saturating_sub(1) / ROWS * ROWS };
    let window = &all[from..all.len().min(from + ROWS)];
    let now = execution.finished_at.unwrap_or_else(text::now);
    let start = if from == 0 { execution.started_at.unwrap_or(execution.created_at) } else { window[0].began };
    let end = if from + window.len() == all.len() { now } else { window.iter().map(|entry| entry.began).max().unwrap_or(now) };
    let axis = Axis::new(start.min(end), end.max(start), window);
    let href = |row: usize| format!("{}?row={row}", execution.id);
    let shown = match all.len() {
        0 => String::new(),
        count if count <= ROWS => format!("{count}"),
        count => format!("{} to {} of {}", from + 1, from + window.len(), text::number(count as u64)),
    };
    Ok(Journal {
        rows: window.iter().map(|entry| row(execution.id, entry, &axis, end)).collect(),
        shown,
        is_cut: axis.is_cut,
        earlier: (from > 0).then(|| href(from.saturating_sub(ROWS))),
        later: (from + window.len() < all.len()).then(|| href(from + ROWS)),
    })
}

fn row(id: ExecutionId, entry: &Entry<'_>, axis: &Axis, now: DateTime<Utc>) -> Row {
    let end = entry.ended.unwrap_or(now).max(entry.began);
    let href = || format!("{id}/value?{}", Query::default().with("of", &entry.key).encoded());
    Row {
        key: entry.key.clone(),
        class: entry.class,
        state: entry.state.clone(),
        began: text::time(&entry.began),
        took: text::length(entry.began, end),
        bar: axis.bar(entry.began, end),
        backs_off: entry.backs_off_since.map(|since| axis.bar(since, entry.began)),
        value: entry.value.map(|value| Value::new(value.as_str(), Some(href()))),
        error: entry.error.map(|error| format!("{error:#}")),
        child: entry.child.clone(),
    }
}

/// Input, output, values and messages.
fn data(details: &ExecutionDetails) -> Vec<Datum> {
    let execution = &details.execution;
    let href = |of: &str| Some(format!("{}/value?{}", execution.id, Query::default().with("of", of).encoded()));
    let datum = |name: &str, note: String, value: &Json, href| Datum {
        name: name.to_owned(),
        note,
        value: Value::new(value.as_str(), href),
    };
    let mut data = vec![datum("input", "what it was started with".to_owned(), &execution.input, href("input"))];
    let continued = execution.continued_with.iter();
    data.extend(continued.map(|value| datum("input", "what it last continued with".to_owned(), value, href("continued_with"))));
    data.extend(execution.output.iter().map(|value| datum("output", String::new(), value, href("output"))));
    data.extend(details.values.iter().take(MOST_LINES).map(|value| {
        let stale = if value.stale { ", stale" } else { "" };
        let note = format!("value, revision {}{stale}", value.revision);
        datum(&value.name, note, &value.value, href(&format!("value {}", value.name)))
    }));
    data.extend(details.mailbox.iter().map(|message| {
        let note = format!("{} in the mailbox: nothing has waited for it yet", message.kind.as_str());
        datum(&message.name, note, &message.payload, None)
    }));
    data.extend(details.refusals.iter().map(|refusal| {
        let note = format!("{} that could not be used: {}", refusal.kind.as_str(), refusal.reason);
        datum(&refusal.name, note, refusal.payload.as_ref().unwrap_or(&Json::default()), None)
    }));
    data
}

fn edits(details: &ExecutionDetails) -> Vec<String> {
    let edit = |edit: &durable::Edit| {
        let by = edit.edited_by.as_deref().map(|person| format!(" by {person}")).unwrap_or_default();
        let what = edit.key.as_deref().map_or("The input".to_owned(), |key| format!("The output of `{key}`"));
        sentence(&format!("{what} was edited{by}: {}", edit.reason))
    };
    details.edits.iter().map(edit).collect()
}

/// The newest lines of the logs, the oldest of them first, and how many are left out.
fn lines(logs: &[StepLog]) -> (Vec<Line>, usize) {
    let mut lines: Vec<_> = logs.iter().flat_map(|log| log.lines.iter().map(move |line| (log, line))).collect();
    lines.sort_by_key(|(_, line)| line.at);
    let left_out = lines.len().saturating_sub(MOST_LINES);
    let shown = lines[left_out..].iter().map(|(log, line)| {
        let fields = line.fields.as_ref().map(|fields| format!(" {fields}")).unwrap_or_default();
        Line {
            at: text::time(&line.at),
            level: line.level.clone(),
            key: log.key.clone(),
            text: format!("{}: {}{fields}", line.target, line.message),
        }
    });
    let never_kept: usize = logs.iter().map(|log| log.left_out as usize).sum();
    (shown.collect(), left_out + never_kept)
}

/// The picture of its path on the graph of its workflow, if the graph is known and small enough. The picture's own style is in the
/// style sheet of the dashboard, because a page has no styles in it.
async fn graph(shared: &Shared, details: &ExecutionDetails) -> Result<Option<String>, Problem> {
    let Execution { workflow, version, .. } = &details.execution;
    let graph = match shared.durable.workflow_graph(workflow, *version).await {
        Ok(graph) => graph,
        Err(error) if error.kind() == durable::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let graph = graph.with_execution(details);
    if graph.graph.nodes.len() > MOST_NODES {
        return Ok(None);
    }
    let svg = graph.to_svg();
    Ok(match (svg.split_once("<style>"), svg.split_once("</style>")) {
        (Some((before, _)), Some((_, after))) => Some(format!("{before}{after}")),
        _ => Some(svg).filter(|svg| !svg.contains("<style")),
    })
}

/// One value, all of it, as it is stored.
pub(super) async fn value(
    State(shared): State<Arc<Shared>>,
    visit: Visitor,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    let (id, of) = (id(&path)?, visit.query.needed("of")?);
    let details = shared.durable.get_execution(id).await?;
    let found = find(&details, of).ok_or_else(|| {
        let what = format!("Execution {id} has no value `{of}`.");
        Problem::new(StatusCode::NOT_FOUND, what).advice("Open the page of the execution: it links to all its values.")
    })?;
    Ok(([(CONTENT_TYPE, "application/json")], found.as_str().to_owned()).into_response())
}

fn find<'details>(details: &'details ExecutionDetails, of: &str) -> Option<&'details Json> {
    let execution = &details.execution;
    match of {
        "input" => return Some(&execution.input),
        "continued_with" => return execution.continued_with.as_ref(),
        "output" => return execution.output.as_ref(),
        _ => {}
    }
    let step = details.steps.iter().find(|step| step.key == of).and_then(|step| step.output.as_ref());
    let wait = || details.waits.iter().find(|wait| wait.key == of).and_then(|wait| wait.payload.as_ref());
    let undone = || {
        let step = of.strip_prefix("undo ")?;
        details.compensations.iter().find(|undone| undone.step == step)?.output.as_ref()
    };
    let value = || details.values.iter().find(|value| of.strip_prefix("value ") == Some(&value.name)).map(|value| &value.value);
    step.or_else(wait).or_else(undone).or_else(value)
}
