//! Replays: of live executions, before a deploy, and of exported journals, in a test.

use std::time::Instant;

use durable::{Durable, ExecutionState, Replay, Result};
use serde::Serialize;

use super::announce;
use crate::Bench;
use crate::gate::Watch;
use crate::report::Table;
use crate::workflows::Journaled;

/// Steps of a live execution.
const STEPS: u64 = 10;

/// Entries of an exported journal, its wait included.
const ENTRIES: u64 = 50;

/// The entry of the report, in seconds.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    executions: usize,
    executions_s: f64,
    journals: usize,
    journals_s: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    let executions = bench.scale.replays;
    announce(&format!("replays of {executions} executions"));
    let url = bench.server.database().await?;
    let worker = Durable::builder().database_url(&url).queue("default", 100).register(Journaled).start().await?;
    let mut watch = Watch::open(&url).await?;
    worker.start_many::<Journaled>(std::iter::repeat_n(STEPS, executions)).await?;
    watch.all_are("waiting", executions).await?;

    let replay = Replay::new().register(Journaled);
    let start = Instant::now();
    let report = replay.executions(worker.list_executions().state(ExecutionState::Waiting)).await?;
    let executions_s = start.elapsed().as_secs_f64();
    assert_eq!(report.ok, executions, "every journal fits");

    let journals = executions / 10;
    let long = worker.start_many::<Journaled>(std::iter::repeat_n(ENTRIES - 1, journals)).await?;
    watch.all_are("waiting", executions + journals).await?;
    let mut exported = Vec::new();
    for execution in long {
        exported.push(worker.export(execution.id()).await?);
    }
    let start = Instant::now();
    for journal in &exported {
        assert!(replay.journal(journal).await?.fits(), "every journal fits");
    }
    let journals_s = start.elapsed().as_secs_f64();
    worker.shutdown().await?;
    table.note(format!("replay: {executions_s:.2} s for {executions} live executions of {STEPS} steps"));
    table.note(format!("replay: {journals_s:.2} s for {journals} exported journals of {ENTRIES} entries"));
    Ok(Figures { executions, executions_s, journals, journals_s })
}
