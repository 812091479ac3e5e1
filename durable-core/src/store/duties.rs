//! Gives out the duties that one worker does for all.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Row};

use super::{Statement, Store};
use crate::ids::{SHARD, WorkerId};

/// A duty that is a worker's until its period is over.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) duty: String,
    /// Since when.
    pub(crate) taken_at: DateTime<Utc>,
    /// When it was taken the last time, if it ever was.
    pub(crate) before: Option<DateTime<Utc>>,
}

/// Those of the duties that are the worker's now: they were due, and nobody else took them.
pub(crate) async fn take(
    store: &Store,
    executor: impl PgExecutor<'_>,
    duties: &[&str],
    worker: WorkerId,
    period: Duration,
) -> Result<Vec<Turn>, sqlx::Error> {
    let query = store.query(Statement::TakeDuties).bind(SHARD).bind(duties).bind(worker.0).bind(period.as_secs_f64());
    let rows = query.fetch_all(executor).await?;
    rows.iter()
        .map(|row| Ok(Turn { duty: row.try_get("duty")?, taken_at: row.try_get("taken_at")?, before: row.try_get("before")? }))
        .collect()
}
