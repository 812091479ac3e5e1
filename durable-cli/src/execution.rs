//! `durable execution …`: executions.

mod analytics;
mod bulk;
mod edits;
mod export;
mod get;
mod graph;
mod history;
mod list;
mod start;
mod tail;

use clap::{Args, Subcommand};
use durable::{Durable, ExecutionId};

use crate::connection::Connection;
use crate::failure::Failure;
use crate::ids::Ids;
use crate::screen::Screen;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start an execution of a workflow; prints its id
    Start(start::Options),
    /// List executions, newest first
    List(list::Options),
    /// Show how the executions that pass the filters went: for each step and wait, how many reached it, when, and how it ended
    Analytics(list::Filter),
    /// Show executions whole: state, steps, attempts, waits, children, and why they do not go on
    Get(Ids),
    /// Show the steps of an execution, with every attempt
    Steps(get::One),
    /// Draw the path of an execution on the graph of its workflow
    Graph(graph::Options),
    /// Show the values that a node of a graph has had, the newest first, if the node keeps a history
    History(history::Options),
    /// Print executions with their journals as JSON, each one document: for a file, and for replays in tests
    Export(Ids),
    /// Print what was recorded of executions in the order of time: attempts, errors, waits, values, and what steps logged
    ///
    /// What steps log is recorded if the workers have a `StepLogLayer` in their `tracing` subscriber.
    Logs(Ids),
    /// Follow an execution until it ends; exit code 1 unless it completes
    Tail(tail::Options),
    /// Go on from where executions failed or were cancelled, in new ones: completed steps are kept
    Retry(Retry),
    /// Run an execution that has ended again from one of its steps or waits, in a new one
    Fork(Fork),
    /// Retry every execution that passes the filters; without --state, every failed execution
    RetryAll(bulk::Options),
    /// Resume every execution that passes the filters; without --state, every stopped execution
    ResumeAll(bulk::Options),
    /// Cancel every execution that passes the filters; without --state, every execution that has not ended
    CancelAll(bulk::CancelAll),
    /// Cancel executions, and the children that end with them
    Cancel(Cancel),
    /// Undo what executions have done so far: their compensations run
    Rollback(Reasoned),
    /// Have executions go no further until they are resumed
    Pause(Ids),
    /// End open graphs: their output is what they have computed so far
    Complete(Ids),
    /// Hide executions that have ended or wait from lists; they are still found by their ids
    Archive(Ids),
    /// Show archived executions in lists again
    Unarchive(Ids),
    /// Let executions go on that are paused, or stopped because their code did not fit
    Resume(Ids),
}

#[derive(Debug, Args)]
pub(crate) struct Retry {
    #[command(flatten)]
    ids: Ids,
    #[command(flatten)]
    edits: edits::Edits,
    /// A question to ask again, such as `approval` or `approval#2`, or its journal key; may be given several times
    #[arg(long, value_name = "INPUT")]
    ask_again: Vec<String>,
    /// The version of the workflow that goes on; the same by default
    #[arg(long, value_name = "VERSION")]
    version: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Fork {
    /// The execution
    id: ExecutionId,
    /// The step to begin from, such as `charge` or `charge#2`, or any journal key, such as `event paid`; `execution get` shows
    /// them
    #[arg(long, value_name = "STEP")]
    from_step: String,
    #[command(flatten)]
    edits: edits::Edits,
    /// The version of the workflow that goes on; the same by default
    #[arg(long, value_name = "VERSION")]
    version: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Cancel {
    #[command(flatten)]
    reasoned: Reasoned,
    /// Undo what was done first
    #[arg(long)]
    compensate: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Reasoned {
    #[command(flatten)]
    ids: Ids,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "by request, from the command line")]
    reason: String,
}

pub(crate) async fn carry_out(verb: &Verb, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    match verb {
        Verb::Start(options) => start::carry_out(options, connection, screen).await,
        Verb::List(options) => list::carry_out(options, connection, screen).await,
        Verb::Analytics(filter) => analytics::carry_out(filter, connection, screen).await,
        Verb::Get(ids) => get::carry_out(ids, connection, screen).await,
        Verb::Graph(options) => graph::carry_out(options, connection, screen).await,
        Verb::History(options) => history::carry_out(options, connection, screen).await,
        Verb::Export(ids) => export::carry_out(ids, connection, screen).await,
        Verb::Steps(one) => get::steps(one, connection, screen).await,
        Verb::Logs(ids) => tail::logs(ids, connection, screen).await,
        Verb::Tail(options) => tail::carry_out(options, connection, screen).await,
        Verb::Fork(options) => fork(options, connection, screen).await,
        Verb::RetryAll(options) => bulk::retry(options, connection, screen).await,
        Verb::ResumeAll(options) => bulk::resume(options, connection, screen).await,
        Verb::CancelAll(all) => bulk::cancel(all, connection, screen).await,
        Verb::Retry(Retry { ids, edits, ask_again, version }) => {
            let edits = edits.read()?;
            let retry = async |durable: &Durable, id| {
                let retry = edits.apply(durable.retry(id));
                let retry = ask_again.iter().fold(retry, |retry, question| retry.ask_again(question));
                match version {
                    Some(version) => retry.version(*version).await,
                    None => retry.await,
                }
            };
            let each = Each { ids: ids.read()?, what: "retried" };
            each.carry_out(connection, screen, async |durable, id| retry(durable, id).await).await
        }
        Verb::Cancel(Cancel { reasoned: Reasoned { ids, reason }, compensate }) => {
            let each = Each { ids: ids.read()?, what: "cancelled" };
            let cancel = async |durable: &Durable, id| {
                let cancel = durable.cancel(id, reason);
                if *compensate { cancel.compensate().await } else { cancel.await }
            };
            each.carry_out(connection, screen, async |durable, id| cancel(durable, id).await.map(|()| id)).await
        }
        Verb::Rollback(Reasoned { ids, reason }) => {
            let each = Each { ids: ids.read()?, what: "rolling back" };
            each.carry_out(connection, screen, async |durable, id| durable.rollback(id, reason).await.map(|()| id)).await
        }
        Verb::Complete(ids) => {
            let each = Each { ids: ids.read()?, what: "completing" };
            each.carry_out(connection, screen, async |durable, id| durable.complete(id).await.map(|()| id)).await
        }
        Verb::Pause(ids) => {
            let each = Each { ids: ids.read()?, what: "paused" };
            each.carry_out(connection, screen, async |durable, id| durable.pause(id).await.map(|_| id)).await
        }
        Verb::Archive(ids) => {
            let each = Each { ids: ids.read()?, what: "archived" };
            each.carry_out(connection, screen, async |durable, id| durable.archive(id).await.map(|_| id)).await
        }
        Verb::Unarchive(ids) => {
            let each = Each { ids: ids.read()?, what: "unarchived" };
            each.carry_out(connection, screen, async |durable, id| durable.unarchive(id).await.map(|()| id)).await
        }
        Verb::Resume(ids) => {
            let each = Each { ids: ids.read()?, what: "resumed" };
            each.carry_out(connection, screen, async |durable, id| durable.resume(id).await.map(|()| id)).await
        }
    }
}

async fn fork(
    Fork { id, from_step, edits, version }: &Fork,
    connection: &Connection,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let edits = edits.read()?;
    let durable = connection.client().await?;
    let fork = edits.apply(durable.fork(*id, from_step));
    let new = match version {
        Some(version) => fork.version(*version).await?,
        None => fork.await?,
    };
    screen.became("forked", *id, new)?;
    Ok(durable.shutdown().await?)
}

/// A verb that is done to one execution after the other: one that fails does not keep the others from it.
struct Each {
    ids: Vec<ExecutionId>,
    /// What has become of those it was done to.
    what: &'static str,
}

impl Each {
    /// Does it; the verb returns the id of the execution that is there now.
    async fn carry_out(
        self,
        connection: &Connection,
        screen: &mut Screen,
        verb: impl AsyncFn(&Durable, ExecutionId) -> durable::Result<ExecutionId>,
    ) -> Result<(), Failure> {
        let durable = connection.client().await?;
        let mut failures = Vec::new();
        for id in &self.ids {
            match verb(&durable, *id).await {
                Ok(new) if new == *id => screen.done(self.what, *id)?,
                Ok(new) => screen.became(self.what, *id, new)?,
                Err(error) => failures.push(Failure::from(error)),
            }
        }
        durable.shutdown().await?;
        Failure::of_several(failures, self.ids.len())
    }
}
