//! How long an execution with a long journal takes to resume, and how that grows with the journal.

use std::time::{Duration, Instant};

use durable::{Durable, Error, ExecutionHandle, ExecutionState, Result};
use serde::Serialize;

use super::announce;
use crate::Bench;
use crate::report::Table;
use crate::workflows::flows::MapItems;

/// How often to look whether an execution waits.
const LOOK: Duration = Duration::from_millis(5);

/// The entry of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    /// Milliseconds from the event to the result, by the number of entries.
    resumed_ms: Vec<(u64, f64)>,
    /// What each further entry adds, from the shortest journal to the longest.
    us_per_entry: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    let url = bench.server.database().await?;
    // Nothing stays in memory, so every event is followed by a replay.
    let durable = Durable::builder().database_url(&url).cached_executions(0).register(MapItems).start().await?;
    resume(&durable, 10).await?;
    let mut resumed_ms = Vec::new();
    for share in [4, 2, 1] {
        let entries = (bench.scale.items / share) as u64;
        announce(&format!("resuming a journal of {entries} entries"));
        let mut times = Vec::new();
        for _ in 0..bench.scale.runs {
            times.push(resume(&durable, entries).await?);
        }
        times.sort();
        resumed_ms.push((entries, times[times.len() / 2].as_secs_f64() * 1e3));
    }
    durable.shutdown().await?;

    let [(fewest, shortest), .., (most, longest)] = resumed_ms[..] else {
        return Err(Error::new("fewer than two journals were resumed"));
    };
    let us_per_entry = (longest - shortest) * 1e3 / (most - fewest) as f64;
    let times: Vec<String> = resumed_ms.iter().map(|(entries, ms)| format!("{entries} entries in {ms:.1} ms")).collect();
    table.note(format!("resume: {}; {us_per_entry:.1} µs for each further entry", times.join(", ")));
    Ok(Figures { resumed_ms, us_per_entry })
}

/// From the event that ends the wait behind a journal of so many entries to the result.
async fn resume(durable: &Durable, entries: u64) -> Result<Duration> {
    let handle = durable.start::<MapItems>((entries, true)).await?;
    until_waiting(&handle).await?;
    let sent = Instant::now();
    durable.send_event(handle.id(), "go", &()).await?;
    handle.result().await?;
    Ok(sent.elapsed())
}

async fn until_waiting(handle: &ExecutionHandle<MapItems>) -> Result<()> {
    while handle.execution().await?.state != ExecutionState::Waiting {
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}
