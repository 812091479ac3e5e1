//! Retry, resume or cancel of all executions that pass the filters: first what and how many, then the report.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use durable::{Bulk, ExecutionList};
use serde_json::json;

use super::executions::only_filters;
use super::filter::Filter;
use crate::Shared;
use crate::access::Role;
use crate::problem::{Problem, sentence};
use crate::text;
use crate::visit::{Query, Shell, Visitor};

/// Why executions are cancelled, if the person gives no reason.
const REASON: &str = "by request, from the dashboard";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Retry,
    Resume,
    Cancel,
}

/// A verb on the page before: how many it is about, and its form.
struct Choice {
    verb: &'static str,
    title: String,
    what: String,
    command: String,
    count: u64,
    has_reason: bool,
}

#[derive(Template)]
#[template(path = "bulk.html")]
struct Page {
    shell: Shell,
    filters: Vec<(String, String)>,
    choices: Vec<Choice>,
    back: String,
}

#[derive(Template)]
#[template(path = "bulk_done.html")]
struct Done {
    shell: Shell,
    what: String,
    skipped: u64,
    reasons: Vec<(String, String)>,
    back: String,
}

impl Verb {
    const ALL: [Self; 3] = [Self::Retry, Self::Resume, Self::Cancel];

    fn read(query: &Query) -> Result<Self, Problem> {
        let verb = query.needed("verb")?;
        let found = Self::ALL.into_iter().find(|known| known.as_str() == verb);
        found.ok_or_else(|| Problem::invalid(format!("`{verb}` is not done to many executions. Choose retry, resume or cancel.")))
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
        }
    }

    fn done(self) -> &'static str {
        match self {
            Self::Retry => "retried",
            Self::Resume => "resumed",
            Self::Cancel => "cancelled",
        }
    }

    /// Which of the executions it is about if no state is chosen.
    fn which(self, filter: &Filter) -> &'static str {
        match self {
            _ if !filter.states.is_empty() => "executions that pass these filters",
            Self::Retry => "failed executions that pass these filters",
            Self::Resume => "stopped executions that pass these filters",
            Self::Cancel => "executions that pass these filters and have not ended",
        }
    }

    fn of<'durable>(self, list: ExecutionList<'durable>, reason: &str) -> Bulk<'durable> {
        match self {
            Self::Retry => list.retry_all(),
            Self::Resume => list.resume_all(),
            Self::Cancel => list.cancel_all(reason),
        }
    }
}

pub(super) async fn get(State(shared): State<Arc<Shared>>, visit: Visitor) -> Result<Response, Problem> {
    visit.require(Role::Admin)?;
    let filter = Filter::read(&visit.query)?;
    let mut choices = Vec::new();
    for verb in Verb::ALL {
        let count = verb.of(filter.list(&shared.durable), REASON).count().await?;
        let name = verb.as_str();
        choices.push(Choice {
            verb: name,
            title: format!("{}{} {}", name[..1].to_uppercase(), &name[1..], text::number(count)),
            what: format!("{} {} are {}.", text::number(count), verb.which(&filter), verb.done()),
            command: format!("durable execution {name}-all{} --yes", filter.words()),
            count,
            has_reason: verb == Verb::Cancel,
        });
    }
    let counts: Vec<_> = choices.iter().map(|choice| json!({ "verb": choice.verb, "executions": choice.count })).collect();
    let filters = only_filters(&visit.query);
    let back = format!("../executions?{}", filters.encoded());
    let shell = visit.shell("Change many executions", "executions");
    visit.answer(&Page { shell, filters: filters.pairs().to_vec(), choices, back }, &json!({ "choices": counts }))
}

pub(super) async fn post(State(shared): State<Arc<Shared>>, visit: Visitor, body: String) -> Result<Response, Problem> {
    visit.require(Role::Admin)?;
    let form = Query::read(&body);
    let (verb, filter) = (Verb::read(&form)?, Filter::read(&form)?);
    let report = verb.of(filter.list(&shared.durable), form.get("reason").unwrap_or(REASON)).await?;
    let reasons: Vec<(String, String)> =
        report.reasons.iter().map(|(id, error)| (id.to_string(), sentence(&error.to_string()))).collect();
    let twin = json!({ "done": report.done, "skipped": report.skipped, "reasons": reasons });
    let what = match report.done {
        1 => format!("One execution was {}.", verb.done()),
        done => format!("{} executions were {}.", text::number(done), verb.done()),
    };
    let back = format!("../executions?{}", only_filters(&form).encoded());
    let shell = visit.shell(what.clone(), "executions");
    visit.answer(&Done { shell, what, skipped: report.skipped, reasons, back }, &twin)
}
