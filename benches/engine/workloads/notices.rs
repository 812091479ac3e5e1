//! Notices: a full queue that is worked off, each end told to whoever listens, with notifications and without, in turns.

use durable::sqlx::{Connection, Executor, PgConnection, raw_sql};
use durable::{Durable, Result};
use serde::Serialize;

use super::{announce, enqueue};
use crate::Bench;
use crate::gate::{Gate, Watch};
use crate::meter::{Meter, Throughput};
use crate::report::Table;
use crate::workflows::OneStep;

/// Executions under way at once: few, so that flushes and their notices are many.
const CONCURRENCY: usize = 100;

/// Executions that open connections and prepare statements, before the measured ones.
const WARM_UP: usize = 500;

/// Stands before the server's own `pg_notify` and does nothing; everything else that the engine sends is the same.
const SILENCE: &str = "
    create schema silence;
    create function silence.pg_notify(text, text) returns void language sql volatile as 'select null::void'";

/// The entry of the report: executions per second.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    with_notices_rate: f64,
    without_rate: f64,
    ratio: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for run in 1..=bench.scale.runs {
        announce(&format!("notices, run {run} of {}", bench.scale.runs));
        without.push(worked_off(bench, false).await?);
        with.push(worked_off(bench, true).await?);
    }
    let (with, without) = (Throughput::median(with), Throughput::median(without));
    table.throughput("One step, with NOTIFY", &with, Some(&without));
    table.throughput("One step, without NOTIFY", &without, None);
    Ok(Figures { with_notices_rate: with.rate, without_rate: without.rate, ratio: with.rate / without.rate })
}

async fn worked_off(bench: &Bench, notices: bool) -> Result<Throughput> {
    let url = bench.server.database().await?;
    let mut connection = PgConnection::connect(&url).await?;
    connection.execute(raw_sql(SILENCE)).await?;
    let searched = if notices { url.clone() } else { format!("{url}?options[search_path]=silence,pg_catalog,public") };
    let engine = || Durable::builder().database_url(&searched);
    let worker = engine().queue("default", CONCURRENCY).register(OneStep::default()).start().await?;
    let client = engine().start().await?;
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
    worker.shutdown().await?;
    Ok(spent.per_item(executions))
}
