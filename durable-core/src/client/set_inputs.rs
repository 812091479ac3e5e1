//! Changes the inputs of graphs, and ends open graphs.

use std::future::IntoFuture;
use std::sync::Arc;

use serde::Serialize;
use sqlx::{PgConnection, PgExecutor};

use super::Durable;
use crate::context::Workflow;
use crate::context::graph::door::Door;
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::not_found;
use crate::payload::{self, Payload};
use crate::plan::graph::CHANGES;
use crate::plan::graph::changes::InputChanges;
use crate::store;
use crate::store::messages::{self, Effect, Message};
use crate::store::starts::NewExecution;

/// Changes of the inputs of a graph, which become one revision; await it. See [`Durable::set_inputs`].
#[derive(Debug)]
#[must_use = "inputs are not changed before this is awaited"]
pub struct SetInputs<'durable> {
    durable: &'durable Durable,
    id: ExecutionId,
    changes: Result<InputChanges>,
    /// The input that was set last.
    last: String,
}

impl<'durable> SetInputs<'durable> {
    /// Sets an input to a value.
    pub fn set<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        name.clone_into(&mut self.last);
        self.add(|changes| {
            let value = payload::encode(format_args!("the input `{name}`"), value)?.to_raw()?;
            // The metadata belonged to the value that is replaced.
            changes.metadata.remove(name);
            changes.set.insert(name.to_owned(), value);
            Ok(())
        })
    }

    /// Adds information about the value that was set last, such as its source. A change of the metadata alone counts as a change.
    pub fn metadata<T: Serialize + ?Sized>(self, metadata: &T) -> Self {
        let name = self.last.clone();
        self.add(|changes| {
            if name.is_empty() {
                let problem = "metadata belongs to a value: call `.metadata(…)` after `.set(…)`";
                return Err(Error::of_kind(ErrorKind::Invalid, problem));
            }
            let metadata = payload::encode(format_args!("the metadata of the input `{name}`"), metadata)?.to_raw()?;
            changes.metadata.insert(name, metadata);
            Ok(())
        })
    }

    /// Unsets an input: what needs it is cleared. To unset an input that has no value changes nothing.
    pub fn unset(mut self, name: &str) -> Self {
        self.last.clear();
        self.add(|changes| {
            changes.unset.push(name.to_owned());
            Ok(())
        })
    }

    fn add(mut self, change: impl FnOnce(&mut InputChanges) -> Result<()>) -> Self {
        self.changes = self.changes.and_then(|mut changes| {
            change(&mut changes)?;
            Ok(changes)
        });
        self
    }

    /// Changes the inputs inside the caller's transaction: if and when it commits.
    ///
    /// # Errors
    /// As for [`Durable::set_inputs`]. If the database refuses the change, the transaction is aborted, as after any failed
    /// statement.
    pub async fn within(self, transaction: &mut PgConnection) -> Result<()> {
        let Self { durable, id, changes, .. } = self;
        let changes = changes?;
        let code = match durable.has_graphs() {
            true => messages::code_of(durable.store(), &mut *transaction, id).await.map_err(refused)?,
            false => None,
        };
        let door = code.map(|(workflow, version)| durable.door(id, &workflow, version)).transpose()?.flatten();
        let change = message(id, &changes, door.as_deref())?;
        send(durable, transaction, &change, None).await.map_err(refused).map(drop)
    }
}

impl<'durable> IntoFuture for SetInputs<'durable> {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'durable, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { durable, id, changes, .. } = self;
            durable.change(id, &changes?, None).await.map(drop)
        })
    }
}

impl Durable {
    /// Changes inputs of a graph. Await the returned builder after `.set(…)` and `.unset(…)`: all its changes become one revision,
    /// so that no node sees some of them without the others. `.within(&mut tx)` does so in the caller's transaction.
    ///
    /// The call returns when the change is accepted. Changes are applied in the order in which they were accepted, each once, also
    /// if the execution has not begun, and are never lost. A value that equals the present one changes nothing.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
    /// durable.set_inputs(id).set("applicant", "Ada").metadata("by phone").set("income", &52_000).unset("guarantor").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Finished` for an execution that has ended or is completing, `NotFound` for an unknown execution, `Invalid` for a change
    /// that changes nothing, for an unknown input and for a computed node, and `Payload` for a value that does not fit. A process without
    /// the code of the graph knows which inputs there are, because a worker has kept the graph, and not their types. It answers
    /// `Payload` for names that are no inputs. The worker judges the values, and [`get_execution`](Self::get_execution) shows a change
    /// that does not fit among the refusals.
    pub fn set_inputs(&self, id: ExecutionId) -> SetInputs<'_> {
        SetInputs { durable: self, id, changes: Ok(InputChanges::default()), last: String::new() }
    }

    /// Ends an open graph. Its nodes that are under way are dropped, later changes are refused, and its output is what it has
    /// computed so far.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
    /// durable.complete(id).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Finished` and `NotFound` as for [`set_inputs`](Self::set_inputs); `Invalid` if the graph is registered in this process and
    /// is not open.
    pub async fn complete(&self, id: ExecutionId) -> Result<()> {
        self.change(id, &InputChanges { complete: true, ..InputChanges::default() }, None).await.map(drop)
    }

    /// Changes a graph, in the name of a person if one is known.
    pub(super) async fn change(&self, id: ExecutionId, changes: &InputChanges, by: Option<&str>) -> Result<Effect> {
        let door = self.find_door(id).await?;
        let change = message(id, changes, door.as_deref())?;
        let effect = self.run("change inputs", |pool| send(self, pool, &change, by)).await?;
        self.store().watched.note([id]);
        self.engine.signals.affected(&effect);
        Ok(effect)
    }

    /// What may be changed of this execution, if its graph is registered in this process.
    async fn find_door(&self, id: ExecutionId) -> Result<Option<Arc<Door>>> {
        let code = self.code_of(id).await?;
        code.map(|(workflow, version)| self.door(id, &workflow, version)).transpose().map(Option::flatten)
    }

    /// As [`find_door`](Self::find_door); also `None` if the execution is no graph.
    pub(super) async fn graph_of(&self, id: ExecutionId) -> Result<Option<Arc<Door>>> {
        let code = self.code_of(id).await?;
        Ok(code.and_then(|(workflow, version)| self.registered_door(&workflow, version)))
    }

    /// Refuses starts of a graph with inputs that do not fit.
    pub(super) fn judge_starts<W: Workflow>(&self, new: &[NewExecution]) -> Result<()> {
        let Some(graph) = W::GRAPH else { return Ok(()) };
        let door = self.registered_door(W::NAME, W::VERSION).unwrap_or_else(|| Arc::new(Door::of(graph)));
        new.iter().try_for_each(|new| judge_inputs(&door, new))
    }

    /// Fails if there is no such execution, or if its graph is registered in this process and has no such node.
    pub(super) async fn find_node(&self, id: ExecutionId, node: &str) -> Result<()> {
        let code = self.run("look at an execution", |pool| messages::code_of(self.store(), pool, id)).await?;
        let (workflow, version) = code.ok_or_else(|| not_found(id))?;
        let door = self.registered_door(&workflow, version);
        match door.filter(|door| door.nodes.iter().all(|known| known.name != node)) {
            Some(door) => {
                let names: Vec<&str> = door.nodes.iter().map(|known| known.name).collect();
                let problem = format!("graph `{workflow}` has no node `{node}`; its nodes are {}", names.join(", "));
                Err(Error::of_kind(ErrorKind::NotFound, problem))
            }
            None => Ok(()),
        }
    }

    /// What may be changed of a graph that is registered in this process.
    pub(super) fn registered_door(&self, workflow: &str, version: u32) -> Option<Arc<Door>> {
        self.engine.worker.as_ref()?.registry.find(workflow, version)?.door.clone()
    }

    /// The workflow of an execution; not asked for if no graph is registered in this process.
    async fn code_of(&self, id: ExecutionId) -> Result<Option<(String, u32)>> {
        if !self.has_graphs() {
            return Ok(None);
        }
        let code = self.run("look at an execution", |pool| messages::code_of(self.store(), pool, id)).await?;
        code.map(Some).ok_or_else(|| not_found(id))
    }

    fn has_graphs(&self) -> bool {
        self.engine.worker.as_ref().is_some_and(|worker| worker.registry.has_graphs())
    }

    fn door(&self, id: ExecutionId, workflow: &str, version: u32) -> Result<Option<Arc<Door>>> {
        let registered = self.engine.worker.as_ref().and_then(|worker| worker.registry.find(workflow, version));
        match registered.map(|registered| &registered.door) {
            Some(None) => {
                let problem =
                    format!("execution {id} has no inputs to set: its workflow `{workflow}` is not a graph; send an event");
                Err(Error::of_kind(ErrorKind::Invalid, problem))
            }
            graph => Ok(graph.cloned().flatten()),
        }
    }
}

/// Refuses inputs of a start that do not fit, so that no execution is created that can only fail.
pub(super) fn judge_inputs(door: &Door, new: &NewExecution) -> Result<()> {
    let of = |error: Error| Error::of_kind(error.kind(), format!("graph `{}` is not started: {error}", new.workflow));
    door.judge_start(&new.input).map(drop).map_err(of)
}

/// A change, and whether it was judged by the code of the graph.
struct JudgedChange {
    message: Message,
    is_judged: bool,
}

fn message(id: ExecutionId, changes: &InputChanges, door: Option<&Door>) -> Result<JudgedChange> {
    let of = |error: Error| Error::of_kind(error.kind(), format!("execution {id} is not changed: {error}"));
    match door {
        Some(door) => drop(door.judge(changes).map_err(of)?),
        None => {
            if let Some(problem) = changes.contradiction() {
                return Err(Error::of_kind(ErrorKind::Invalid, format!("execution {id} is not changed: {problem}")));
            }
        }
    }
    let payload: Payload = payload::encode("the change", changes)?;
    Ok(JudgedChange { message: Message::new(id, CHANGES, payload), is_judged: door.is_some() })
}

async fn send(
    durable: &Durable,
    executor: impl PgExecutor<'_>,
    change: &JudgedChange,
    by: Option<&str>,
) -> Result<Effect, sqlx::Error> {
    messages::send_change(durable.store(), executor, &change.message, by, change.is_judged).await
}

fn refused(error: sqlx::Error) -> Error {
    store::refused("change inputs", &error)
}
