//! Creates executions that begin with the journal of another.

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::{Store, statement};
use crate::ids::ExecutionId;

/// An execution that begins with the journal of another.
#[derive(Debug)]
pub(crate) struct Forked {
    pub(crate) id: ExecutionId,
    pub(crate) queue: String,
}

/// Creates the execution `new`, which continues where another failed.
pub(crate) async fn retry(
    store: &Store,
    executor: impl PgExecutor<'_>,
    id: ExecutionId,
    version: Option<i32>,
    new: ExecutionId,
) -> Result<Forked, sqlx::Error> {
    let query = store.query(statement!("executions/retry")).bind(id.as_uuid()).bind(version).bind(new.as_uuid());
    read(&query.fetch_one(executor).await?)
}

/// Creates the execution `new`, which runs another again from a step or a wait.
pub(crate) async fn fork(
    store: &Store,
    executor: impl PgExecutor<'_>,
    (id, from_key): (ExecutionId, &str),
    version: Option<i32>,
    new: ExecutionId,
) -> Result<Forked, sqlx::Error> {
    let query = store.query(statement!("executions/fork")).bind(id.as_uuid()).bind(from_key).bind(version).bind(new.as_uuid());
    read(&query.fetch_one(executor).await?)
}

fn read(row: &PgRow) -> Result<Forked, sqlx::Error> {
    Ok(Forked { id: row.try_get::<Uuid, _>("id")?.into(), queue: row.try_get("queue")? })
}
