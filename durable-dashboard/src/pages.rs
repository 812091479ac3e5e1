//! The pages, one file each, and which of them answers which URL.

mod act_on_execution;
mod act_on_others;
mod action;
mod answer;
mod bulk;
mod execution;
mod executions;
mod filter;
mod health;
mod inbox;
mod probes;
mod queues;
mod schedules;
mod waterfall;
mod workers;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;

use crate::problem::Problem;
use crate::visit::Visitor;
use crate::{Shared, assets, guard, live};

/// Largest form. An answer of the largest payload, encoded as a form, may have three bytes for each.
const LARGEST_FORM: usize = 3 * durable::PAYLOAD_LIMIT;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(first))
        .route("/executions", get(executions::get))
        .route("/executions/bulk", get(bulk::get).post(bulk::post))
        .route("/executions/{id}", get(execution::get))
        .route("/executions/{id}/value", get(execution::value))
        .route("/executions/{id}/act", get(act_on_execution::get).post(act_on_execution::post))
        .route("/executions/{id}/answer", get(answer::get).post(answer::post))
        .route("/inbox", get(inbox::get))
        .route("/schedules", get(schedules::get))
        .route("/schedules/act", get(act_on_others::get_schedule).post(act_on_others::post_schedule))
        .route("/queues", get(queues::get))
        .route("/queues/act", get(act_on_others::get_queue).post(act_on_others::post_queue))
        .route("/workers", get(workers::get))
        .route("/workers/act", get(act_on_others::get_worker).post(act_on_others::post_worker))
        .route("/health", get(health::get))
        .route("/ticks", get(live::ticks))
        .route("/livez", get(probes::livez))
        .route("/readyz", get(probes::readyz))
        .route("/assets/{hash}/{name}", get(assets::get))
        .fallback(other)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(from_fn_with_state(shared.clone(), guard::guard))
        .with_state(shared)
}

async fn first(visit: Visitor) -> Response {
    visit.to_first_page()
}

async fn other(visit: Visitor) -> Result<Response, Problem> {
    // A nested router may hand on its root here, if that was asked for with a `/` at its end.
    if visit.is_root() { Ok(visit.to_first_page()) } else { Err(Problem::no_page()) }
}

async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "This page does not take this method.")
        .advice("Pages are read with GET, and changed with POST from their own forms.")
}
