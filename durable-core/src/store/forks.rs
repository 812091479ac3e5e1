//! Pauses executions, and begins new ones with the journals of others.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::read::time;
use super::{Statement, Store};
use crate::ids::ExecutionId;

/// An execution that begins with the journal of another.
#[derive(Debug)]
pub(crate) struct Forked {
    pub(crate) id: ExecutionId,
    pub(crate) queue: String,
}

/// Has an execution go no further; says since when.
pub(crate) async fn pause(store: &Store, executor: impl PgExecutor<'_>, id: ExecutionId) -> Result<DateTime<Utc>, sqlx::Error> {
    time(&store.query(Statement::PauseExecution).bind(id.as_uuid()).fetch_one(executor).await?, "paused_at")
}

/// Goes on from where an execution failed; `new` is the id of the one that does.
pub(crate) async fn retry(
    store: &Store,
    executor: impl PgExecutor<'_>,
    id: ExecutionId,
    version: Option<i32>,
    new: ExecutionId,
) -> Result<Forked, sqlx::Error> {
    let query = store.query(Statement::RetryExecution).bind(id.as_uuid()).bind(version).bind(new.as_uuid());
    read(&query.fetch_one(executor).await?)
}

/// Runs an execution again from a step or a wait; `new` is the id of the one that does.
pub(crate) async fn fork(
    store: &Store,
    executor: impl PgExecutor<'_>,
    (id, from_key): (ExecutionId, &str),
    version: Option<i32>,
    new: ExecutionId,
) -> Result<Forked, sqlx::Error> {
    let query = store.query(Statement::ForkExecution).bind(id.as_uuid()).bind(from_key).bind(version).bind(new.as_uuid());
    read(&query.fetch_one(executor).await?)
}

fn read(row: &PgRow) -> Result<Forked, sqlx::Error> {
    Ok(Forked { id: row.try_get::<Uuid, _>("id")?.into(), queue: row.try_get("queue")? })
}
