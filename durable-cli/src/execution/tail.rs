//! `durable execution tail` and `durable execution logs`: what was recorded of an execution, in the order of time.

use std::collections::HashSet;
use std::time::Duration;

use clap::Args;
use durable::{ExecutionId, ExecutionState};

use crate::connection::Connection;
use crate::failure::Failure;
use crate::ids::Ids;
use crate::screen::{Format, Screen};
use crate::story::{self, Entry};

/// How often to look, where nothing else was said.
const INTERVAL: &str = "1s";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The execution
    id: ExecutionId,
    /// How often to look
    #[arg(long, default_value = INTERVAL, value_parser = crate::value::duration, value_name = "DURATION")]
    interval: Duration,
}

pub(crate) async fn carry_out(
    Options { id, interval }: &Options,
    connection: &Connection,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let durable = connection.client().await?;
    let mut printed = HashSet::new();
    let state = loop {
        let details = durable.get_execution(*id).await?;
        for entry in story::of(&details) {
            if printed.insert(entry.clone()) {
                print(&entry, screen)?;
            }
        }
        if details.execution.state.is_finished() {
            break details.execution.state;
        }
        tokio::time::sleep(*interval).await;
    };
    durable.shutdown().await?;
    if screen.format == Format::Ids {
        screen.line(id)?;
    }
    match state {
        ExecutionState::Completed => Ok(()),
        state => Err(Failure::failed(format!("execution {id} is {state}"))),
    }
}

pub(crate) async fn logs(ids: &Ids, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let ids = ids.read()?;
    let durable = connection.client().await?;
    let mut failures = Vec::new();
    for id in &ids {
        match durable.get_execution(*id).await {
            Ok(details) => story::of(&details).iter().try_for_each(|entry| print(entry, screen))?,
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    durable.shutdown().await?;
    Failure::of_several(failures, ids.len())
}

fn print(entry: &Entry, screen: &mut Screen) -> Result<(), Failure> {
    match screen.format {
        Format::Table => screen.line(entry),
        Format::Json => screen.json_line(entry),
        Format::Ids => Ok(()),
    }
}
