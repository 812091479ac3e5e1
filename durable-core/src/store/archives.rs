//! Hides executions from lists, and shows them again.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::read::time;
use super::{Store, statement};
use crate::ids::{Epoch, ExecutionId, WorkerId};

/// Archives an execution; returns the time since which it is archived.
pub(crate) async fn archive(store: &Store, executor: impl PgExecutor<'_>, id: ExecutionId) -> Result<DateTime<Utc>, sqlx::Error> {
    time(&store.query(statement!("executions/archive")).bind(id.as_uuid()).fetch_one(executor).await?, "archived_at")
}

/// Shows an execution in lists again.
pub(crate) async fn unarchive(store: &Store, executor: impl PgExecutor<'_>, id: ExecutionId) -> Result<(), sqlx::Error> {
    store.query(statement!("executions/unarchive")).bind(id.as_uuid()).execute(executor).await.map(drop)
}

/// Archives an execution that a worker holds. Nothing happens if it holds it no more.
pub(crate) async fn archive_own(
    store: &Store,
    executor: impl PgExecutor<'_>,
    worker: WorkerId,
    id: ExecutionId,
    epoch: Epoch,
) -> Result<(), sqlx::Error> {
    let query = store.query(statement!("executions/archive_own")).bind(worker.0).bind(id.as_uuid()).bind(epoch.0);
    query.execute(executor).await.map(drop)
}
