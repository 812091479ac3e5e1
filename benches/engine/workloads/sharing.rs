//! Sharing: one full queue that one, two and four processes work on.

use std::time::Duration;

use durable::Result;
use durable::sqlx::{Connection, PgConnection, query_scalar};
use serde::Serialize;

use super::{announce, enqueue};
use crate::Bench;
use crate::gate::{Gate, Watch};
use crate::meter::{Meter, Throughput};
use crate::report::Table;
use crate::worker_process::WorkerProcess;
use crate::workflows::OneStep;

const PROCESSES: [usize; 3] = [1, 2, 4];

/// How often to look whether all processes work.
const LOOK: Duration = Duration::from_millis(20);

/// Executions that open connections and prepare statements, before the measured ones.
const WARM_UP: usize = 500;

/// The rate by processes.
#[derive(Debug, Serialize)]
pub(crate) struct Shared {
    processes: usize,
    rate: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Vec<Shared>> {
    let mut runs = PROCESSES.map(|_| Vec::new());
    for run in 1..=bench.scale.runs {
        announce(&format!("1, 2 and 4 processes, run {run} of {}", bench.scale.runs));
        for (runs, processes) in runs.iter_mut().zip(PROCESSES) {
            runs.push(worked_on_by(bench, processes).await?);
        }
    }
    let medians = runs.map(Throughput::median);
    for (processes, median) in PROCESSES.iter().zip(&medians) {
        table.throughput(&format!("One step, {processes} worker processes"), median, Some(&medians[0]));
    }
    Ok(PROCESSES.iter().zip(&medians).map(|(processes, median)| Shared { processes: *processes, rate: median.rate }).collect())
}

async fn worked_on_by(bench: &Bench, processes: usize) -> Result<Throughput> {
    let url = bench.server.database().await?;
    let workers = (0..processes).map(|_| WorkerProcess::start(&url)).collect::<Result<Vec<_>>>()?;
    let mut connection = PgConnection::connect(&url).await?;
    loop {
        let working: i64 = query_scalar("select count(*) from durable.workers").fetch_one(&mut connection).await?;
        if working.cast_unsigned() == processes as u64 {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    let client = durable::Durable::builder().database_url(&url).start().await?;
    let mut watch = Watch::open(&url).await?;
    enqueue::<OneStep>(&client, WARM_UP).await?;
    watch.all_are("completed", WARM_UP).await?;

    let executions = 2 * bench.scale.one_step;
    let gate = Gate::close(&url).await?;
    enqueue::<OneStep>(&client, executions).await?;
    let mut meter = Meter::open(&bench.server, &url).await?;
    let start = meter.start().await?;
    gate.open().await?;
    watch.all_are("completed", WARM_UP + executions).await?;
    let spent = meter.spent_since(start).await?;
    client.shutdown().await?;
    drop(workers);
    Ok(spent.per_item(executions))
}
