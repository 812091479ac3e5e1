//! What the doctor finds wrong with the database and with what works on it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::Shared;
use crate::problem::{Problem, sentence};
use crate::visit::{Shell, Visitor};

#[derive(Template)]
#[template(path = "health.html")]
struct Page {
    shell: Shell,
    findings: Vec<Found>,
}

struct Found {
    severity: &'static str,
    about: &'static str,
    problem: String,
    repair: String,
}

pub(super) async fn get(State(shared): State<Arc<Shared>>, visit: Visitor) -> Result<Response, Problem> {
    let findings = shared.durable.examine().await?;
    let found = findings.iter().map(|finding| Found {
        severity: finding.severity.as_str(),
        about: finding.about.as_str(),
        problem: sentence(&finding.problem),
        repair: sentence(&finding.repair),
    });
    let html = Page { shell: visit.shell("Health", "health"), findings: found.collect() };
    visit.answer(&html, &json!({ "findings": findings }))
}
