//! The actions on one execution: cancel, roll back, pause, resume, retry, send an event.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use durable::{ExecutionId, ExecutionState};
use serde_json::value::RawValue;

use super::action::{Action, Field};
use crate::Shared;
use crate::access::Role;
use crate::problem::Problem;
use crate::text;
use crate::visit::{Query, Visitor};

/// What can be done to one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Cancel,
    Rollback,
    Pause,
    Resume,
    Retry,
    Event,
}

impl Verb {
    pub(super) const ALL: [Self; 6] = [Self::Cancel, Self::Rollback, Self::Pause, Self::Resume, Self::Retry, Self::Event];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Rollback => "rollback",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Event => "event",
        }
    }

    /// The label of its button.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Cancel => "Cancel",
            Self::Rollback => "Roll back",
            Self::Pause => "Pause",
            Self::Resume => "Resume",
            Self::Retry => "Retry",
            Self::Event => "Send event",
        }
    }

    /// Whether it makes sense in this state. The engine decides again when it is done.
    pub(super) fn fits(self, state: ExecutionState) -> bool {
        use ExecutionState::{Compensating, Completed, Paused, Stopped};
        match self {
            Self::Cancel | Self::Rollback => !state.is_finished() && state != Compensating,
            Self::Pause => !state.is_finished() && !matches!(state, Paused | Stopped),
            Self::Resume => matches!(state, Paused | Stopped),
            Self::Retry => state.is_finished() && state != Completed,
            Self::Event => !state.is_finished(),
        }
    }

    /// The same on the command line; words in capitals are to be filled in.
    pub(super) fn command(self, id: ExecutionId) -> String {
        match self {
            Self::Event => format!("durable event send {id} NAME PAYLOAD"),
            verb => format!("durable execution {} {id}", verb.as_str()),
        }
    }

    fn read(query: &Query) -> Result<Self, Problem> {
        let verb = query.needed("verb")?;
        let found = Self::ALL.into_iter().find(|known| known.as_str() == verb);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Problem::invalid(format!("`{verb}` cannot be done to an execution. Choose one of {known}."))
        })
    }

    fn action(self, id: ExecutionId, query: &Query) -> Action {
        let what = match self {
            Self::Cancel => {
                "It ends where it is, and its children that end with it are cancelled. Its completed steps are not undone."
            }
            Self::Rollback => "Its completed steps are undone, the last one first. Then it has ended.",
            Self::Pause => "It begins nothing new until it is resumed. A step that is running may still end.",
            Self::Resume => "It continues from where it is.",
            Self::Retry => "A new execution continues from where this one ended. Completed steps are kept.",
            Self::Event => "The event goes to the wait of this name. If nothing waits for it now, it is kept for a later wait.",
        };
        let fields = match self {
            Self::Cancel | Self::Rollback => vec![Field::reason()],
            Self::Event => vec![
                Field {
                    name: "name",
                    label: "Name",
                    help: "What the workflow waits for.",
                    value: query.get("name").unwrap_or_default().to_owned(),
                    is_json: false,
                    is_required: true,
                },
                Field {
                    name: "payload",
                    label: "Payload",
                    help: "As JSON, such as {\"paid\": true} or \"DHL\".",
                    value: "null".to_owned(),
                    is_json: true,
                    is_required: true,
                },
            ],
            Self::Pause | Self::Resume | Self::Retry => Vec::new(),
        };
        Action {
            title: format!("{} {id}", self.label()),
            what: what.to_owned(),
            command: self.command(id),
            fields,
            hidden: vec![("verb", self.as_str().to_owned())],
            button: self.label(),
            back: format!("../{id}"),
            menu: "executions",
        }
    }
}

/// The id in a path.
pub(super) fn id(text: &str) -> Result<ExecutionId, Problem> {
    Ok(text.parse::<ExecutionId>()?)
}

pub(super) async fn get(
    State(shared): State<Arc<Shared>>,
    visit: Visitor,
    Path(path): Path<String>,
) -> Result<Response, Problem> {
    visit.require(Role::Operator)?;
    let (id, verb) = (id(&path)?, Verb::read(&visit.query)?);
    let state = shared.durable.get_execution(id).await?.execution.state;
    if !verb.fits(state) {
        return Err(too_late(verb, state));
    }
    verb.action(id, &visit.query).answer(&visit)
}

fn too_late(verb: Verb, state: ExecutionState) -> Problem {
    let what = format!("This execution is {}. In this state it cannot {}.", state.as_str(), passive(verb));
    Problem::new(axum::http::StatusCode::CONFLICT, what).advice("Nothing was changed. Look again at the newest state.")
}

fn passive(verb: Verb) -> &'static str {
    match verb {
        Verb::Cancel => "be cancelled",
        Verb::Rollback => "be rolled back",
        Verb::Pause => "be paused",
        Verb::Resume => "be resumed",
        Verb::Retry => "be retried",
        Verb::Event => "receive events",
    }
}

pub(super) async fn post(
    State(shared): State<Arc<Shared>>,
    visit: Visitor,
    Path(path): Path<String>,
    body: String,
) -> Result<Response, Problem> {
    visit.require(Role::Operator)?;
    let (id, form) = (id(&path)?, Query::read(&body));
    let verb = Verb::read(&form)?;
    let (durable, reason) = (&shared.durable, form.get("reason").unwrap_or("by request, from the dashboard"));
    let mut now = id;
    let mut did = verb.as_str();
    match verb {
        Verb::Cancel => durable.cancel(id, reason).await?,
        Verb::Rollback => durable.rollback(id, reason).await?,
        Verb::Pause => {
            durable.pause(id).await?;
        }
        Verb::Resume => durable.resume(id).await?,
        Verb::Retry => now = durable.retry(id).await?,
        Verb::Event => match read_event(&form) {
            Ok((name, payload)) => {
                if durable.send_event(id, name, &payload).await?.is_kept() {
                    did = "event_kept";
                }
            }
            Err(problem) => return verb.action(id, &form).refused(&visit, &form, problem),
        },
    }
    Ok(visit.done(&format!("../{now}"), did))
}

/// The name and the payload of an event. The payload keeps its text, so that numbers of any size keep their digits.
fn read_event(form: &Query) -> Result<(&str, Box<RawValue>), Problem> {
    let problem = |what: String| Problem::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, what);
    let name = form.get("name").ok_or_else(|| problem("The event needs a name.".to_owned()))?;
    let payload = form.get("payload").unwrap_or("null").trim();
    let payload = RawValue::from_string(payload.to_owned()).map_err(|error| {
        problem(format!("The payload is not JSON: {error}. Write text in quotes, as in \"{}\".", text::cut(payload, 40)))
    })?;
    Ok((name, payload))
}
