//! A loop of one step that continues as new: what an iteration costs, and whether the ten thousandth costs what the first did.

use durable::{Durable, Result};
use serde::Serialize;

use super::announce;
use crate::Bench;
use crate::meter::{Meter, Throughput};
use crate::processes;
use crate::report::Table;
use crate::workflows::flows::Loop;

/// The entry of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    iterations: u64,
    first_rate: f64,
    last_rate: f64,
    statements_per_iteration: f64,
    wal_bytes_per_iteration: f64,
    /// By how many bytes this process has grown from the first part to the last.
    grown_bytes: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    announce("a loop");
    let iterations = bench.scale.iterations;
    let url = bench.server.database().await?;
    let worker = Durable::builder().database_url(&url).register(Loop).start().await?;
    // Warms up.
    part(bench, &worker, &url, iterations / 10).await?;
    let memory = processes::own_memory()?;
    let first = part(bench, &worker, &url, iterations / 10).await?;
    let all = part(bench, &worker, &url, iterations).await?;
    let grown_bytes = processes::own_memory()? - memory;
    worker.shutdown().await?;

    table.throughput("Loop, a tenth of the iterations", &first, None);
    table.throughput("Loop, all iterations", &all, Some(&first));
    table.note(format!("loop: {grown_bytes:.0} bytes of memory more after {iterations} iterations"));
    Ok(Figures {
        iterations,
        first_rate: first.rate,
        last_rate: all.rate,
        statements_per_iteration: all.statements,
        wal_bytes_per_iteration: all.wal_bytes,
        grown_bytes,
    })
}

/// One execution of so many iterations.
async fn part(bench: &Bench, worker: &Durable, url: &str, iterations: u64) -> Result<Throughput> {
    let mut meter = Meter::open(&bench.server, url).await?;
    let start = meter.start().await?;
    worker.start::<Loop>(iterations).await?.result().await?;
    Ok(meter.spent_since(start).await?.per_item(usize::try_from(iterations).unwrap_or(usize::MAX)))
}
