//! Watching: how soon a change reaches a watcher in another process, and what a thousand watchers cost while nothing changes.

use std::time::Duration;

use durable::{Durable, Error, Result, Update, Watch};
use serde::Serialize;

use super::announce;
use crate::Bench;
use crate::latencies::{Latencies, settle};
use crate::meter::Meter;
use crate::report::Table;
use crate::workflows::Listener;
use crate::workflows::ticker::Ticker;

/// Executions that are watched and do not change.
const QUIET: u64 = 1000;

/// For how long their statements are counted.
const REST: Duration = Duration::from_secs(5);

/// The entry of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    update_p50_ms: f64,
    update_p95_ms: f64,
    update_p99_ms: f64,
    statements_while_watched: f64,
    statements_unwatched: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    announce("updates of a watched execution, beside 1 000 others");
    let url = bench.server.database().await?;
    let ticker = Ticker::default();
    let worker = Durable::builder().database_url(&url).register(Listener).register(ticker.clone()).start().await?;
    let client = Durable::builder().database_url(&url).start().await?;
    let quiet = worker.start_many::<Listener>(0..QUIET).await?;
    let unwatched = statements(bench, &url).await?;
    let mut watches: Vec<Watch> = quiet.iter().map(|execution| client.watch(execution.id())).collect();
    for watch in &mut watches {
        snapshot(watch).await?;
    }
    let watched = statements(bench, &url).await?;

    let mut updates = Latencies::default();
    let ticks = worker.start::<Ticker>(bench.scale.events as u64).await?;
    let mut watch = client.watch(ticks.id());
    snapshot(&mut watch).await?;
    for tick in 1..=bench.scale.events as u64 {
        settle().await;
        worker.send_event(ticks.id(), "go", &tick).await?;
        value(&mut watch, tick).await?;
        updates.push_since(ticker.committed(tick).await);
    }
    ticks.result().await?;
    client.shutdown().await?;
    worker.shutdown().await?;

    table.latency("Commit to update of a watcher", &updates, None);
    table.note(format!("statements in {REST:?}: {unwatched:.0} of two processes at rest, {watched:.0} with {QUIET} watchers"));
    Ok(Figures {
        update_p50_ms: updates.p50(),
        update_p95_ms: updates.p95(),
        update_p99_ms: updates.p99(),
        statements_while_watched: watched,
        statements_unwatched: unwatched,
    })
}

/// The statements of all processes in a while.
async fn statements(bench: &Bench, url: &str) -> Result<f64> {
    let mut meter = Meter::open(&bench.server, url).await?;
    let start = meter.start().await?;
    tokio::time::sleep(REST).await;
    Ok(meter.spent_since(start).await?.per_item(1).statements)
}

async fn snapshot(watch: &mut Watch) -> Result<()> {
    match watch.next().await {
        Some(Ok(Update::Snapshot(_))) => Ok(()),
        other => Err(Error::new(format!("a watch began with {other:?}"))),
    }
}

/// Returns when the watcher has received the value.
async fn value(watch: &mut Watch, tick: u64) -> Result<()> {
    while let Some(update) = watch.next().await {
        if matches!(update?, Update::Value(value) if value.value.as_str() == tick.to_string()) {
            return Ok(());
        }
    }
    Err(Error::new("the watch ended before the last value"))
}
