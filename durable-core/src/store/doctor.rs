//! Reads what a doctor looks at; writes nothing.

use chrono::{DateTime, Utc};
use sqlx::{PgPool, Row};
use uuid::Uuid;

use super::notify::Listener;
use super::read::{time, time_if};
use super::{Store, statement};
use crate::error::Failure;
use crate::ids::ExecutionId;
use crate::supervision::Report;

/// A table with many dead rows.
#[derive(Debug)]
pub(crate) struct Bloated {
    pub(crate) table: String,
    pub(crate) dead: i64,
    pub(crate) live: i64,
}

/// A transaction that has been open for long.
#[derive(Debug)]
pub(crate) struct OldSnapshot {
    pub(crate) process_id: i32,
    pub(crate) role: String,
    pub(crate) application: String,
    pub(crate) state: String,
    pub(crate) seconds: i64,
}

/// Executions of one version of a workflow that no worker on their queue knows.
#[derive(Debug)]
pub(crate) struct Unknown {
    pub(crate) queue: String,
    pub(crate) workflow: String,
    pub(crate) version: i32,
    /// Whether they are being rolled back.
    pub(crate) undone: bool,
    pub(crate) executions: i64,
    pub(crate) since: DateTime<Utc>,
    /// The versions that workers on the queue do know.
    pub(crate) versions: Vec<i32>,
    /// The queues of workers that know it.
    pub(crate) queues: Vec<String>,
}

/// A queue that no live worker claims from.
#[derive(Debug)]
pub(crate) struct Unserved {
    pub(crate) queue: String,
    pub(crate) executions: i64,
    pub(crate) since: DateTime<Utc>,
}

/// A worker that is gone and holds executions.
#[derive(Debug)]
pub(crate) struct LostWorker {
    pub(crate) id: Uuid,
    /// Its process and host; none if the worker has no row.
    pub(crate) process: Option<(i32, String)>,
    pub(crate) executions: i64,
}

/// An execution with messages that nothing has waited for.
#[derive(Debug)]
pub(crate) struct Unread {
    pub(crate) id: ExecutionId,
    pub(crate) workflow: String,
    pub(crate) messages: i64,
    /// Some of their names.
    pub(crate) names: Vec<String>,
    /// The names that it waits for now.
    pub(crate) open: Vec<String>,
}

/// An execution that does not go on by itself.
#[derive(Debug)]
pub(crate) struct Stuck {
    pub(crate) id: ExecutionId,
    pub(crate) workflow: String,
    pub(crate) how: How,
}

/// Why an execution does not go on.
#[derive(Debug)]
pub(crate) enum How {
    Stopped(Failure),
    WaitsForNothing,
    KillsWorkers { claims: i16 },
}

/// Timers that no worker has taken.
#[derive(Debug)]
pub(crate) struct Overdue {
    pub(crate) executions: i64,
    pub(crate) since: DateTime<Utc>,
}

/// Troubles that a worker has reported.
#[derive(Debug)]
pub(crate) struct Troubled {
    pub(crate) worker: Uuid,
    pub(crate) host: String,
    pub(crate) process_id: i32,
    pub(crate) report: Report,
}

/// An execution with values that no program writes.
#[derive(Debug)]
pub(crate) struct Odd {
    pub(crate) id: ExecutionId,
    pub(crate) workflow: String,
    pub(crate) problem: String,
}

pub(crate) async fn invalid_indexes(store: &Store, pool: &PgPool) -> Result<Vec<String>, sqlx::Error> {
    let rows = store.query(statement!("doctor/find_invalid_indexes")).bind(store.schema.as_str()).fetch_all(pool).await?;
    rows.iter().map(|row| row.try_get("name")).collect()
}

pub(crate) async fn bloated_tables(store: &Store, pool: &PgPool, more_than: i64) -> Result<Vec<Bloated>, sqlx::Error> {
    let query = store.query(statement!("doctor/find_bloated_tables")).bind(store.schema.as_str()).bind(more_than);
    let rows = query.fetch_all(pool).await?;
    rows.iter()
        .map(|row| Ok(Bloated { table: row.try_get("name")?, dead: row.try_get("dead")?, live: row.try_get("live")? }))
        .collect()
}

pub(crate) async fn old_snapshots(store: &Store, pool: &PgPool, seconds: f64) -> Result<Vec<OldSnapshot>, sqlx::Error> {
    let rows = store.query(statement!("doctor/find_old_snapshots")).bind(seconds).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            Ok(OldSnapshot {
                process_id: row.try_get("pid")?,
                role: row.try_get("role")?,
                application: row.try_get("application")?,
                state: row.try_get("state")?,
                seconds: row.try_get("seconds")?,
            })
        })
        .collect()
}

/// One gauge of the database.
#[derive(Debug)]
pub(crate) struct Measured {
    /// Which, in the words of the statement.
    pub(crate) measure: String,
    /// Of which queue or table.
    pub(crate) name: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) value: f64,
}

/// The gauges of the database.
pub(crate) async fn measure(store: &Store, pool: &PgPool) -> Result<Vec<Measured>, sqlx::Error> {
    let rows = store.query(statement!("doctor/measure")).bind(store.schema.as_str()).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            let (measure, name) = (row.try_get("measure")?, row.try_get("name")?);
            // A queue in which everything has begun has no oldest that has not.
            let value = row.try_get::<Option<f64>, _>("value")?.unwrap_or_default();
            Ok(Measured { measure, name, state: row.try_get("state")?, value })
        })
        .collect()
}

pub(crate) async fn unserved_queues(store: &Store, pool: &PgPool) -> Result<Vec<Unserved>, sqlx::Error> {
    let rows = store.query(statement!("doctor/find_unserved_queues")).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            Ok(Unserved { queue: row.try_get("queue")?, executions: row.try_get("executions")?, since: time(row, "since")? })
        })
        .collect()
}

pub(crate) async fn unknown_executions(store: &Store, pool: &PgPool, limit: i64) -> Result<Vec<Unknown>, sqlx::Error> {
    let rows = store.query(statement!("doctor/find_unknown_executions")).bind(limit).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            Ok(Unknown {
                queue: row.try_get("queue")?,
                workflow: row.try_get("workflow")?,
                version: row.try_get("version")?,
                undone: row.try_get("undone")?,
                executions: row.try_get("executions")?,
                since: time(row, "since")?,
                versions: row.try_get("versions")?,
                queues: row.try_get("queues")?,
            })
        })
        .collect()
}

pub(crate) async fn lost_workers(store: &Store, pool: &PgPool) -> Result<Vec<LostWorker>, sqlx::Error> {
    let rows = store.query(statement!("doctor/find_lost_workers")).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            let process_id: Option<i32> = row.try_get("process_id")?;
            Ok(LostWorker {
                id: row.try_get("worker_id")?,
                process: process_id.zip(row.try_get("host")?),
                executions: row.try_get("executions")?,
            })
        })
        .collect()
}

pub(crate) async fn stuck_executions(store: &Store, pool: &PgPool, limit: i64) -> Result<Vec<Stuck>, sqlx::Error> {
    let rows = store.query(statement!("doctor/find_stuck_executions")).bind(limit).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            let how = match row.try_get("how")? {
                "stopped" => How::Stopped(super::journal::failure(row.try_get("error")?)),
                "waits_for_nothing" => How::WaitsForNothing,
                _ => How::KillsWorkers { claims: row.try_get("claims")? },
            };
            Ok(Stuck { id: row.try_get::<Uuid, _>("execution_id")?.into(), workflow: row.try_get("workflow")?, how })
        })
        .collect()
}

pub(crate) async fn unread_messages(
    store: &Store,
    pool: &PgPool,
    (seconds, limit): (f64, i64),
) -> Result<Vec<Unread>, sqlx::Error> {
    let rows = store.query(statement!("doctor/find_unread_messages")).bind(seconds).bind(limit).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            Ok(Unread {
                id: row.try_get::<Uuid, _>("execution_id")?.into(),
                workflow: row.try_get("workflow")?,
                messages: row.try_get("messages")?,
                names: row.try_get("names")?,
                open: row.try_get("open_names")?,
            })
        })
        .collect()
}

/// The timers that were due over `seconds` ago; `None` if there are none.
pub(crate) async fn overdue_timers(store: &Store, pool: &PgPool, seconds: f64) -> Result<Option<Overdue>, sqlx::Error> {
    let row = store.query(statement!("doctor/find_overdue_timers")).bind(seconds).fetch_one(pool).await?;
    let executions = row.try_get("executions")?;
    Ok(time_if(&row, "since")?.map(|since| Overdue { executions, since }))
}

/// The troubles of live workers.
pub(crate) async fn troubles(store: &Store, pool: &PgPool) -> Result<Vec<Troubled>, sqlx::Error> {
    let rows = store.query(statement!("doctor/find_troubles")).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            Ok(Troubled {
                worker: row.try_get("worker_id")?,
                host: row.try_get("host")?,
                process_id: row.try_get("process_id")?,
                // A later release may write it in another form.
                report: serde_json::from_str(row.try_get("troubles")?).unwrap_or_default(),
            })
        })
        .collect()
}

/// Up to `limit` executions that have not ended and hold values that no program writes.
pub(crate) async fn odd_executions(store: &Store, pool: &PgPool, limit: i64) -> Result<Vec<Odd>, sqlx::Error> {
    let rows = store.query(statement!("doctor/find_unreadable_executions")).bind(limit).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            Ok(Odd {
                id: row.try_get::<Uuid, _>("execution_id")?.into(),
                workflow: row.try_get("workflow")?,
                problem: row.try_get("problem")?,
            })
        })
        .collect()
}

/// The server's own clock, and whether a test has turned that of executions.
pub(crate) async fn clock(store: &Store, pool: &PgPool) -> Result<(DateTime<Utc>, bool), sqlx::Error> {
    let row = store.query(statement!("doctor/read_clock")).fetch_one(pool).await?;
    Ok((time(&row, "at")?, row.try_get("turned")?))
}

/// Whether notifications arrive.
pub(crate) async fn is_heard(store: &Store) -> Result<bool, sqlx::Error> {
    Listener::connect(store).await?.hears(store).await
}
