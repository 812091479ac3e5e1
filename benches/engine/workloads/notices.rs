//! Notices: many callers run executions one after another, and each end is notified, with NOTIFY and without, in turns.

use durable::sqlx::{Connection, Executor, PgConnection, raw_sql};
use durable::{Durable, Result};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Serialize;

use super::announce;
use crate::Bench;
use crate::meter::{Meter, Throughput};
use crate::report::Table;
use crate::workflows::OneStep;

/// Callers that start an execution and wait for its end: few, so that flushes and their notices are many.
const CALLERS: usize = 100;

/// Executions that open connections and prepare statements, before the measured ones.
const WARM_UP: usize = 500;

/// Shadows the server's `pg_notify` and does nothing. All other statements of the engine are the same.
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
        without.push(turned_over(bench, false).await?);
        with.push(turned_over(bench, true).await?);
    }
    let (with, without) = (Throughput::median(with), Throughput::median(without));
    table.throughput("Start to result, with NOTIFY", &with, Some(&without));
    table.throughput("Start to result, without NOTIFY", &without, None);
    Ok(Figures { with_notices_rate: with.rate, without_rate: without.rate, ratio: with.rate / without.rate })
}

/// One process starts and ends the executions, so that it waits for no notice and no poll. Another process is notified of their ends.
async fn turned_over(bench: &Bench, notices: bool) -> Result<Throughput> {
    let url = bench.server.database().await?;
    let mut connection = PgConnection::connect(&url).await?;
    connection.execute(raw_sql(SILENCE)).await?;
    let searched = if notices { url.clone() } else { format!("{url}?options[search_path]=silence,pg_catalog,public") };
    let engine = || Durable::builder().database_url(&searched);
    let durable = engine().queue("default", CALLERS).register(OneStep::default()).start().await?;
    let listener = engine().start().await?;
    start_and_wait(&durable, WARM_UP).await?;

    let executions = 2 * bench.scale.one_step;
    let mut meter = Meter::open(&bench.server, &url).await?;
    let start = meter.start().await?;
    start_and_wait(&durable, executions).await?;
    let spent = meter.spent_since(start).await?;
    listener.shutdown().await?;
    durable.shutdown().await?;
    Ok(spent.per_item(executions))
}

async fn start_and_wait(durable: &Durable, executions: usize) -> Result<()> {
    let calls = stream::iter(0..executions as u64).map(async |number| durable.start::<OneStep>(number).await?.result().await);
    calls.buffer_unordered(CALLERS).try_for_each(|_| std::future::ready(Ok(()))).await
}
