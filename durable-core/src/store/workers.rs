//! Registers workers, extends their leases, and finds those that died.

use std::time::Duration;

use sqlx::{PgConnection, PgExecutor, Row};
use tokio::time::Instant;

use super::{Statement, Store};
use crate::clock::Reading;
use crate::ids::{SHARD, WorkerId};

/// What a heartbeat found.
#[derive(Debug)]
pub(crate) struct Beat {
    pub(crate) reading: Reading,
    /// Whether the lease was extended; if not, the worker was declared lost.
    pub(crate) held: bool,
}

/// A worker whose lease ran out.
#[derive(Debug)]
pub(crate) struct LostWorker {
    pub(crate) id: WorkerId,
    pub(crate) host: String,
    pub(crate) process_id: i32,
}

pub(crate) async fn register(
    store: &Store,
    executor: impl PgExecutor<'_>,
    worker: WorkerId,
    host: &str,
    queues: &[String],
    lease: Duration,
) -> Result<(), sqlx::Error> {
    store
        .query(Statement::RegisterWorker)
        .bind(SHARD)
        .bind(worker.0)
        .bind(host)
        .bind(std::process::id().cast_signed())
        .bind(queues)
        .bind(lease.as_secs_f64())
        .execute(executor)
        .await?;
    Ok(())
}

pub(crate) async fn beat(
    store: &Store,
    connection: &mut PgConnection,
    worker: WorkerId,
    lease: Duration,
) -> Result<Beat, sqlx::Error> {
    let asked = Instant::now();
    let row =
        store.query(Statement::BeatWorker).bind(SHARD).bind(worker.0).bind(lease.as_secs_f64()).fetch_one(connection).await?;
    Ok(Beat { reading: super::clock::reading(&row, asked)?, held: row.try_get("held")? })
}

/// Declares workers lost whose lease ran out.
pub(crate) async fn expire(store: &Store, executor: impl PgExecutor<'_>) -> Result<Vec<LostWorker>, sqlx::Error> {
    let rows = store.query(Statement::ExpireWorkers).bind(SHARD).fetch_all(executor).await?;
    rows.iter()
        .map(|row| Ok(LostWorker { id: WorkerId(row.try_get(0)?), host: row.try_get(1)?, process_id: row.try_get(2)? }))
        .collect()
}

/// Removes lost workers that hold nothing any more.
pub(crate) async fn forget(store: &Store, executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    store.query(Statement::ForgetWorkers).bind(SHARD).execute(executor).await?;
    Ok(())
}

/// Ends a worker's life in order.
pub(crate) async fn retire(store: &Store, executor: impl PgExecutor<'_>, worker: WorkerId) -> Result<(), sqlx::Error> {
    store.query(Statement::RetireWorker).bind(SHARD).bind(worker.0).execute(executor).await?;
    Ok(())
}
