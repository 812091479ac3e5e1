//! Reads queues, and changes their limits.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};

use super::{Statement, Store};
use crate::ids::SHARD;
use crate::model::{Queue, QueueLimits, Rate};

/// Every queue, or the one with this name.
pub(crate) async fn list(store: &Store, executor: impl PgExecutor<'_>, name: Option<&str>) -> Result<Vec<Queue>, sqlx::Error> {
    let rows = store.query(Statement::ListQueues).bind(SHARD).bind(name).fetch_all(executor).await?;
    rows.iter().map(read_queue).collect()
}

/// Sets all limits of a queue; writes nothing where they are so already.
pub(crate) async fn set_limits(
    store: &Store,
    executor: impl PgExecutor<'_>,
    queue: &str,
    limits: &QueueLimits,
) -> Result<(), sqlx::Error> {
    let number = |rate: Rate| rate.executions.cast_signed();
    let period = |rate: Rate| rate.period.as_secs_f64();
    store
        .query(Statement::SetQueueLimits)
        .bind(queue)
        .bind(limits.concurrency.map(u32::cast_signed))
        .bind(limits.rate.map(number))
        .bind(limits.rate.map(period))
        .bind(limits.rate_per_key.map(number))
        .bind(limits.rate_per_key.map(period))
        .execute(executor)
        .await
        .map(drop)
}

/// Has nothing more claimed from a queue.
pub(crate) async fn pause(store: &Store, executor: impl PgExecutor<'_>, queue: &str) -> Result<(), sqlx::Error> {
    store.query(Statement::PauseQueue).bind(queue).execute(executor).await.map(drop)
}

/// Has a queue claimed from again.
pub(crate) async fn resume(store: &Store, executor: impl PgExecutor<'_>, queue: &str) -> Result<(), sqlx::Error> {
    store.query(Statement::ResumeQueue).bind(queue).execute(executor).await.map(drop)
}

/// Forgets the settings of a queue that has nothing in it.
pub(crate) async fn delete(store: &Store, executor: impl PgExecutor<'_>, queue: &str) -> Result<(), sqlx::Error> {
    store.query(Statement::DeleteQueue).bind(queue).execute(executor).await.map(drop)
}

fn read_queue(row: &PgRow) -> Result<Queue, sqlx::Error> {
    let count = |column| row.try_get::<i64, _>(column).map(i64::cast_unsigned);
    let limits = QueueLimits {
        concurrency: row.try_get::<Option<i32>, _>("concurrency")?.map(i32::cast_unsigned),
        rate: read_rate(row, "rate", "rate_period")?,
        rate_per_key: read_rate(row, "key_rate", "key_rate_period")?,
    };
    Ok(Queue {
        name: row.try_get("queue")?,
        limits,
        paused_at: row.try_get("paused_at")?,
        pending: count("pending")?,
        oldest_pending_at: row.try_get("oldest_pending_at")?,
        running: count("running")?,
    })
}

fn read_rate(row: &PgRow, number: &str, period: &str) -> Result<Option<Rate>, sqlx::Error> {
    let executions: Option<i32> = row.try_get(number)?;
    let seconds: Option<f64> = row.try_get(period)?;
    Ok(executions
        .zip(seconds)
        .map(|(executions, seconds)| Rate { executions: executions.cast_unsigned(), period: Duration::from_secs_f64(seconds) }))
}
