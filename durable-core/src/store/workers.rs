//! Registers workers, extends their leases, lists them, and finds those that died.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgExecutor, Row};
use tokio::time::Instant;
use uuid::Uuid;

use super::read::Lenient;
use super::{Store, statement};
use crate::clock::Reading;
use crate::ids::{ExecutionId, WorkerId};
use crate::model::{QueueSlots, WorkerDetails, WorkerState};

/// What a heartbeat found.
#[derive(Debug)]
pub(crate) struct Beat {
    pub(crate) reading: Reading,
    /// Whether the lease was extended; if not, the worker was declared lost.
    pub(crate) held: bool,
    /// Whether a client asked the worker to claim nothing more.
    pub(crate) deprecated: bool,
}

/// What a worker says of itself when it begins.
#[derive(Debug)]
pub(crate) struct NewWorker<'worker> {
    pub(crate) id: WorkerId,
    pub(crate) host: &'worker str,
    pub(crate) version: Option<&'worker str>,
    pub(crate) lease: Duration,
    pub(crate) slots: &'worker [QueueSlots],
    /// What it knows, each as `name@version`.
    pub(crate) workflows: &'worker [String],
    pub(crate) deprecated: bool,
    /// The worker that this process was before. If it was deprecated, so is this one.
    pub(crate) follows: Option<WorkerId>,
}

/// A worker whose lease ran out.
#[derive(Debug)]
pub(crate) struct LostWorker {
    pub(crate) id: WorkerId,
    pub(crate) host: String,
    pub(crate) process_id: i32,
}

pub(crate) async fn register(store: &Store, executor: impl PgExecutor<'_>, worker: &NewWorker<'_>) -> Result<(), sqlx::Error> {
    let queues: Vec<&str> = worker.slots.iter().map(|slots| slots.queue.as_str()).collect();
    let limits: Vec<i32> = worker.slots.iter().map(|slots| slots.slots.cast_signed()).collect();
    store
        .query(statement!("workers/register"))
        .bind(worker.id.0)
        .bind(worker.host)
        .bind(std::process::id().cast_signed())
        .bind(queues)
        .bind(worker.lease.as_secs_f64())
        .bind(worker.version)
        .bind(limits)
        .bind(in_use(worker.slots))
        .bind(worker.deprecated)
        .bind(worker.workflows)
        .bind(worker.follows.map(|worker| worker.0))
        .execute(executor)
        .await?;
    Ok(())
}

pub(crate) async fn beat(
    store: &Store,
    connection: &mut PgConnection,
    worker: WorkerId,
    lease: Duration,
    slots: &[QueueSlots],
    (unresponsive_for, stuck_executions): (Option<Duration>, &[ExecutionId]),
) -> Result<Beat, sqlx::Error> {
    let asked = Instant::now();
    let query = store
        .query(statement!("workers/beat"))
        .bind(worker.0)
        .bind(lease.as_secs_f64())
        .bind(in_use(slots))
        .bind(store.health.report())
        .bind(unresponsive_for.map(|time| time.as_secs_f64()))
        .bind(stuck_executions.iter().map(|id| id.as_uuid()).collect::<Vec<_>>());
    let row = query.fetch_one(connection).await?;
    Ok(Beat { reading: super::clock::reading(&row, asked)?, held: row.try_get("held")?, deprecated: row.try_get("deprecated")? })
}

fn in_use(slots: &[QueueSlots]) -> Vec<i32> {
    slots.iter().map(|slots| slots.in_use.cast_signed()).collect()
}

/// Declares workers lost whose lease ran out by the database's clock, and by this process's reading of it.
pub(crate) async fn expire(
    store: &Store,
    executor: impl PgExecutor<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<LostWorker>, sqlx::Error> {
    let rows = store.query(statement!("workers/expire")).bind(now).fetch_all(executor).await?;
    rows.iter()
        .map(|row| Ok(LostWorker { id: WorkerId(row.try_get(0)?), host: row.try_get(1)?, process_id: row.try_get(2)? }))
        .collect()
}

/// Removes lost workers that hold nothing any more.
pub(crate) async fn forget(store: &Store, executor: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
    store.query(statement!("workers/forget")).execute(executor).await?;
    Ok(())
}

/// Retires a worker in order.
pub(crate) async fn retire(store: &Store, executor: impl PgExecutor<'_>, worker: WorkerId) -> Result<(), sqlx::Error> {
    store.query(statement!("workers/retire")).bind(worker.0).execute(executor).await?;
    Ok(())
}

/// Has a worker claim nothing more.
pub(crate) async fn deprecate(store: &Store, executor: impl PgExecutor<'_>, worker: WorkerId) -> Result<(), sqlx::Error> {
    store.query(statement!("workers/deprecate")).bind(worker.0).execute(executor).await?;
    Ok(())
}

/// Every worker that is known, youngest first.
pub(crate) async fn list(store: &Store, executor: impl PgExecutor<'_>) -> Result<Vec<WorkerDetails>, sqlx::Error> {
    let rows = store.query(statement!("workers/list")).fetch_all(executor).await?;
    Ok(rows.iter().map(read_worker).collect())
}

fn read_worker(row: &PgRow) -> WorkerDetails {
    let columns = Lenient::new(row);
    let is_set = |column| columns.time_if(column).is_some();
    let state = match (is_set("lost_at"), is_set("deprecated_at")) {
        (true, _) => WorkerState::Lost,
        (false, true) => WorkerState::Deprecated,
        (false, false) => WorkerState::Active,
    };
    let queues: Vec<String> = columns.get("queues");
    let (slots, in_use): (Vec<i32>, Vec<i32>) = (columns.get("slots"), columns.get("slots_in_use"));
    let queues = queues.into_iter().zip(slots).zip(in_use);
    let worker = WorkerDetails {
        id: WorkerId(columns.get("worker_id")),
        state,
        host: columns.get("host"),
        process_id: columns.get("process_id"),
        version: columns.get("version"),
        queues: queues
            .map(|((queue, slots), in_use)| QueueSlots { queue, slots: slots.unsigned_abs(), in_use: in_use.unsigned_abs() })
            .collect(),
        workflows: columns.get("workflows"),
        started_at: columns.time("started_at"),
        lease_until: columns.time("lease_until"),
        unresponsive_since: columns.time_if("unresponsive_since"),
        stuck_executions: columns.get::<Vec<Uuid>>("stuck_executions").into_iter().map(ExecutionId::from).collect(),
        unreadable: None,
    };
    WorkerDetails { unreadable: columns.unreadable(), ..worker }
}
