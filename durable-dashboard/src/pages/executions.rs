//! The list of executions: filters, pages, and how many there are.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use durable::{Execution, ExecutionState};
use serde::Serialize;

use super::filter::{Filter, NAMES};
use crate::Shared;
use crate::access::Role;
use crate::problem::Problem;
use crate::text;
use crate::visit::{Query, Shell, Visitor};

/// Rows of a page unless the URL says otherwise, and at most.
const ROWS: u32 = 50;
const MOST_ROWS: u32 = 200;

/// Executions are counted no further.
const MOST_COUNTED: u32 = 10_000;

#[derive(Template)]
#[template(path = "executions.html")]
struct Page {
    shell: Shell,
    /// The filters as they were typed.
    query: Query,
    states: Vec<(ExecutionState, bool)>,
    rows: Vec<Row>,
    count: String,
    is_filtered: bool,
    is_first: bool,
    next: Option<String>,
    first: String,
    bulk: Option<String>,
    command: String,
}

struct Row {
    id: String,
    workflow: String,
    version: u32,
    state: ExecutionState,
    queue: String,
    key: String,
    tags: Vec<String>,
    created: String,
    took: String,
    error: String,
}

#[derive(Serialize)]
struct Twin<'page> {
    executions: &'page [Execution],
    /// How many pass the filters, counted to 10 000.
    count: u64,
    count_is_capped: bool,
    /// For `after`.
    next: Option<String>,
}

impl Page {
    fn typed(&self, name: &str) -> String {
        text::exact(self.query.get(name).unwrap_or_default())
    }
}

pub(super) async fn get(State(shared): State<Arc<Shared>>, visit: Visitor) -> Result<Response, Problem> {
    let query = &visit.query;
    let filter = Filter::read(query)?;
    let limit = query.get("limit").map_or(Ok(ROWS), |text| {
        let limit = text.parse().ok().filter(|limit| (1..=MOST_ROWS).contains(limit));
        limit.ok_or_else(|| Problem::invalid(format!("A page has 1 to {MOST_ROWS} rows, not `{text}`.")))
    })?;
    let list = filter.list(&shared.durable);
    let mut page = list.clone().limit(limit);
    if let Some(after) = query.get("after") {
        page = page.after(after.parse::<durable::Cursor>()?);
    }
    let (page, count) = tokio::join!(page, list.count_at_most(MOST_COUNTED + 1));
    let (page, count) = (page?, count?);
    let (is_capped, next) = (count > MOST_COUNTED.into(), page.next.map(|next| next.to_string()));
    let shown = count.min(MOST_COUNTED.into());

    let filters = query.without(&["after", "did", "limit"]);
    let href = |query: Query| format!("executions?{}", query.encoded());
    let mut shell = visit.shell(title(&filter), "executions");
    shell.is_live = true;
    let html = Page {
        shell,
        states: ExecutionState::ALL.map(|state| (state, filter.states.contains(&state))).to_vec(),
        rows: page.executions.iter().map(row).collect(),
        count: if is_capped { format!("{}+", text::number(shown)) } else { text::number(shown) },
        is_filtered: !filter.is_empty(),
        is_first: query.get("after").is_none(),
        next: next.as_ref().map(|next| href(query.without(&["did"]).with("after", next))),
        first: href(query.without(&["after", "did"])),
        bulk: (!filter.is_empty() && visit.may(Role::Admin)).then(|| format!("executions/bulk?{}", filters.encoded())),
        command: format!("durable execution list{}", filter.words()),
        query: query.clone(),
    };
    visit.answer(&html, &Twin { executions: &page.executions, count: shown, count_is_capped: is_capped, next })
}

/// What tells the tabs of a browser apart.
fn title(filter: &Filter) -> String {
    let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
    let parts = [Some("Executions".to_owned()), filter.workflow.clone(), (!states.is_empty()).then(|| states.join(", "))];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn row(execution: &Execution) -> Row {
    let end = execution.finished_at;
    Row {
        id: execution.id.to_string(),
        workflow: execution.workflow.clone(),
        version: execution.version,
        state: execution.state,
        queue: execution.queue.clone(),
        key: execution.key.clone().unwrap_or_default(),
        tags: execution.tags.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        created: text::time(&execution.created_at),
        took: execution.started_at.zip(end).map(|(from, to)| text::length(from, to)).unwrap_or_default(),
        error: execution.error.as_ref().map(|error| text::cut(&error.message, 120).to_owned()).unwrap_or_default(),
    }
}

/// The query without everything that is not a filter.
pub(super) fn only_filters(query: &Query) -> Query {
    let mut filters = Query::default();
    for (name, value) in query.pairs().iter().filter(|(name, value)| NAMES.contains(&name.as_str()) && !value.is_empty()) {
        filters.push(name, value);
    }
    filters
}
