//! One request: how to link from its page, what its sender wants and may do, and the answers to it.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::OriginalUri;
use axum::http::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::access::{Access, Role};
use crate::assets::{self, Asset};
use crate::problem::Problem;

/// The request, as handlers take it.
pub(crate) type Visitor = Extension<Arc<Visit>>;

/// The pages of the menu: their path and their label.
pub(crate) const MENU: [(&str, &str); 6] = [
    ("executions", "Executions"),
    ("inbox", "Inbox"),
    ("schedules", "Schedules"),
    ("queues", "Queues"),
    ("workers", "Workers"),
    ("health", "Health"),
];

#[derive(Debug)]
pub(crate) struct Visit {
    /// The path below the dashboard's own.
    path: String,
    /// The path as the client sent it.
    original_path: String,
    pub(crate) query: Query,
    pub(crate) wants_json: bool,
    pub(crate) access: Access,
    read_only: bool,
}

/// Names and values in the order in which they were sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

/// What the frame of each page needs.
pub(crate) struct Shell {
    pub(crate) title: String,
    pub(crate) current: &'static str,
    /// The path from the page to the dashboard's root: `./`, `../` and so on.
    pub(crate) root: String,
    /// The page itself, as a relative URL.
    pub(crate) itself: String,
    pub(crate) script: String,
    pub(crate) htmx: String,
    pub(crate) style: String,
    pub(crate) who: String,
    /// Whether the page is refreshed after changes.
    pub(crate) is_live: bool,
    pub(crate) notice: Option<&'static str>,
}

impl Query {
    pub(crate) fn read(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The last value of a name that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rfind(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// The value of a name that the request must have.
    pub(crate) fn needed(&self, name: &str) -> Result<&str, Problem> {
        self.get(name).ok_or_else(|| Problem::invalid(format!("The address lacks `{name}`.")))
    }

    /// All values of a name that are not empty.
    pub(crate) fn all<'query>(&'query self, name: &'query str) -> impl Iterator<Item = &'query str> {
        self.0.iter().filter(move |(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    pub(crate) fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// The same without these names, and without what is empty.
    pub(crate) fn without(&self, names: &[&str]) -> Self {
        let keeps = |(name, value): &&(String, String)| !names.contains(&name.as_str()) && !value.is_empty();
        Self(self.0.iter().filter(keeps).cloned().collect())
    }

    /// The same with another value of a name.
    pub(crate) fn with(&self, name: &str, value: impl Into<String>) -> Self {
        let mut query = self.without(&[name]);
        query.push(name, value);
        query
    }

    /// As it stands after the `?` of a URL.
    pub(crate) fn encoded(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }
}

impl Visit {
    pub(crate) fn new(parts: &Parts, access: Access, read_only: bool) -> Self {
        let accept = parts.headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let original = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(original)| original);
        Self {
            path: parts.uri.path().to_owned(),
            original_path: original.path().to_owned(),
            query: Query::read(parts.uri.query().unwrap_or_default()),
            wants_json: accept.contains("application/json") && !accept.contains("text/html"),
            access,
            read_only,
        }
    }

    /// The path from the page to the dashboard's root.
    pub(crate) fn root(&self) -> String {
        match self.path.matches('/').count() {
            0 | 1 => "./".to_owned(),
            depth => "../".repeat(depth - 1),
        }
    }

    /// Whether the sender may do what needs this role.
    pub(crate) fn may(&self, role: Role) -> bool {
        !self.read_only && self.access.role().is_some_and(|own| own >= role)
    }

    /// Refuses a change that the sender may not make.
    pub(crate) fn require(&self, role: Role) -> Result<(), Problem> {
        if self.may(role) {
            return Ok(());
        }
        let problem = |what: String| Problem::new(StatusCode::FORBIDDEN, what);
        Err(if self.read_only {
            problem("This dashboard is read-only.".to_owned()).advice("Use another dashboard, or the command line.")
        } else {
            let own = self.access.role().map_or("nothing", Role::as_str);
            problem(format!("This needs the role {}, and yours is {own}.", role.as_str()))
                .advice("Ask a person who has that role.")
        })
    }

    pub(crate) fn shell(&self, title: impl Into<String>, current: &'static str) -> Shell {
        let root = self.root();
        let asset = |asset| format!("{root}{}", assets::path(asset));
        let last = self.path.rsplit('/').next().unwrap_or_default();
        let query = self.query.without(&["did"]).encoded();
        let role = if self.read_only { "read-only" } else { self.access.role().map_or("", Role::as_str) };
        let who = self.access.person().map_or_else(|| role.to_owned(), |person| format!("{person}, {role}"));
        Shell {
            title: title.into(),
            current,
            itself: if query.is_empty() { format!("./{last}") } else { format!("./{last}?{query}") },
            script: asset(Asset::Script),
            htmx: asset(Asset::Htmx),
            style: asset(Asset::Style),
            root,
            who,
            is_live: false,
            notice: self.query.get("did").and_then(notice),
        }
    }

    /// The page, or its JSON twin.
    pub(crate) fn answer(&self, page: &impl Template, twin: &impl Serialize) -> Result<Response, Problem> {
        self.answer_with(StatusCode::OK, page, twin)
    }

    pub(crate) fn answer_with(
        &self,
        status: StatusCode,
        page: &impl Template,
        twin: &impl Serialize,
    ) -> Result<Response, Problem> {
        let unwritable = |error: &dyn std::fmt::Display| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("The page could not be written: {error}."))
        };
        let (kind, body) = if self.wants_json {
            ("application/json", serde_json::to_vec(twin).map_err(|error| unwritable(&error))?)
        } else {
            ("text/html; charset=utf-8", page.render().map_err(|error| unwritable(&error))?.into_bytes())
        };
        Ok((status, [(CONTENT_TYPE, kind)], body).into_response())
    }

    /// After a change: to the page that shows it.
    pub(crate) fn done(&self, to: &str, did: &str) -> Response {
        if self.wants_json {
            return ([(CONTENT_TYPE, "application/json")], json!({ "done": did }).to_string()).into_response();
        }
        let sign = if to.contains('?') { '&' } else { '?' };
        redirect(&format!("{to}{sign}did={did}"))
    }

    /// Whether the request is for the dashboard's root.
    pub(crate) fn is_root(&self) -> bool {
        matches!(self.path.as_str(), "" | "/")
    }

    /// From the dashboard's root to its first page. The root may have been asked for with or without a `/` at its end.
    pub(crate) fn to_first_page(&self) -> Response {
        let last = self.original_path.rsplit('/').next().unwrap_or_default();
        redirect(&if last.is_empty() { "executions".to_owned() } else { format!("{last}/executions") })
    }
}

fn redirect(to: &str) -> Response {
    let location = HeaderValue::try_from(to).unwrap_or_else(|_| HeaderValue::from_static("."));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}

/// What a page says after a change; the address only names it.
fn notice(did: &str) -> Option<&'static str> {
    Some(match did {
        "cancel" => "It was cancelled.",
        "rollback" => "It is being rolled back.",
        "pause" => "It was paused.",
        "resume" => "It was resumed.",
        "retry" => "This is the retry: it continues from where the former execution ended.",
        "event" => "The event was delivered.",
        "event_kept" => "Nothing waits for this event now. It is in the mailbox, for a wait that begins later.",
        "answer" => "The answer was delivered.",
        "answer_kept" => "Nothing asks for this now. The answer is in the mailbox, for a question that is asked later.",
        "trigger" => "The schedule was triggered. This is its execution.",
        "enable" => "The schedule is enabled.",
        "disable" => "The schedule is disabled.",
        "pause_queue" => "The queue is paused.",
        "resume_queue" => "The queue is resumed.",
        "drained" => "The queue is paused, and nothing of it runs.",
        "draining" => "The queue is paused. Some of its executions still run; watch them in this list.",
        "deprecate" => "The worker claims nothing more. It ends what it has.",
        _ => return None,
    })
}
