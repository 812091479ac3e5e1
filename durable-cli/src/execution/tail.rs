//! `durable execution tail` and `durable execution logs`: what was recorded of an execution, in the order of time.

use std::collections::HashSet;
use std::time::Duration;

use clap::Args;
use durable::{Durable, ExecutionDetails, ExecutionId, ExecutionState, StepLog, Update};

use crate::connection::Connection;
use crate::failure::Failure;
use crate::ids::Ids;
use crate::screen::{Format, Screen};
use crate::story::{self, Entry};

/// How long updates gather before they are printed: updates from one change arrive together, and are printed in order of time.
const GATHERING: Duration = Duration::from_millis(20);

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The execution
    id: ExecutionId,
}

pub(crate) async fn carry_out(Options { id }: &Options, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let durable = connection.client().await?;
    let mut watch = durable.watch(*id);
    let mut printed = HashSet::new();
    let mut shown: Option<ExecutionDetails> = None;
    while let Some(update) = watch.next().await {
        let began_anew = matches!(update, Ok(Update::Snapshot(_)));
        note(&mut shown, update?);
        let gathered = tokio::time::Instant::now() + GATHERING;
        while let Ok(Some(update)) = tokio::time::timeout_at(gathered, watch.next()).await {
            note(&mut shown, update?);
        }
        if began_anew {
            // What is no longer in the journal is not printed again.
            let told: HashSet<Entry> = shown.iter().flat_map(story::of).collect();
            printed.retain(|entry| told.contains(entry));
        }
        for entry in shown.iter().flat_map(story::of) {
            if printed.insert(entry.clone()) {
                print(&entry, screen)?;
            }
        }
    }
    durable.shutdown().await?;
    if screen.format == Format::Ids {
        screen.line(id)?;
    }
    match shown.map(|details| details.execution.state) {
        Some(ExecutionState::Completed) | None => Ok(()),
        Some(state) => Err(Failure::failed(format!("execution {id} is {state}"))),
    }
}

fn note(shown: &mut Option<ExecutionDetails>, update: Update) {
    match (shown, update) {
        (Some(details), update) => details.apply(update),
        (shown, Update::Snapshot(details)) => *shown = Some(*details),
        (None, _) => {}
    }
}

pub(crate) async fn logs(ids: &Ids, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let ids = ids.read()?;
    let durable = connection.client().await?;
    let mut failures = Vec::new();
    for id in &ids {
        match read(&durable, *id).await {
            Ok((details, logs)) => story::with_logs(&details, &logs).iter().try_for_each(|entry| print(entry, screen))?,
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    durable.shutdown().await?;
    Failure::of_several(failures, ids.len())
}

async fn read(durable: &Durable, id: ExecutionId) -> durable::Result<(ExecutionDetails, Vec<StepLog>)> {
    Ok((durable.get_execution(id).await?, durable.step_logs(id).await?))
}

fn print(entry: &Entry, screen: &mut Screen) -> Result<(), Failure> {
    match screen.format {
        Format::Table => screen.line(entry),
        Format::Json => screen.json_line(entry),
        Format::Ids => Ok(()),
    }
}
