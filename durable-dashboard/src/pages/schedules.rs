//! Schedules: their rules in words, when they fire next, and what became of their last due times.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use durable::{Firing, Schedule};
use futures_util::future::try_join_all;
use serde_json::json;

use crate::Shared;
use crate::access::Role;
use crate::problem::Problem;
use crate::text;
use crate::visit::{Query, Shell, Visitor};

/// Schedules of a page. Each needs a statement for its last due times.
const ROWS: u32 = 25;

/// Due times that are shown of each.
const FIRINGS: u32 = 5;

#[derive(Template)]
#[template(path = "schedules.html")]
struct Page {
    shell: Shell,
    rows: Vec<Row>,
    next: Option<String>,
    is_first: bool,
    may_trigger: bool,
    may_change: bool,
}

struct Row {
    name: String,
    encoded: String,
    workflow: String,
    version: u32,
    queue: String,
    rule: String,
    description: String,
    timezone: String,
    next: String,
    enabled: bool,
    reason: String,
    failures: u32,
    firings: Vec<Fired>,
}

struct Fired {
    due: String,
    outcome: String,
    execution: Option<String>,
}

pub(super) async fn get(State(shared): State<Arc<Shared>>, visit: Visitor) -> Result<Response, Problem> {
    let mut list = shared.durable.list_schedules().limit(ROWS);
    if let Some(after) = visit.query.get("after") {
        list = list.after(after);
    }
    let page = list.await?;
    let firings = page.iter().map(|schedule| shared.durable.schedule_firings(&schedule.name).limit(FIRINGS).into_future());
    let firings = try_join_all(firings).await?;
    let mut shell = visit.shell("Schedules", "schedules");
    shell.is_live = true;
    let after = |next: &String| format!("schedules?{}", Query::default().with("after", next).encoded());
    let html = Page {
        shell,
        rows: page.iter().zip(&firings).map(|(schedule, firings)| row(schedule, firings)).collect(),
        next: page.next.as_ref().map(after),
        is_first: visit.query.get("after").is_none(),
        may_trigger: visit.may(Role::Operator),
        may_change: visit.may(Role::Admin),
    };
    let pairs = page.iter().zip(&firings);
    let twin: Vec<_> = pairs.map(|(schedule, firings)| json!({ "schedule": schedule, "firings": firings.items })).collect();
    visit.answer(&html, &json!({ "schedules": twin, "next": page.next }))
}

fn row(schedule: &Schedule, firings: &[Firing]) -> Row {
    let reason = schedule.disabled_reason.clone().or_else(|| schedule.last_error.as_ref().map(|error| error.message.clone()));
    Row {
        name: schedule.name.clone(),
        encoded: Query::default().with("name", &schedule.name).encoded(),
        workflow: schedule.workflow.clone(),
        version: schedule.version,
        queue: schedule.queue.clone(),
        rule: schedule.rule.clone(),
        description: schedule.description.clone(),
        timezone: schedule.timezone.clone(),
        next: text::maybe_time(&schedule.next_due_at),
        enabled: schedule.enabled,
        reason: reason.unwrap_or_default(),
        failures: schedule.failures,
        firings: firings.iter().map(fired).collect(),
    }
}

fn fired(firing: &Firing) -> Fired {
    let outcome = match firing.state {
        Some(state) => state.to_string(),
        None => serde_json::to_value(firing.outcome).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default(),
    };
    Fired { due: text::time(&firing.due_at), outcome, execution: firing.execution_id.map(|id| id.to_string()) }
}
