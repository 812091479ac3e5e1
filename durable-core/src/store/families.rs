//! Ends executions early, with the children that end with them: cancels them, rolls them back, or lets them expire.

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::{Store, statement};
use crate::error::Failure;
use crate::ids::ExecutionId;
use crate::model::ExecutionState;

/// Most executions that one call ends; as in `lock_families`. Children beyond it are orphans.
pub(crate) const LARGEST_FAMILY: usize = 1000;

/// An execution that was cancelled, rolled back or expired.
#[derive(Debug, Clone)]
pub(crate) struct EndedEarly {
    pub(crate) id: ExecutionId,
    /// Whether it has ended; otherwise the next worker that claims it undoes first what it did.
    pub(crate) ended: bool,
    pub(crate) queue: String,
    /// Whether its parent waits for it and is to be notified.
    pub(crate) awaited: bool,
}

/// What is to become of what an execution did before it was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Kept,
    Undone,
}

/// Cancels an execution and its children.
pub(crate) async fn cancel(
    store: &Store,
    executor: impl PgExecutor<'_>,
    id: ExecutionId,
    reason: &str,
    done: Done,
) -> Result<Vec<EndedEarly>, sqlx::Error> {
    let query = store.query(statement!("executions/cancel")).bind(id.as_uuid()).bind(reason).bind(done == Done::Undone);
    read_all(&query.fetch_all(executor).await?)
}

/// Has what an execution and its children did undone.
pub(crate) async fn roll_back(
    store: &Store,
    executor: impl PgExecutor<'_>,
    id: ExecutionId,
    reason: &str,
) -> Result<Vec<EndedEarly>, sqlx::Error> {
    read_all(&store.query(statement!("executions/rollback")).bind(id.as_uuid()).bind(reason).fetch_all(executor).await?)
}

/// Which of the children were cancelled, and which are busy.
#[derive(Debug, Default)]
pub(crate) struct CancelledChildren {
    pub(crate) ended_early: Vec<EndedEarly>,
    /// A message is on its way to them: ask again for these.
    pub(crate) busy: Vec<ExecutionId>,
}

/// Cancels children that their parents no longer wait for, with their own children. Leaves out children that have ended.
pub(crate) async fn cancel_children(
    store: &Store,
    executor: impl PgExecutor<'_>,
    ids: &[ExecutionId],
    reason: &str,
) -> Result<CancelledChildren, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = store.query(statement!("executions/cancel_children")).bind(ids).bind(reason).fetch_all(executor).await?;
    let mut cancelled = CancelledChildren::default();
    for row in &rows {
        match row.try_get("state")? {
            "busy" => cancelled.busy.push(row.try_get::<Uuid, _>("id")?.into()),
            _ => cancelled.ended_early.push(read(row)?),
        }
    }
    Ok(cancelled)
}

/// Ends up to `limit` orphans: children whose parents have ended or no longer wait for them.
pub(crate) async fn cancel_orphans(
    store: &Store,
    executor: impl PgExecutor<'_>,
    limit: i64,
) -> Result<Vec<EndedEarly>, sqlx::Error> {
    read_all(&store.query(statement!("executions/cancel_orphans")).bind(limit).fetch_all(executor).await?)
}

/// Ends up to `limit` executions that have not begun in time.
pub(crate) async fn expire(store: &Store, executor: impl PgExecutor<'_>, limit: i64) -> Result<Vec<EndedEarly>, sqlx::Error> {
    read_all(&store.query(statement!("executions/expire")).bind(limit).fetch_all(executor).await?)
}

/// What an execution that ended early was, and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) id: ExecutionId,
    pub(crate) workflow: String,
    pub(crate) version: u32,
    pub(crate) state: ExecutionState,
    pub(crate) error: Failure,
}

/// The ends of those of `ids` that ended without an output.
pub(crate) async fn ends(store: &Store, executor: impl PgExecutor<'_>, ids: &[ExecutionId]) -> Result<Vec<End>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = store.query(statement!("executions/ends")).bind(ids).fetch_all(executor).await?;
    let mut ends = Vec::with_capacity(rows.len());
    for row in &rows {
        let Some(error) = row.try_get::<Option<&str>, _>("error")? else { continue };
        ends.push(End {
            id: row.try_get::<Uuid, _>("execution_id")?.into(),
            workflow: row.try_get("workflow")?,
            version: row.try_get::<i32, _>("version")?.cast_unsigned(),
            state: super::look::known_state(row.try_get("state")?),
            error: super::journal::failure(error),
        });
    }
    Ok(ends)
}

pub(super) fn read_all(rows: &[PgRow]) -> Result<Vec<EndedEarly>, sqlx::Error> {
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<EndedEarly, sqlx::Error> {
    Ok(EndedEarly {
        id: row.try_get::<Uuid, _>("id")?.into(),
        ended: row.try_get::<&str, _>("state")? == "cancelled",
        queue: row.try_get("queue")?,
        awaited: row.try_get::<Option<Uuid>, _>("awaited_by")?.is_some(),
    })
}
