//! Probes for load balancers: whether the process answers, and whether the database does.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use crate::Shared;

pub(super) async fn livez() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    let answer = tokio::time::timeout(shared.patience, shared.durable.change_mark()).await;
    match answer {
        Ok(Ok(_)) => (StatusCode::OK, "ok\n"),
        Ok(Err(_)) | Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}
