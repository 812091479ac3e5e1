//! Creates executions that begin with the journal of another, and reads of that journal what decides where they begin.

use std::collections::HashMap;

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::read::{time, time_if};
use super::{Store, statement};
use crate::ids::ExecutionId;
use crate::model::Decision;
use crate::plan::retry_from::{Decisions, Entry};

/// An execution that begins with the journal of another.
#[derive(Debug)]
pub(crate) struct Forked {
    pub(crate) id: ExecutionId,
    pub(crate) queue: String,
}

/// The journal of an execution without what its calls returned; empty if the execution has not ended, and if it is unknown.
pub(crate) async fn outline(store: &Store, executor: impl PgExecutor<'_>, id: ExecutionId) -> Result<Vec<Entry>, sqlx::Error> {
    let entry = |row: &PgRow| {
        Ok(Entry {
            key: row.try_get("key")?,
            began: row.try_get("began")?,
            ended: row.try_get("ended")?,
            started_at: time(row, "started_at")?,
            ended_at: time_if(row, "ended_at")?,
            failed: row.try_get("failed")?,
        })
    };
    let rows = store.query(statement!("checkpoints/outline")).bind(id.as_uuid()).fetch_all(executor).await?;
    rows.iter().map(entry).collect()
}

/// The decisions among what the execution recorded under these keys.
pub(crate) async fn decisions(
    store: &Store,
    executor: impl PgExecutor<'_>,
    id: ExecutionId,
    calls: &[String],
) -> Result<Decisions, sqlx::Error> {
    let rows = store.query(statement!("checkpoints/decisions")).bind(id.as_uuid()).bind(calls).fetch_all(executor).await?;
    let mut decisions = Decisions::new();
    for row in &rows {
        // A call of branches that ended without a decision may have recorded something else.
        if let Ok(Decision { branch, .. }) = serde_json::from_str(row.try_get("output")?) {
            decisions.insert(row.try_get("key")?, branch);
        }
    }
    Ok(decisions)
}

/// Whether the execution has nodes, because it is of a graph.
pub(crate) async fn has_nodes(store: &Store, executor: impl PgExecutor<'_>, id: ExecutionId) -> Result<bool, sqlx::Error> {
    store.query(statement!("execution_values/has_nodes")).bind(id.as_uuid()).fetch_one(executor).await?.try_get("has_nodes")
}

/// What is retried, and how.
#[derive(Debug)]
pub(crate) struct Retry<'keys> {
    pub(crate) id: ExecutionId,
    /// Whether an execution that another continues already is refused.
    pub(crate) unless_continued: bool,
    /// The keys that are repeated. Without them, SQL accepts the plain cases.
    pub(crate) repeated: Option<&'keys [String]>,
    /// Whether events that repeated waits have taken are there to be taken again.
    pub(crate) gives_back: bool,
}

/// Creates the execution `new`, which continues where another failed.
pub(crate) async fn retry(
    store: &Store,
    executor: impl PgExecutor<'_>,
    retry: &Retry<'_>,
    version: Option<i32>,
    new: ExecutionId,
    edits: Option<&str>,
) -> Result<Forked, sqlx::Error> {
    let query = store
        .query(statement!("executions/retry"))
        .bind(retry.id.as_uuid())
        .bind(version)
        .bind(new.as_uuid())
        .bind(retry.repeated)
        .bind(edits)
        .bind(retry.unless_continued)
        .bind(retry.gives_back);
    read(&query.fetch_one(executor).await?)
}

/// Creates the execution `new`, which runs another again from a step or a wait, and keeps the journal below the ordinal of that
/// or below `kept_below`.
pub(crate) async fn fork(
    store: &Store,
    executor: impl PgExecutor<'_>,
    (id, from_key, kept_below): (ExecutionId, &str, Option<i64>),
    version: Option<i32>,
    new: ExecutionId,
    edits: Option<&str>,
) -> Result<Forked, sqlx::Error> {
    let query = store.query(statement!("executions/fork")).bind(id.as_uuid()).bind(from_key).bind(version).bind(new.as_uuid());
    let query = query.bind(kept_below).bind(edits);
    read(&query.fetch_one(executor).await?)
}

/// Those of the executions that a retry or a fork continues, each with the newest of these.
pub(crate) async fn continued(
    store: &Store,
    executor: impl PgExecutor<'_>,
    ids: &[ExecutionId],
) -> Result<HashMap<ExecutionId, ExecutionId>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = store.query(statement!("executions/continued")).bind(ids).fetch_all(executor).await?;
    let id = |row: &PgRow, column| row.try_get::<Uuid, _>(column).map(ExecutionId::from);
    rows.iter().map(|row| Ok((id(row, "forked_from")?, id(row, "execution_id")?))).collect()
}

fn read(row: &PgRow) -> Result<Forked, sqlx::Error> {
    Ok(Forked { id: row.try_get::<Uuid, _>("id")?.into(), queue: row.try_get("queue")? })
}
