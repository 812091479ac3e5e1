//! What executions ask people, the nearest deadline first.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use durable::{InputCursor, PendingInput};
use serde_json::json;

use crate::Shared;
use crate::access::Role;
use crate::problem::Problem;
use crate::text;
use crate::visit::{Query, Shell, Visitor};

/// Questions of a page.
const ROWS: u32 = 50;

#[derive(Template)]
#[template(path = "inbox.html")]
struct Page {
    shell: Shell,
    rows: Vec<Row>,
    workflow: String,
    assignee: String,
    is_filtered: bool,
    is_first: bool,
    next: Option<String>,
    first: String,
    may_answer: bool,
}

struct Row {
    href: String,
    name: String,
    prompt: String,
    workflow: String,
    execution: String,
    assignee: String,
    asked: String,
    due: String,
    refusal: Option<String>,
}

pub(super) async fn get(State(shared): State<Arc<Shared>>, visit: Visitor) -> Result<Response, Problem> {
    let query = &visit.query;
    let mut list = shared.durable.pending_inputs().limit(ROWS);
    if let Some(workflow) = query.get("workflow") {
        list = list.workflow(workflow);
    }
    if let Some(assignee) = query.get("assignee") {
        list = list.assignee(assignee);
    }
    if let Some(after) = query.get("after") {
        list = list.after(after.parse::<InputCursor>()?);
    }
    let page = list.await?;
    let next = page.next.as_ref().map(ToString::to_string);
    let href = |query: Query| format!("inbox?{}", query.encoded());
    let mut shell = visit.shell("Inbox", "inbox");
    shell.is_live = true;
    let filters = query.without(&["after", "did"]);
    let html = Page {
        shell,
        rows: page.iter().map(row).collect(),
        workflow: text::exact(query.get("workflow").unwrap_or_default()),
        assignee: text::exact(query.get("assignee").unwrap_or_default()),
        is_filtered: !filters.pairs().is_empty(),
        is_first: query.get("after").is_none(),
        next: next.as_ref().map(|next| href(filters.with("after", next))),
        first: href(filters.clone()),
        may_answer: visit.may(Role::Operator),
    };
    visit.answer(&html, &json!({ "inputs": page.items, "next": next }))
}

fn row(input: &PendingInput) -> Row {
    let key = Query::default().with("key", &input.key).encoded();
    Row {
        href: format!("executions/{}/answer?{key}", input.execution_id),
        name: input.name.clone(),
        prompt: input.prompt.clone().unwrap_or_default(),
        workflow: input.workflow.clone(),
        execution: input.execution_id.to_string(),
        assignee: input.assignee.clone().unwrap_or_default(),
        asked: text::time(&input.asked_at),
        due: text::maybe_time(&input.due_at),
        refusal: input.refusal.as_ref().map(|refusal| refusal.reason.clone()),
    }
}
