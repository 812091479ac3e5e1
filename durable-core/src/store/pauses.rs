//! Pauses executions and resumes them.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Row};

use super::read::time;
use super::{Store, statement};
use crate::ids::ExecutionId;

/// Pauses an execution; returns the time since which it is paused.
pub(crate) async fn pause(store: &Store, executor: impl PgExecutor<'_>, id: ExecutionId) -> Result<DateTime<Utc>, sqlx::Error> {
    time(&store.query(statement!("executions/pause")).bind(id.as_uuid()).fetch_one(executor).await?, "paused_at")
}

/// Resumes a paused or stopped execution; returns the queue that it is now pending in.
pub(crate) async fn resume(store: &Store, executor: impl PgExecutor<'_>, id: ExecutionId) -> Result<String, sqlx::Error> {
    store.query(statement!("executions/resume")).bind(id.as_uuid()).fetch_one(executor).await?.try_get(0)
}
