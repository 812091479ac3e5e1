//! W3: from one start to its result, when nothing else is under way.

use std::time::Instant;

use durable::{Durable, Result};
use serde::Serialize;

use super::announce;
use crate::Bench;
use crate::latencies::{Commits, Latencies, settle};
use crate::report::Table;
use crate::worker_process::WorkerProcess;
use crate::workflows::OneStep;

/// Starts that open connections and prepare statements, before the measured ones.
const WARM_UP: usize = 20;

/// The entry of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    commit_p50_ms: f64,
    queue_p50_ms: f64,
    queue_p95_ms: f64,
    queue_p99_ms: f64,
    queue_commit_p50_ms: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    announce("W3, start to result on one process");
    let url = bench.server.database().await?;
    let here = Durable::builder().database_url(&url).register(OneStep::default()).start().await?;
    let (direct, commits) = start_to_result(&here, &url, bench.scale.starts).await?;
    here.shutdown().await?;

    announce("W3, start to result through the queue of another process");
    let url = bench.server.database().await?;
    let worker = WorkerProcess::start(&url)?;
    let client = Durable::builder().database_url(&url).start().await?;
    let (queue, queue_commits) = start_to_result(&client, &url, bench.scale.starts).await?;
    client.shutdown().await?;
    drop(worker);

    table.latency("W3 start to result", &direct, Some(&commits));
    table.latency("W3 through another process", &queue, Some(&queue_commits));
    table.latency("W3 commit of one row", &commits, None);
    Ok(Figures {
        p50_ms: direct.p50(),
        p95_ms: direct.p95(),
        p99_ms: direct.p99(),
        commit_p50_ms: commits.p50(),
        queue_p50_ms: queue.p50(),
        queue_p95_ms: queue.p95(),
        queue_p99_ms: queue.p99(),
        queue_commit_p50_ms: queue_commits.p50(),
    })
}

/// Times from starts to their results, and of commits in between.
pub(super) async fn start_to_result(durable: &Durable, url: &str, starts: usize) -> Result<(Latencies, Latencies)> {
    for number in 0..WARM_UP {
        durable.start::<OneStep>(number as u64).await?.result().await?;
    }
    let mut commits = Commits::open(url).await?;
    let mut latencies = Latencies::default();
    for number in 0..starts {
        commits.commit().await?;
        settle().await;
        let start = Instant::now();
        durable.start::<OneStep>(number as u64).await?.result().await?;
        latencies.push_since(start);
    }
    Ok((latencies, commits.latencies))
}
