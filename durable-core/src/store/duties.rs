//! Gives out the duties that one worker does for all.

use std::time::Duration;

use sqlx::{PgExecutor, Row};

use super::{Statement, Store};
use crate::ids::{SHARD, WorkerId};

/// Whether the duty is the worker's until the period is over: it was due, and nobody else took it.
pub(crate) async fn take(
    store: &Store,
    executor: impl PgExecutor<'_>,
    duty: &str,
    worker: WorkerId,
    period: Duration,
) -> Result<bool, sqlx::Error> {
    let query = store.query(Statement::TakeDuty).bind(SHARD).bind(duty).bind(worker.0).bind(period.as_secs_f64());
    query.fetch_one(executor).await?.try_get("taken")
}
