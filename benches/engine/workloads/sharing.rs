//! Sharing: one full queue that one, two and four processes work on.

use std::time::Duration;

use durable::Result;
use durable::sqlx::{Connection, PgConnection, query_scalar};
use serde::Serialize;

use super::{announce, work_off};
use crate::Bench;
use crate::meter::Throughput;
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
    let spent = work_off::<OneStep>(bench, &url, &client, WARM_UP, 2 * bench.scale.one_step).await?;
    client.shutdown().await?;
    drop(workers);
    Ok(spent)
}
