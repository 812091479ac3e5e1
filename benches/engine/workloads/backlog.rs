//! Backlog: the memory of a worker that works on a queue with a million pending, beside one with ten thousand.

use durable::sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, raw_sql};
use durable::{Durable, Result};
use serde::Serialize;

use super::announce;
use super::claims::fill;
use crate::Bench;
use crate::gate::Watch;
use crate::processes;
use crate::report::Table;
use crate::workflows::OneStep;

/// What the short queue has.
const SHORT: usize = 10_000;

/// Executions that are run before memory is looked at.
const RUN: usize = 5_000;

/// Memory by what is pending.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pending: usize,
    bytes: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Vec<Memory>> {
    let mut figures = Vec::new();
    // The first gives the allocator its size.
    for pending in [SHORT, SHORT, bench.scale.pending] {
        announce(&format!("memory, {pending} pending"));
        let bytes = memory_with(bench, pending).await?;
        figures.push(Memory { pending, bytes });
    }
    figures.remove(0);
    for Memory { pending, bytes } in &figures {
        table.note(format!("a worker with {pending} pending uses {:.1} MB", bytes / 1e6));
    }
    Ok(figures)
}

async fn memory_with(bench: &Bench, pending: usize) -> Result<f64> {
    let url = bench.server.database().await?;
    let mut connection = PgConnection::connect(&url).await?;
    connection.execute(raw_sql(AssertSqlSafe(fill(pending, "null")))).await?;
    let worker = Durable::builder().database_url(&url).register(OneStep::default()).start().await?;
    Watch::open(&url).await?.all_are("completed", RUN.min(pending)).await?;
    let bytes = processes::own_memory()?;
    worker.shutdown().await?;
    Ok(bytes)
}
