//! Enqueue: starts by many callers at once, with one client that lets them share statements and without; and in batches.

use durable::sqlx::{Connection, PgConnection, query};
use durable::{Durable, Result};
use serde::Serialize;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{announce, enqueue};
use crate::Bench;
use crate::floor::{BATCH, Floor};
use crate::meter::{Meter, Throughput};
use crate::report::Table;
use crate::workflows::OneStep;

/// Callers at once.
const CALLERS: usize = 16;

/// What a client that shares nothing would send for each start.
const START_ONE: &str = "select outcome from durable.create_executions(
    array[$1::uuid], array['one_step'], array[1], array['default'], array[0::int2],
    array[null::text], array[$2::text], array[null::timestamptz], array[null::float8])";

/// The entry of the report.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    rate: f64,
    statements: f64,
    one_statement_rate: f64,
    batch_rate: f64,
    batch_statements: f64,
    batch_floor_rate: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    let (mut singly, mut shared, mut floors, mut batches) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for run in 1..=bench.scale.runs {
        announce(&format!("enqueue, run {run} of {}", bench.scale.runs));
        singly.push(one_statement_each(bench).await?);
        shared.push(shared_statements(bench).await?);
        floors.push(plain_batches(bench).await?);
        batches.push(batches_of_starts(bench).await?);
    }
    let (singly, shared) = (Throughput::median(singly), Throughput::median(shared));
    let (floor, batch) = (Throughput::median(floors), Throughput::median(batches));
    table.throughput("Start, 16 callers", &shared, Some(&singly));
    table.throughput("Start, one statement each", &singly, None);
    table.throughput("Start, batches of 500", &batch, Some(&floor));
    table.throughput("Start, batches, floor", &floor, None);
    Ok(Figures {
        rate: shared.rate,
        statements: shared.statements,
        one_statement_rate: singly.rate,
        batch_rate: batch.rate,
        batch_statements: batch.statements * BATCH as f64,
        batch_floor_rate: floor.rate,
    })
}

/// Concurrent callers of one client.
async fn shared_statements(bench: &Bench) -> Result<Throughput> {
    let url = bench.server.database().await?;
    let client = Durable::builder().database_url(&url).start().await?;
    let starts = bench.scale.starts_per_caller;
    enqueue::<OneStep>(&client, 1).await?;

    let mut meter = Meter::open(&bench.server, &url).await?;
    let start = meter.start().await?;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let client = client.clone();
        callers.spawn(async move {
            for number in 0..starts {
                client.start::<OneStep>(number as u64).await?;
            }
            Ok(())
        });
    }
    all_return(callers).await?;
    let spent = meter.spent_since(start).await?;
    client.shutdown().await?;
    Ok(spent.per_item(CALLERS * starts))
}

/// As many callers with a connection each.
async fn one_statement_each(bench: &Bench) -> Result<Throughput> {
    let url = bench.server.database().await?;
    let starts = bench.scale.starts_per_caller;
    let mut connections = Vec::with_capacity(CALLERS);
    for _ in 0..CALLERS {
        let mut connection = PgConnection::connect(&url).await?;
        start_one(&mut connection, 0).await?;
        connections.push(connection);
    }

    let mut meter = Meter::open(&bench.server, &url).await?;
    let start = meter.start().await?;
    let mut callers = JoinSet::new();
    for mut connection in connections {
        callers.spawn(async move {
            for number in 0..starts {
                start_one(&mut connection, number).await?;
            }
            Ok(())
        });
    }
    all_return(callers).await?;
    Ok(meter.spent_since(start).await?.per_item(CALLERS * starts))
}

async fn start_one(connection: &mut PgConnection, number: usize) -> Result<()> {
    query(START_ONE).bind(Uuid::now_v7()).bind(number.to_string()).execute(connection).await?;
    Ok(())
}

async fn all_return(mut callers: JoinSet<Result<()>>) -> Result<()> {
    while let Some(returned) = callers.join_next().await {
        returned??;
    }
    Ok(())
}

/// Batches by `start_many`.
async fn batches_of_starts(bench: &Bench) -> Result<Throughput> {
    let url = bench.server.database().await?;
    let client = Durable::builder().database_url(&url).start().await?;
    enqueue::<OneStep>(&client, 1).await?;

    let mut meter = Meter::open(&bench.server, &url).await?;
    let start = meter.start().await?;
    enqueue::<OneStep>(&client, bench.scale.batches * BATCH).await?;
    let spent = meter.spent_since(start).await?;
    client.shutdown().await?;
    Ok(spent.per_item(bench.scale.batches * BATCH))
}

/// Batches by plain SQL.
async fn plain_batches(bench: &Bench) -> Result<Throughput> {
    let url = bench.server.database().await?;
    let mut floor = Floor::open(&url).await?;
    floor.insert(1).await?;

    let mut meter = Meter::open(&bench.server, &url).await?;
    let start = meter.start().await?;
    floor.insert(bench.scale.batches * BATCH).await?;
    Ok(meter.spent_since(start).await?.per_item(bench.scale.batches * BATCH))
}
