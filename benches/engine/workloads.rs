//! The workloads, a file each: what they do, what of it is measured, and what goes into the report.

pub(crate) mod answering;
pub(crate) mod backlog;
pub(crate) mod claims;
pub(crate) mod early;
pub(crate) mod enqueueing;
pub(crate) mod flows;
pub(crate) mod graphs;
pub(crate) mod idle;
pub(crate) mod limits;
pub(crate) mod listing;
pub(crate) mod looping;
pub(crate) mod mapping;
pub(crate) mod notices;
pub(crate) mod parking;
pub(crate) mod replaying;
pub(crate) mod resuming;
pub(crate) mod scheduling;
pub(crate) mod sharing;
pub(crate) mod snapshots;
pub(crate) mod starting;
pub(crate) mod throughput;
pub(crate) mod waking;
pub(crate) mod watching;

use durable::{Durable, Result, Workflow};

use crate::Bench;
use crate::floor::BATCH;
use crate::gate::{Gate, Watch};
use crate::meter::{Meter, Throughput};

/// Says on standard error what is under way; the table comes last.
fn announce(what: &str) {
    eprintln!("measuring {what}");
}

/// Queues executions for another engine to claim.
async fn enqueue<W: Workflow<Input = u64>>(client: &Durable, executions: usize) -> Result<()> {
    enqueue_with::<W>(client, executions, |number| number).await
}

/// Queues executions with these inputs, by their numbers.
async fn enqueue_with<W: Workflow>(client: &Durable, executions: usize, input: impl Fn(u64) -> W::Input) -> Result<()> {
    let numbers: Vec<u64> = (0..executions as u64).collect();
    for batch in numbers.chunks(BATCH) {
        client.start_many::<W>(batch.iter().copied().map(&input)).await?;
    }
    Ok(())
}

/// What it takes the workers of a database to work off a full queue, once they have warmed up; each execution is an item.
async fn work_off<W: Workflow<Input = u64>>(
    bench: &Bench,
    url: &str,
    client: &Durable,
    warm_up: usize,
    executions: usize,
) -> Result<Throughput> {
    let mut watch = Watch::open(url).await?;
    enqueue::<W>(client, warm_up).await?;
    watch.all_are("completed", warm_up).await?;

    let gate = Gate::close(url).await?;
    enqueue::<W>(client, executions).await?;
    let mut meter = Meter::open(&bench.server, url).await?;
    let start = meter.start().await?;
    gate.open().await?;
    watch.all_are("completed", warm_up + executions).await?;
    Ok(meter.spent_since(start).await?.per_item(executions))
}
