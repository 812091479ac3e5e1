//! One open question with its form, and the answer to it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use durable::{ErrorKind, ExecutionId, PendingInput};
use serde_json::json;
use serde_json::value::RawValue;

use super::act_on_execution::id;
use crate::Shared;
use crate::access::Role;
use crate::forms::{Field, Form, Mistake, Posted};
use crate::problem::{Problem, sentence};
use crate::text::{self, Value};
use crate::visit::{Query, Shell, Visit, Visitor};

#[derive(Template)]
#[template(path = "answer.html")]
struct Page<'page> {
    shell: Shell,
    input: &'page PendingInput,
    asked: String,
    due: String,
    metadata: Option<Value>,
    form: Field,
    problem: Option<String>,
    by: String,
    /// Whether the application says who the person is.
    is_known: bool,
    may_answer: bool,
    command: String,
    back: String,
}

pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    visit: Visitor,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    let input = find(&shared, id(&path)?, visit.query.needed("key")?).await?;
    let form = Form::new(input.schema.as_ref());
    let posted = form.defaults();
    Sheet { visit: &visit, input: &input, form: &form, posted: &posted }.render(StatusCode::OK, &[], None)
}

pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    visit: Visitor,
    Path(path): Path<String>,
    body: String,
) -> Result<Response, Problem> {
    visit.require(Role::Operator)?;
    let (id, key) = (id(&path)?, visit.query.needed("key")?);
    let input = find(&shared, id, key).await?;
    let form = Form::new(input.schema.as_ref());
    let mut posted = Posted::read(&Query::read(&body));
    let is_changed = posted.change_lists();
    let sheet = Sheet { visit: &visit, input: &input, form: &form, posted: &posted };
    if is_changed {
        return sheet.render(StatusCode::OK, &[], None);
    }
    let json = match form.read(&posted) {
        Ok(json) => json,
        Err(mistakes) => return sheet.render(StatusCode::UNPROCESSABLE_ENTITY, &mistakes, None),
    };
    let value = RawValue::from_string(json).map_err(|error| Problem::invalid(format!("The answer is not JSON: {error}.")))?;
    let answer = shared.durable.provide_input(id, &input.name, &value);
    let person = visit.access.person().unwrap_or_else(|| posted.get("by").trim());
    let given = if person.is_empty() { answer.await } else { answer.by(person).await };
    match given {
        Ok(delivery) => Ok(visit.done("../../inbox", if delivery.is_kept() { "answer_kept" } else { "answer" })),
        Err(error) if matches!(error.kind(), ErrorKind::Payload | ErrorKind::Invalid) => {
            let problem = sentence(&error.to_string());
            sheet.render(StatusCode::UNPROCESSABLE_ENTITY, &[], Some(problem))
        }
        Err(error) => Err(error.into()),
    }
}

/// The open question; if it is not open any more, a problem that says so.
async fn find(shared: &Shared, id: ExecutionId, key: &str) -> Result<PendingInput, Problem> {
    let inputs = shared.durable.pending_inputs().execution(id).await?;
    if let Some(input) = inputs.into_iter().find(|input| input.key == key) {
        return Ok(input);
    }
    let details = shared.durable.get_execution(id).await?;
    let what = match details.waits.iter().find(|wait| wait.key == key) {
        Some(durable::Wait { outcome: Some(durable::WaitOutcome::Received), answered_by: Some(person), .. }) => {
            format!("This question was already answered by {person}.")
        }
        Some(durable::Wait { outcome: Some(durable::WaitOutcome::Received), .. }) => {
            "This question was already answered.".to_owned()
        }
        Some(durable::Wait { outcome: Some(durable::WaitOutcome::TimedOut), .. }) => {
            "The deadline of this question has passed.".to_owned()
        }
        Some(_) => format!("This question is not open any more: its execution is {}.", details.execution.state),
        None => {
            let what = format!("Execution {id} does not ask `{key}`.");
            return Err(Problem::new(StatusCode::NOT_FOUND, what).advice("The inbox has all open questions."));
        }
    };
    Err(Problem::new(StatusCode::CONFLICT, what).advice("Nothing was changed. The inbox has the questions that are open."))
}

/// A question with what was typed.
struct Sheet<'page> {
    visit: &'page Visit,
    input: &'page PendingInput,
    form: &'page Form,
    posted: &'page Posted,
}

impl Sheet<'_> {
    fn render(&self, status: StatusCode, mistakes: &[Mistake], problem: Option<String>) -> Result<Response, Problem> {
        let Self { visit, input, form, posted } = self;
        let twin = json!({
            "input": input,
            "error": problem,
            "mistakes": mistakes.iter().map(|mistake| json!({ "field": mistake.name, "message": mistake.text })).collect::<Vec<_>>(),
        });
        let problem = match mistakes.len() {
            0 => problem,
            1 => Some("One field needs another value.".to_owned()),
            count => Some(format!("{count} fields need other values.")),
        };
        let page = Page {
            shell: visit.shell(format!("{} · {}", input.name, input.workflow), "inbox"),
            input,
            asked: text::time(&input.asked_at),
            due: text::maybe_time(&input.due_at),
            metadata: input.metadata.as_ref().map(|metadata| Value::new(metadata.as_str(), None)),
            form: form.view(posted, mistakes),
            problem,
            by: text::exact(posted.get("by")),
            is_known: visit.access.person().is_some(),
            may_answer: visit.may(Role::Operator),
            command: format!("durable input give {} {} ANSWER", input.execution_id, text::word(&input.name)),
            back: "../../inbox".to_owned(),
        };
        visit.answer_with(status, &page, &twin)
    }
}
