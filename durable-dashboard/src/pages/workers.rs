//! Workers: their release, their host, how full they are, and what they know.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use durable::{WorkerDetails, WorkerState};
use serde_json::json;

use crate::Shared;
use crate::access::Role;
use crate::problem::Problem;
use crate::text;
use crate::visit::{Shell, Visitor};

#[derive(Template)]
#[template(path = "workers.html")]
struct Page {
    shell: Shell,
    rows: Vec<Row>,
    may_change: bool,
}

struct Row {
    id: String,
    state: &'static str,
    host: String,
    version: String,
    queues: Vec<String>,
    workflows: Vec<String>,
    started: String,
    lease: String,
    troubles: Vec<String>,
    is_active: bool,
}

pub(super) async fn get(State(shared): State<Arc<Shared>>, visit: Visitor) -> Result<Response, Problem> {
    let workers = shared.durable.workers().await?;
    let mut shell = visit.shell("Workers", "workers");
    shell.is_live = true;
    let html = Page { shell, rows: workers.iter().map(row).collect(), may_change: visit.may(Role::Admin) };
    visit.answer(&html, &json!({ "workers": workers }))
}

fn row(worker: &WorkerDetails) -> Row {
    let mut troubles = Vec::new();
    if let Some(since) = worker.unresponsive_since {
        troubles.push(format!("its runtime has not answered since {}", since.format("%Y-%m-%d %H:%M:%S")));
    }
    if !worker.stuck_executions.is_empty() {
        let ids: Vec<String> = worker.stuck_executions.iter().map(ToString::to_string).collect();
        troubles.push(format!("the code of these executions does not return: {}", ids.join(", ")));
    }
    troubles.extend(worker.unreadable.clone());
    Row {
        id: worker.id.to_string(),
        state: worker.state.as_str(),
        host: format!("{}, process {}", worker.host, worker.process_id),
        version: worker.version.clone().unwrap_or_default(),
        queues: worker.queues.iter().map(|slots| format!("{} {}/{}", slots.queue, slots.in_use, slots.slots)).collect(),
        workflows: worker.workflows.clone().unwrap_or_default(),
        started: text::time(&worker.started_at),
        lease: text::time(&worker.lease_until),
        troubles,
        is_active: worker.state == WorkerState::Active,
    }
}
