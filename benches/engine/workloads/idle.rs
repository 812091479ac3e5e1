//! Idle: the transactions of a process that works on 200 queues in which nothing is pending.

use std::time::{Duration, Instant};

use durable::sqlx::{Connection, PgConnection, query_scalar};
use durable::{Durable, Result};
use serde::Serialize;

use super::announce;
use crate::Bench;
use crate::report::Table;
use crate::workflows::OneStep;

/// Queues of the process.
const QUEUES: usize = 200;

/// By then every server process has reported its transactions.
const REPORTED: Duration = Duration::from_secs(11);

/// Transactions of the database so far, including the ones of this query.
const TRANSACTIONS: &str =
    "select (xact_commit + xact_rollback)::float8 from pg_stat_database where datname = current_database()";

#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    queues: usize,
    transactions_per_second: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    announce("idle queues");
    let url = bench.server.database().await?;
    let names: Vec<String> = (0..QUEUES).map(|nth| format!("queue {nth}")).collect();
    let builder = Durable::builder().database_url(&url).register(OneStep::default());
    let worker = names.iter().fold(builder, |builder, name| builder.queue(name, 1)).start().await?;
    let mut connection = PgConnection::connect(&url).await?;
    // By then the transactions of the start are reported.
    tokio::time::sleep(REPORTED).await;
    let before: f64 = query_scalar(TRANSACTIONS).fetch_one(&mut connection).await?;
    let start = Instant::now();
    tokio::time::sleep(REPORTED + Duration::from_secs(bench.scale.rest_seconds)).await;
    let after: f64 = query_scalar(TRANSACTIONS).fetch_one(&mut connection).await?;
    let transactions_per_second = (after - before) / start.elapsed().as_secs_f64();
    table.note(format!("a process with {QUEUES} idle queues makes {transactions_per_second:.1} transactions a second"));
    worker.shutdown().await?;
    Ok(Figures { queues: QUEUES, transactions_per_second })
}
