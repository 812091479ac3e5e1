//! Queues: what is in them, how old the oldest is, and their limits.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use durable::{Queue, Rate};
use serde_json::json;

use crate::Shared;
use crate::access::Role;
use crate::problem::Problem;
use crate::text;
use crate::visit::{Query, Shell, Visitor};

#[derive(Template)]
#[template(path = "queues.html")]
struct Page {
    shell: Shell,
    rows: Vec<Row>,
    may_change: bool,
}

struct Row {
    name: String,
    encoded: String,
    filter: String,
    pending: String,
    oldest: String,
    running: String,
    limits: Vec<String>,
    paused: String,
}

pub(super) async fn get(State(shared): State<Arc<Shared>>, visit: Visitor) -> Result<Response, Problem> {
    let queues = shared.durable.queues().await?;
    let mut shell = visit.shell("Queues", "queues");
    shell.is_live = true;
    let html = Page { shell, rows: queues.iter().map(row).collect(), may_change: visit.may(Role::Admin) };
    visit.answer(&html, &json!({ "queues": queues }))
}

fn row(queue: &Queue) -> Row {
    let rate = |rate: Rate, each: &str| format!("{} {each}in {:?}", rate.executions, rate.period);
    let limits = [
        queue.limits.concurrency.map(|most| format!("{most} at once")),
        queue.limits.rate.map(|limit| rate(limit, "")),
        queue.limits.rate_per_key.map(|limit| rate(limit, "of each key ")),
    ];
    Row {
        name: queue.name.clone(),
        encoded: Query::default().with("name", &queue.name).encoded(),
        filter: Query::default().with("queue", &queue.name).encoded(),
        pending: text::number(queue.pending),
        oldest: queue.oldest_pending_at.map(|at| text::length(at, text::now())).unwrap_or_default(),
        running: text::number(queue.running),
        limits: limits.into_iter().flatten().collect(),
        paused: text::maybe_time(&queue.paused_at),
    }
}
