//! Reads executions for people: details, lists, pending inputs.

mod steps;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{PgExecutor, PgPool, Row};
use uuid::Uuid;

use super::{Statement, Store};
use crate::ids::{ExecutionId, IdPrefix, SHARD};
use crate::model::{Child, Execution, ExecutionDetails, ExecutionState, Parent, PendingInput, Wait};
use crate::payload::Json;

/// Filters of a list; those left out let everything pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListFilter {
    pub(crate) states: Option<Vec<&'static str>>,
    pub(crate) workflow: Option<String>,
    pub(crate) version: Option<i32>,
    pub(crate) queue: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) parent: Option<ExecutionId>,
    pub(crate) created_from: Option<DateTime<Utc>>,
    pub(crate) created_before: Option<DateTime<Utc>>,
    pub(crate) after: Option<ExecutionId>,
    pub(crate) ids: Option<IdPrefix>,
    pub(crate) paused: bool,
    pub(crate) limit: i64,
}

pub(crate) async fn execution(
    store: &Store,
    executor: impl PgExecutor<'_>,
    id: ExecutionId,
) -> Result<Option<Execution>, sqlx::Error> {
    let row = store.query(Statement::GetExecution).bind(SHARD).bind(id.as_uuid()).fetch_optional(executor).await?;
    row.as_ref().map(read_execution).transpose()
}

pub(crate) async fn details(store: &Store, pool: &PgPool, id: ExecutionId) -> Result<Option<ExecutionDetails>, sqlx::Error> {
    let Some(execution) = execution(store, pool, id).await? else { return Ok(None) };
    let about = |statement, id: ExecutionId| store.query(statement).bind(SHARD).bind(id.as_uuid()).fetch_all(pool);
    let journal = steps::read(&about(Statement::GetSteps, id).await?)?;
    let undone = match execution.undoes {
        Some(other) => Some(steps::read(&about(Statement::GetSteps, other).await?)?),
        None => None,
    };
    let waits = about(Statement::GetWaits, id).await?.iter().map(read_wait).collect::<Result<_, _>>()?;
    let children = about(Statement::GetChildren, id).await?.iter().map(read_child).collect::<Result<_, _>>()?;
    let (steps, compensations) = steps::apart(journal, undone.as_deref());
    Ok(Some(ExecutionDetails { execution, steps, waits, children, compensations }))
}

pub(crate) async fn list(store: &Store, pool: &PgPool, filter: &ListFilter) -> Result<Vec<Execution>, sqlx::Error> {
    // The children of one parent are found by an index of their own.
    let statement = if filter.parent.is_some() { Statement::ListChildren } else { Statement::ListExecutions };
    let mut query = filtered(store, statement, filter);
    if let Some(parent) = filter.parent {
        query = query.bind(parent.as_uuid());
    }
    query.fetch_all(pool).await?.iter().map(read_execution).collect()
}

/// Executions in another order than the newest first, each with its place: the smaller one is listed first, and then the newer one.
pub(crate) async fn list_sorted(
    store: &Store,
    pool: &PgPool,
    filter: &ListFilter,
    (sort, descending): (&str, bool),
    after: Option<f64>,
) -> Result<Vec<(Execution, f64)>, sqlx::Error> {
    let query = filtered(store, Statement::ListSortedExecutions, filter)
        .bind(sort.to_owned())
        .bind(descending)
        .bind(filter.parent.map(ExecutionId::as_uuid))
        .bind(after);
    query.fetch_all(pool).await?.iter().map(|row| Ok((read_execution(row)?, row.try_get("place")?))).collect()
}

/// How many executions there are in each state that any of them has.
pub(crate) async fn count(store: &Store, pool: &PgPool, filter: &ListFilter) -> Result<Vec<(ExecutionState, u64)>, sqlx::Error> {
    let query = store
        .query(Statement::CountExecutions)
        .bind(SHARD)
        .bind(&filter.states)
        .bind(&filter.workflow)
        .bind(&filter.queue)
        .bind(&filter.key)
        .bind(filter.created_from)
        .bind(filter.created_before)
        .bind(filter.ids.map(|ids| ids.range().0))
        .bind(filter.ids.map(|ids| ids.range().1))
        .bind(filter.paused)
        .bind(filter.parent.map(ExecutionId::as_uuid))
        .bind(filter.version);
    let rows = query.fetch_all(pool).await?;
    rows.iter().map(|row| Ok((state(row.try_get("state")?)?, row.try_get::<i64, _>("executions")?.unsigned_abs()))).collect()
}

/// A statement that lists executions, with what the filter says.
fn filtered<'filter>(store: &Store, statement: Statement, filter: &'filter ListFilter) -> Query<'filter, Postgres, PgArguments> {
    store
        .query(statement)
        .bind(SHARD)
        .bind(&filter.states)
        .bind(&filter.workflow)
        .bind(&filter.queue)
        .bind(&filter.key)
        .bind(filter.created_from)
        .bind(filter.created_before)
        .bind(filter.after.map(ExecutionId::as_uuid))
        .bind(filter.limit)
        .bind(filter.ids.map(|ids| ids.range().0))
        .bind(filter.ids.map(|ids| ids.range().1))
        .bind(filter.paused)
        .bind(filter.version)
}

/// Filters of pending inputs; those left out let everything pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct InputFilter {
    pub(crate) workflow: Option<String>,
    pub(crate) due_before: Option<DateTime<Utc>>,
    /// The deadline, the execution and the key of the last one of the page before.
    pub(crate) after: Option<(Option<DateTime<Utc>>, ExecutionId, String)>,
    pub(crate) limit: i64,
}

pub(crate) async fn pending_inputs(store: &Store, pool: &PgPool, filter: &InputFilter) -> Result<Vec<PendingInput>, sqlx::Error> {
    let (due_at, id, key) = match &filter.after {
        Some((due_at, id, key)) => (*due_at, Some(id.as_uuid()), Some(key)),
        None => (None, None, None),
    };
    let query = store
        .query(Statement::PendingInputs)
        .bind(SHARD)
        .bind(&filter.workflow)
        .bind(filter.due_before)
        .bind(filter.limit)
        .bind(due_at)
        .bind(id)
        .bind(key);
    query.fetch_all(pool).await?.iter().map(read_pending_input).collect()
}

/// A state by its word.
pub(super) fn state(word: &str) -> Result<ExecutionState, sqlx::Error> {
    word.parse().map_err(|error: crate::error::Error| sqlx::Error::Decode(error.into()))
}

fn read_execution(row: &PgRow) -> Result<Execution, sqlx::Error> {
    Ok(Execution {
        id: row.try_get::<Uuid, _>("execution_id")?.into(),
        workflow: row.try_get("workflow")?,
        version: row.try_get::<i32, _>("version")?.cast_unsigned(),
        queue: row.try_get("queue")?,
        priority: row.try_get("priority")?,
        key: row.try_get("key")?,
        concurrency_key: row.try_get("concurrency_key")?,
        deduplication_key: row.try_get("deduplication_key")?,
        debounce_key: row.try_get("debounce_key")?,
        state: state(row.try_get("state")?)?,
        epoch: row.try_get::<i32, _>("epoch")?.cast_unsigned(),
        input: json(row.try_get("input")?)?.unwrap_or_default(),
        output: json(row.try_get("output")?)?,
        error: row.try_get::<Option<&str>, _>("error")?.map(super::journal::failure),
        rollback: row.try_get::<Option<&str>, _>("rollback")?.map(super::journal::failure),
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        wake_at: row.try_get("wake_at")?,
        expires_at: row.try_get("expires_at")?,
        deadline_at: row.try_get("deadline_at")?,
        finished_at: row.try_get("finished_at")?,
        parent: read_parent(row)?,
        undoes: row.try_get::<Option<Uuid>, _>("undoes")?.map(ExecutionId::from),
        schedule: row.try_get("schedule")?,
        scheduled_for: row.try_get("scheduled_for")?,
        forked_from: row.try_get::<Option<Uuid>, _>("forked_from")?.map(ExecutionId::from),
        paused_at: row.try_get("paused_at")?,
    })
}

fn read_parent(row: &PgRow) -> Result<Option<Parent>, sqlx::Error> {
    let Some(id) = row.try_get::<Option<Uuid>, _>("parent_id")? else { return Ok(None) };
    Ok(Some(Parent { id: id.into(), key: row.try_get("parent_key")?, bond: word(row.try_get("parent_bond")?)? }))
}

fn read_child(row: &PgRow) -> Result<Child, sqlx::Error> {
    Ok(Child {
        id: row.try_get::<Uuid, _>("execution_id")?.into(),
        workflow: row.try_get("workflow")?,
        key: row.try_get("parent_key")?,
        bond: word(row.try_get("parent_bond")?)?,
        state: state(row.try_get("state")?)?,
    })
}

fn read_wait(row: &PgRow) -> Result<Wait, sqlx::Error> {
    Ok(Wait {
        key: row.try_get("key")?,
        kind: word(row.try_get("kind")?)?,
        name: row.try_get("name")?,
        names: row.try_get::<Option<_>, _>("names")?.unwrap_or_default(),
        correlation: row.try_get("correlation")?,
        child_id: row.try_get::<Option<Uuid>, _>("child_id")?.map(ExecutionId::from),
        form: row.try_get::<Option<&str>, _>("form")?.map(word).transpose()?,
        prompt: row.try_get("prompt")?,
        metadata: json(row.try_get("metadata")?)?,
        started_at: row.try_get("started_at")?,
        due_at: row.try_get("due_at")?,
        outcome: row.try_get::<Option<&str>, _>("outcome")?.map(word).transpose()?,
        payload: json(row.try_get("payload")?)?,
        answered_by: row.try_get("answered_by")?,
        resolved_at: row.try_get("resolved_at")?,
    })
}

fn read_pending_input(row: &PgRow) -> Result<PendingInput, sqlx::Error> {
    Ok(PendingInput {
        execution_id: row.try_get::<Uuid, _>("execution_id")?.into(),
        workflow: row.try_get("workflow")?,
        key: row.try_get("key")?,
        name: row.try_get("name")?,
        form: row.try_get::<Option<&str>, _>("form")?.map(word).transpose()?.unwrap_or_default(),
        prompt: row.try_get("prompt")?,
        schema: json(row.try_get("schema")?)?,
        metadata: json(row.try_get("metadata")?)?,
        asked_at: row.try_get("asked_at")?,
        due_at: row.try_get("due_at")?,
    })
}

pub(super) fn json(text: Option<String>) -> Result<Option<Json>, sqlx::Error> {
    text.map(|text| Json::of_text(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))).transpose()
}

/// A value of an enum by its word.
pub(super) fn word<T: DeserializeOwned>(word: &str) -> Result<T, sqlx::Error> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
