//! W4: from an event to the end of the execution that waited for it, and how late a sleep ends.

use std::time::{Duration, Instant};

use durable::{Durable, Error, ExecutionHandle, ExecutionState, Result, Workflow};
use serde::Serialize;

use super::announce;
use crate::Bench;
use crate::latencies::{Commits, Latencies, settle};
use crate::report::Table;
use crate::workflows::{Listener, Nap};

/// Events that open connections and prepare statements, before the measured ones.
const WARM_UP: usize = 10;

/// Between the starts of two naps: no part of a second, so that none begins while another ends.
const STAGGER: Duration = Duration::from_millis(150);

/// How often to look whether an execution waits.
const LOOK: Duration = Duration::from_millis(1);

/// The entry of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    event_p50_ms: f64,
    event_p95_ms: f64,
    event_p99_ms: f64,
    commit_p50_ms: f64,
    sleep_late_p50_ms: f64,
    sleep_late_p95_ms: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    announce("W4, event to result, and naps of a second");
    let url = bench.server.database().await?;
    let durable = Durable::builder().database_url(&url).register(Listener).register(Nap).start().await?;
    let mut commits = Commits::open(&url).await?;
    for _ in 0..WARM_UP {
        event_to_result(&durable).await?;
    }
    let mut events = Latencies::default();
    for _ in 0..bench.scale.events {
        commits.commit().await?;
        events.push(event_to_result(&durable).await?);
    }
    let late = lateness(&durable, bench.scale.naps).await?;
    durable.shutdown().await?;

    let commits = commits.latencies;
    table.latency("W4 event to result", &events, Some(&commits));
    table.latency("W4 commit of one row", &commits, None);
    table.latency("W4 lateness of a 1 s sleep", &late, None);
    Ok(Figures {
        event_p50_ms: events.p50(),
        event_p95_ms: events.p95(),
        event_p99_ms: events.p99(),
        commit_p50_ms: commits.p50(),
        sleep_late_p50_ms: late.p50(),
        sleep_late_p95_ms: late.p95(),
    })
}

/// Milliseconds from the sending of an event until a caller that waits already has the result.
async fn event_to_result(durable: &Durable) -> Result<f64> {
    let handle = durable.start::<Listener>(0).await?;
    waiting(&handle).await?;
    let result = {
        let handle = handle.clone();
        tokio::spawn(async move { handle.result().await })
    };
    settle().await;
    let start = Instant::now();
    durable.send_event(handle.id(), "go", &1).await?;
    result.await??;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// Returns when the execution is parked.
async fn waiting<W: Workflow>(handle: &ExecutionHandle<W>) -> Result<()> {
    while handle.execution().await?.state != ExecutionState::Waiting {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// By how much naps ended too late, by the database's clock.
async fn lateness(durable: &Durable, naps: usize) -> Result<Latencies> {
    let mut handles = Vec::with_capacity(naps);
    for number in 0..naps {
        handles.push(durable.start::<Nap>(number as u64).await?);
        tokio::time::sleep(STAGGER).await;
    }
    let mut late = Latencies::default();
    for handle in handles {
        handle.result().await?;
        let nap = durable.get_execution(handle.id()).await?;
        let due_at = nap.waits.first().and_then(|wait| wait.due_at);
        let (Some(due_at), Some(finished_at)) = (due_at, nap.execution.finished_at) else {
            return Err(Error::new("a nap has no end"));
        };
        late.push((finished_at - due_at).as_seconds_f64() * 1e3);
    }
    Ok(late)
}
