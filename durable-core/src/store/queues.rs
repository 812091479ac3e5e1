//! Reads queues, and changes their limits.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use sqlx::postgres::PgRow;

use super::read::Lenient;
use super::{Store, statement};
use crate::model::{Queue, QueueLimits, Rate};

/// Every queue, or the one with this name.
pub(crate) async fn list(store: &Store, executor: impl PgExecutor<'_>, name: Option<&str>) -> Result<Vec<Queue>, sqlx::Error> {
    let rows = store.query(statement!("queues/list")).bind(name).fetch_all(executor).await?;
    Ok(rows.iter().map(read_queue).collect())
}

/// What a queue lets pass.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Since when nothing is claimed from it, if it is paused.
    pub(crate) paused_at: Option<DateTime<Utc>>,
    /// How many of its executions may run at once.
    pub(crate) concurrency: Option<u32>,
    /// How many of them run.
    pub(crate) running: u64,
}

pub(crate) async fn gate(store: &Store, executor: impl PgExecutor<'_>, queue: &str) -> Result<Gate, sqlx::Error> {
    let row = store.query(statement!("queues/gate")).bind(queue).fetch_one(executor).await?;
    let columns = Lenient::new(&row);
    Ok(Gate {
        paused_at: columns.time_if("paused_at"),
        concurrency: columns.count_if("concurrency"),
        running: columns.get::<i64>("running").unsigned_abs(),
    })
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
        .query(statement!("queues/set_limits"))
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
    store.query(statement!("queues/pause")).bind(queue).execute(executor).await.map(drop)
}

/// Has a queue claimed from again.
pub(crate) async fn resume(store: &Store, executor: impl PgExecutor<'_>, queue: &str) -> Result<(), sqlx::Error> {
    store.query(statement!("queues/resume")).bind(queue).execute(executor).await.map(drop)
}

/// Forgets the settings of a queue that has nothing in it.
pub(crate) async fn delete(store: &Store, executor: impl PgExecutor<'_>, queue: &str) -> Result<(), sqlx::Error> {
    store.query(statement!("queues/delete")).bind(queue).execute(executor).await.map(drop)
}

fn read_queue(row: &PgRow) -> Queue {
    let columns = Lenient::new(row);
    let count = |column| columns.get::<i64>(column).unsigned_abs();
    let limits = QueueLimits {
        concurrency: columns.count_if("concurrency"),
        rate: read_rate(&columns, "rate", "rate_period"),
        rate_per_key: read_rate(&columns, "key_rate", "key_rate_period"),
    };
    let queue = Queue {
        name: columns.get("queue"),
        limits,
        paused_at: columns.time_if("paused_at"),
        pending: count("pending"),
        oldest_pending_at: columns.time_if("oldest_pending_at"),
        running: count("running"),
        unreadable: None,
    };
    Queue { unreadable: columns.unreadable(), ..queue }
}

fn read_rate(columns: &Lenient<'_>, number: &str, period: &str) -> Option<Rate> {
    let executions = columns.count_if(number)?;
    let period = columns.seconds_if(period)?;
    Some(Rate { executions, period })
}
