//! W5: many executions that sleep: how fast they come to rest, and what they cost while they do.

use std::time::Duration;

use durable::{Durable, Result};
use serde::Serialize;

use super::starting::start_to_result;
use super::{announce, enqueue};
use crate::Bench;
use crate::gate::{Gate, Watch};
use crate::meter::{Meter, Spent, Throughput};
use crate::processes;
use crate::report::Table;
use crate::workflows::{LongSleep, OneStep, Progress};

/// Executions under way at once.
const CONCURRENCY: usize = 2000;

/// Sleepers that fill the cache of parked executions and give the allocator its size, before the measured ones.
const WARM_UP: usize = 2 * CONCURRENCY;

/// From the last parking until the process is idle.
const CALM: Duration = Duration::from_secs(2);

/// The entry of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    park_rate: f64,
    statements_per_s: f64,
    worker_cpu_pct: f64,
    postgres_cpu_pct: f64,
    bytes_per_parked: f64,
    w3_p50_ms: f64,
    w3_before_p50_ms: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    announce("W5, sleepers");
    let url = bench.server.database().await?;
    let progress = Progress::default();
    let worker = Durable::builder()
        .database_url(&url)
        .queue("default", CONCURRENCY)
        .register(LongSleep { progress: progress.clone() })
        .register(OneStep::default())
        .start()
        .await?;
    let (before, commits_before) = start_to_result(&worker, &url, bench.scale.starts).await?;

    let (parking, bytes_per_parked) = park(bench, &url, &progress).await?;
    let rest = rest(bench, &url).await?;
    let (after, commits_after) = start_to_result(&worker, &url, bench.scale.starts).await?;
    worker.shutdown().await?;

    table.throughput("W5 parking", &parking, None);
    table.latency("W5 start to result, before", &before, Some(&commits_before));
    table.latency("W5 start to result, beside them", &after, Some(&commits_after));
    let figures = Figures {
        park_rate: parking.rate,
        statements_per_s: rest.statements / rest.seconds,
        worker_cpu_pct: rest.worker_cpu / rest.seconds * 100.0,
        postgres_cpu_pct: rest.postgres_cpu / rest.seconds * 100.0,
        bytes_per_parked,
        w3_p50_ms: after.p50(),
        w3_before_p50_ms: before.p50(),
    };
    table.note(format!(
        "W5 at rest: {:.1} statements/s, {:.2} % CPU in the worker, {:.2} % in Postgres, {bytes_per_parked:.0} bytes of memory per \
         sleeper beyond the cache",
        figures.statements_per_s, figures.worker_cpu_pct, figures.postgres_cpu_pct
    ));
    Ok(figures)
}

/// Parks the sleepers. Returns the measurements, and by how many bytes each sleeper made this process larger.
async fn park(bench: &Bench, url: &str, progress: &Progress) -> Result<(Throughput, f64)> {
    let sleepers = bench.scale.sleepers;
    let client = Durable::builder().database_url(url).start().await?;
    let mut watch = Watch::open(url).await?;
    enqueue::<LongSleep>(&client, WARM_UP).await?;
    watch.all_are("waiting", WARM_UP).await?;

    let gate = Gate::close(url).await?;
    enqueue::<LongSleep>(&client, sleepers).await?;
    client.shutdown().await?;
    let memory = processes::own_memory()?;
    let mut meter = Meter::open(&bench.server, url).await?;
    let start = meter.start().await?;
    gate.open().await?;
    progress.reached(WARM_UP + sleepers).await;
    watch.all_are("waiting", WARM_UP + sleepers).await?;
    let spent = meter.spent_since(start).await?;

    tokio::time::sleep(CALM).await;
    let grown = processes::own_memory()? - memory;
    Ok((spent.per_item(sleepers), grown / sleepers as f64))
}

/// Watches them sleep.
async fn rest(bench: &Bench, url: &str) -> Result<Spent> {
    let mut meter = Meter::open(&bench.server, url).await?;
    let start = meter.start().await?;
    tokio::time::sleep(Duration::from_secs(bench.scale.rest_seconds)).await;
    meter.spent_since(start).await
}
