//! The actions on schedules, queues and workers.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use durable::WorkerId;

use super::action::{Action, Field};
use crate::Shared;
use crate::access::Role;
use crate::problem::Problem;
use crate::text;
use crate::visit::{Query, Visit, Visitor};

/// How long a page waits for a queue to be empty.
const DRAINING: Duration = Duration::from_secs(2);

/// What is done, what it does, and the word of the command line.
type Verb = (&'static str, &'static str, &'static str);

const OF_SCHEDULES: [Verb; 3] = [
    ("trigger", "Trigger", "It starts an execution now. Its next due time stays as it is."),
    ("enable", "Enable", "It fires again, from its next due time on. Due times that have passed do not count as missed."),
    ("disable", "Disable", "It does not fire until it is enabled again. Executions that it has started continue."),
];

const OF_QUEUES: [Verb; 3] = [
    ("pause", "Pause", "No worker claims from it until it is resumed. Executions that run continue until they wait or end."),
    ("resume", "Resume", "Workers claim from it again."),
    ("drain", "Drain", "It is paused. The page waits two seconds for its executions to end, and says whether any still run."),
];

const OF_WORKERS: [Verb; 1] = [(
    "deprecate",
    "Deprecate",
    "It claims nothing more until its process ends. Its executions continue to their end or their next wait.",
)];

fn read(query: &Query, verbs: &[Verb]) -> Result<(Verb, String), Problem> {
    let (verb, name) = (query.needed("verb")?, query.needed("name")?);
    let found = verbs.iter().find(|(known, ..)| *known == verb).copied();
    let known = || verbs.iter().map(|(known, ..)| *known).collect::<Vec<_>>().join(", ");
    let verb = found.ok_or_else(|| Problem::invalid(format!("`{verb}` cannot be done here. Choose one of {}.", known())))?;
    Ok((verb, name.to_owned()))
}

/// The page before an action on what `kind` names.
fn ask(
    visit: &Visit,
    kind: &'static str,
    menu: &'static str,
    (verb, button, what): Verb,
    name: &str,
) -> Result<Response, Problem> {
    let fields = if verb == "disable" { vec![Field::reason()] } else { Vec::new() };
    let action = Action {
        title: format!("{button} {kind} {name}"),
        what: what.to_owned(),
        command: format!("durable {kind} {verb} {}", text::word(name)),
        fields,
        hidden: vec![("verb", verb.to_owned()), ("name", name.to_owned())],
        button,
        back: format!("../{menu}"),
        menu,
    };
    action.answer(visit)
}

pub(super) async fn get_schedule(State(shared): State<Arc<Shared>>, visit: Visitor) -> Result<Response, Problem> {
    let (verb, name) = read(&visit.query, &OF_SCHEDULES)?;
    visit.require(schedule_role(verb))?;
    shared.durable.get_schedule(&name).await?;
    ask(&visit, "schedule", "schedules", verb, &name)
}

fn schedule_role((verb, ..): Verb) -> Role {
    if verb == "trigger" { Role::Operator } else { Role::Admin }
}

pub(super) async fn post_schedule(State(shared): State<Arc<Shared>>, visit: Visitor, body: String) -> Result<Response, Problem> {
    let form = Query::read(&body);
    let (verb, name) = read(&form, &OF_SCHEDULES)?;
    visit.require(schedule_role(verb))?;
    let durable = &shared.durable;
    match verb.0 {
        "trigger" => {
            let id = durable.trigger_schedule(&name).await?;
            return Ok(visit.done(&format!("../executions/{id}"), "trigger"));
        }
        "enable" => durable.enable_schedule(&name).await?,
        _ => durable.disable_schedule(&name, form.get("reason").unwrap_or("by request, from the dashboard")).await?,
    }
    Ok(visit.done("../schedules", verb.0))
}

pub(super) async fn get_queue(visit: Visitor) -> Result<Response, Problem> {
    visit.require(Role::Admin)?;
    let (verb, name) = read(&visit.query, &OF_QUEUES)?;
    ask(&visit, "queue", "queues", verb, &name)
}

pub(super) async fn post_queue(State(shared): State<Arc<Shared>>, visit: Visitor, body: String) -> Result<Response, Problem> {
    visit.require(Role::Admin)?;
    let (verb, name) = read(&Query::read(&body), &OF_QUEUES)?;
    let queue = shared.durable.queue(name);
    let did = match verb.0 {
        "pause" => queue.pause().await.map(|()| "pause_queue")?,
        "resume" => queue.resume().await.map(|()| "resume_queue")?,
        _ => match queue.drain(DRAINING.min(shared.patience / 2)).await? {
            0 => "drained",
            _ => "draining",
        },
    };
    Ok(visit.done("../queues", did))
}

pub(super) async fn get_worker(visit: Visitor) -> Result<Response, Problem> {
    visit.require(Role::Admin)?;
    let (verb, name) = read(&visit.query, &OF_WORKERS)?;
    name.parse::<WorkerId>()?;
    ask(&visit, "worker", "workers", verb, &name)
}

pub(super) async fn post_worker(State(shared): State<Arc<Shared>>, visit: Visitor, body: String) -> Result<Response, Problem> {
    visit.require(Role::Admin)?;
    let (verb, name) = read(&Query::read(&body), &OF_WORKERS)?;
    shared.durable.deprecate_worker(name.parse()?).await?;
    Ok(visit.done("../workers", verb.0))
}
