//! Limits: a full queue without limits, with a rate that is never reached, with a rate that is reached, and with a limit for each key.

use durable::{Durable, QueueLimits, Result, Workflow, prelude::seconds};
use serde::Serialize;

use super::{announce, work_off};
use crate::Bench;
use crate::meter::Throughput;
use crate::report::Table;
use crate::workflows::{OfKeys, OneStep};

/// Executions under way at once.
const CONCURRENCY: usize = 500;

/// Executions a second, if the rate limits them; the run takes a few seconds.
const RATE: u32 = 400;

/// Seconds for which the rate limits.
const RATED_SECONDS: usize = 5;

/// The entry of the report: executions per second.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    unlimited_rate: f64,
    rate_not_reached: f64,
    keyed_rate: f64,
    limit: u32,
    rate_at_limit: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    let (mut unlimited, mut high, mut keyed) = (Vec::new(), Vec::new(), Vec::new());
    let executions = bench.scale.one_step;
    for run in 1..=bench.scale.runs {
        announce(&format!("limits, run {run} of {}", bench.scale.runs));
        let never_reached = QueueLimits::default().rate(1_000_000, seconds(1));
        unlimited.push(worked_off(bench, executions, None, OneStep::default()).await?);
        high.push(worked_off(bench, executions, Some(never_reached), OneStep::default()).await?);
        keyed.push(worked_off(bench, executions, None, OfKeys).await?);
    }
    announce("limits, a rate that is reached");
    let limit = QueueLimits::default().rate(RATE, seconds(1));
    let at_limit = worked_off(bench, RATE as usize * RATED_SECONDS, Some(limit), OneStep::default()).await?;
    let (unlimited, high, keyed) = (Throughput::median(unlimited), Throughput::median(high), Throughput::median(keyed));
    table.throughput("One step, no limits", &unlimited, None);
    table.throughput("One step, a rate not reached", &high, Some(&unlimited));
    table.throughput("One step, 4 at once of 100 keys", &keyed, Some(&unlimited));
    table.throughput(&format!("One step, {RATE} a second"), &at_limit, None);
    Ok(Figures {
        unlimited_rate: unlimited.rate,
        rate_not_reached: high.rate,
        keyed_rate: keyed.rate,
        limit: RATE,
        rate_at_limit: at_limit.rate,
    })
}

async fn worked_off<W: Workflow<Input = u64>>(
    bench: &Bench,
    executions: usize,
    limits: Option<QueueLimits>,
    workflow: W,
) -> Result<Throughput> {
    let url = bench.server.database().await?;
    let builder = Durable::builder().database_url(&url).queue(W::QUEUE, CONCURRENCY).register(workflow);
    let builder = match limits {
        Some(limits) => builder.queue_limits(W::QUEUE, limits),
        None => builder,
    };
    let worker = builder.start().await?;
    let client = Durable::builder().database_url(&url).start().await?;
    let spent = work_off::<W>(bench, &url, &client, 1, executions).await?;
    client.shutdown().await?;
    worker.shutdown().await?;
    Ok(spent)
}
