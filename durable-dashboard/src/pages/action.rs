//! The page before an action: what is done to what, the fields that it takes, and its command line.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::problem::Problem;
use crate::text;
use crate::visit::{Query, Shell, Visit};

/// An action that a person is about to confirm.
pub(super) struct Action {
    pub(super) title: String,
    /// What it does, in a sentence.
    pub(super) what: String,
    /// The same on the command line.
    pub(super) command: String,
    pub(super) fields: Vec<Field>,
    /// What the form sends besides.
    pub(super) hidden: Vec<(&'static str, String)>,
    /// The button.
    pub(super) button: &'static str,
    /// Where a person who does not confirm goes.
    pub(super) back: String,
    pub(super) menu: &'static str,
}

/// A field of the form.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) help: &'static str,
    pub(super) value: String,
    pub(super) is_json: bool,
    pub(super) is_required: bool,
}

#[derive(Template)]
#[template(path = "action.html")]
struct Page<'action> {
    shell: Shell,
    action: &'action Action,
    problem: Option<String>,
}

impl Page<'_> {
    fn exact(&self, text: &str) -> String {
        text::exact(text)
    }
}

impl Action {
    pub(super) fn answer(&self, visit: &Visit) -> Result<Response, Problem> {
        self.render(visit, StatusCode::OK, None)
    }

    /// The same page with what is wrong with the form, which keeps what was typed.
    pub(super) fn refused(mut self, visit: &Visit, form: &Query, problem: Problem) -> Result<Response, Problem> {
        for field in &mut self.fields {
            field.value = form.get(field.name).unwrap_or_default().to_owned();
        }
        self.render(visit, problem.status, Some(problem.what))
    }

    fn render(&self, visit: &Visit, status: StatusCode, problem: Option<String>) -> Result<Response, Problem> {
        let twin = json!({ "action": self.button, "what": self.what, "command": self.command, "error": problem });
        let shell = visit.shell(self.title.clone(), self.menu);
        visit.answer_with(status, &Page { shell, action: self, problem }, &twin)
    }
}

impl Field {
    pub(super) fn reason() -> Self {
        Self {
            name: "reason",
            label: "Reason",
            help: "For the record.",
            value: "by request, from the dashboard".to_owned(),
            is_json: false,
            is_required: true,
        }
    }
}
