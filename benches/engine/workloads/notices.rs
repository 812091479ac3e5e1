//! Notices: executions that many callers start and a worker runs, with notifications and without, in turns.

use std::time::Duration;

use durable::sqlx::{Connection, Executor, PgConnection, raw_sql};
use durable::{Durable, Result};
use serde::Serialize;
use tokio::task::JoinSet;

use super::announce;
use crate::Bench;
use crate::gate::Watch;
use crate::meter::{Meter, Throughput};
use crate::report::Table;
use crate::workflows::OneStep;

/// Callers at once.
const CALLERS: usize = 16;

/// Short, so that without notifications the worker waits no longer for work than with them.
const POLL: Duration = Duration::from_millis(20);

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
        without.push(started_and_run(bench, false).await?);
        with.push(started_and_run(bench, true).await?);
    }
    let (with, without) = (Throughput::median(with), Throughput::median(without));
    table.throughput("Started and run, with NOTIFY", &with, Some(&without));
    table.throughput("Started and run, without", &without, None);
    Ok(Figures { with_notices_rate: with.rate, without_rate: without.rate, ratio: with.rate / without.rate })
}

async fn started_and_run(bench: &Bench, notices: bool) -> Result<Throughput> {
    let url = bench.server.database().await?;
    let mut connection = PgConnection::connect(&url).await?;
    connection.execute(raw_sql(SILENCE)).await?;
    let searched = if notices { url.clone() } else { format!("{url}?options[search_path]=silence,pg_catalog,public") };
    let engine = || Durable::builder().database_url(&searched).poll_interval(POLL);
    let worker = engine().queue("default", 1000).register(OneStep::default()).start().await?;
    let client = engine().start().await?;
    client.start::<OneStep>(0).await?.result().await?;

    let mut watch = Watch::open(&url).await?;
    let mut meter = Meter::open(&bench.server, &url).await?;
    let start = meter.start().await?;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (client, starts) = (client.clone(), bench.scale.starts_per_caller);
        callers.spawn(async move {
            for number in 0..starts {
                client.start::<OneStep>(number as u64).await?;
            }
            Ok::<(), durable::Error>(())
        });
    }
    while let Some(returned) = callers.join_next().await {
        returned??;
    }
    let executions = CALLERS * bench.scale.starts_per_caller;
    watch.all_are("completed", 1 + executions).await?;
    let spent = meter.spent_since(start).await?;
    client.shutdown().await?;
    worker.shutdown().await?;
    Ok(spent.per_item(executions))
}
