//! Snapshots: what an old snapshot costs that vacuum cannot pass, after thousands of executions have come and gone under it.

use std::time::Instant;

use durable::sqlx::{Connection, Executor, PgConnection};
use durable::{Durable, Result};
use serde::Serialize;

use super::claims::Claims;
use super::{announce, enqueue};
use crate::Bench;
use crate::gate::{Gate, Watch};
use crate::latencies::Latencies;
use crate::meter::{Meter, Throughput};
use crate::report::Table;
use crate::workflows::OneStep;

/// Executions under way at once.
const CONCURRENCY: usize = 500;

/// Stretches that are worked off; the last is measured, with the dead rows of those before.
const STRETCHES: usize = 6;

/// Claims that are measured.
const CLAIMS: usize = 50;

/// Executions pending while claims are measured; each takes some of them.
const PENDING: usize = 10_000;

/// Autovacuum starts once a minute, which is longer than a stretch.
const VACUUM: &str = "vacuum (analyze) durable.executions, durable.checkpoints, durable.workers";

/// The entry of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    free: Costs,
    pinned: Costs,
}

#[derive(Debug, Serialize)]
struct Costs {
    rate: f64,
    claim_p50_ms: f64,
    claim_p99_ms: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    let (free, free_claims) = worked_off(bench, false).await?;
    let (pinned, pinned_claims) = worked_off(bench, true).await?;
    table.throughput("One step, no old snapshot", &free, None);
    table.throughput("One step, under an old snapshot", &pinned, Some(&free));
    table.latency("Claim of 100, no old snapshot", &free_claims, None);
    table.latency("Claim of 100, under an old snapshot", &pinned_claims, Some(&free_claims));
    let costs = |throughput: &Throughput, claims: &Latencies| Costs {
        rate: throughput.rate,
        claim_p50_ms: claims.p50(),
        claim_p99_ms: claims.p99(),
    };
    Ok(Figures { free: costs(&free, &free_claims), pinned: costs(&pinned, &pinned_claims) })
}

async fn worked_off(bench: &Bench, pinned: bool) -> Result<(Throughput, Latencies)> {
    announce(if pinned { "one step, under an old snapshot" } else { "one step, no old snapshot" });
    let url = bench.server.database().await?;
    let mut snapshot = PgConnection::connect(&url).await?;
    if pinned {
        snapshot.execute("begin isolation level repeatable read").await?;
        snapshot.execute("select count(*) from durable.executions").await?;
    }
    let worker = Durable::builder().database_url(&url).queue("default", CONCURRENCY).register(OneStep::default()).start().await?;
    let client = Durable::builder().database_url(&url).start().await?;
    let mut watch = Watch::open(&url).await?;
    let mut vacuum = PgConnection::connect(&url).await?;
    let mut last = None;
    for stretch in 1..=STRETCHES {
        let gate = Gate::close(&url).await?;
        enqueue::<OneStep>(&client, bench.scale.one_step).await?;
        let mut meter = Meter::open(&bench.server, &url).await?;
        let start = meter.start().await?;
        gate.open().await?;
        watch.all_are("completed", stretch * bench.scale.one_step).await?;
        last = Some(meter.spent_since(start).await?.per_item(bench.scale.one_step));
        vacuum.execute(VACUUM).await?;
    }
    client.shutdown().await?;
    worker.shutdown().await?;

    let mut claims = Claims::prepare(&url, PENDING, "null").await?;
    let mut latencies = Latencies::default();
    for _ in 0..CLAIMS {
        let start = Instant::now();
        claims.claim().await?;
        latencies.push_since(start);
    }
    snapshot.close().await?;
    Ok((last.unwrap_or_else(|| Throughput::median(Vec::new())), latencies))
}
