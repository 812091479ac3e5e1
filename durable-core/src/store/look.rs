//! Reads executions for people: details, lists, pending inputs.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, PgPool, Row};
use uuid::Uuid;

use super::{Statement, Store};
use crate::ids::{ExecutionId, SHARD};
use crate::model::{Attempt, AttemptOutcome, Execution, ExecutionDetails, ExecutionState, PendingInput, Step, Wait};

/// Filters of a list; those left out let everything pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListFilter {
    pub(crate) states: Option<Vec<&'static str>>,
    pub(crate) workflow: Option<String>,
    pub(crate) queue: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) created_from: Option<DateTime<Utc>>,
    pub(crate) created_before: Option<DateTime<Utc>>,
    pub(crate) after: Option<ExecutionId>,
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
    let steps = store.query(Statement::GetSteps).bind(SHARD).bind(id.as_uuid()).fetch_all(pool).await?;
    let waits = store.query(Statement::GetWaits).bind(SHARD).bind(id.as_uuid()).fetch_all(pool).await?;
    let waits = waits.iter().map(read_wait).collect::<Result<_, _>>()?;
    Ok(Some(ExecutionDetails { execution, steps: read_steps(&steps)?, waits }))
}

pub(crate) async fn list(store: &Store, pool: &PgPool, filter: &ListFilter) -> Result<Vec<Execution>, sqlx::Error> {
    let rows = store
        .query(Statement::ListExecutions)
        .bind(SHARD)
        .bind(&filter.states)
        .bind(&filter.workflow)
        .bind(&filter.queue)
        .bind(&filter.key)
        .bind(filter.created_from)
        .bind(filter.created_before)
        .bind(filter.after.map(ExecutionId::as_uuid))
        .bind(filter.limit)
        .fetch_all(pool)
        .await?;
    rows.iter().map(read_execution).collect()
}

pub(crate) async fn pending_inputs(store: &Store, pool: &PgPool, limit: i64) -> Result<Vec<PendingInput>, sqlx::Error> {
    let rows = store.query(Statement::PendingInputs).bind(SHARD).bind(limit).fetch_all(pool).await?;
    rows.iter()
        .map(|row| {
            Ok(PendingInput {
                execution_id: row.try_get::<Uuid, _>("execution_id")?.into(),
                workflow: row.try_get("workflow")?,
                name: row.try_get("name")?,
                prompt: row.try_get("prompt")?,
                schema: json(row.try_get("schema")?)?,
                asked_at: row.try_get("asked_at")?,
                due_at: row.try_get("due_at")?,
            })
        })
        .collect()
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
        state: state(row.try_get("state")?)?,
        epoch: row.try_get::<i32, _>("epoch")?.cast_unsigned(),
        input: json(row.try_get("input")?)?.unwrap_or_default(),
        output: json(row.try_get("output")?)?,
        error: row.try_get::<Option<&str>, _>("error")?.map(super::journal::failure),
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        wake_at: row.try_get("wake_at")?,
        deadline_at: row.try_get("deadline_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}

fn read_wait(row: &PgRow) -> Result<Wait, sqlx::Error> {
    Ok(Wait {
        key: row.try_get("key")?,
        kind: word(row.try_get("kind")?)?,
        name: row.try_get("name")?,
        started_at: row.try_get("started_at")?,
        due_at: row.try_get("due_at")?,
        outcome: row.try_get::<Option<&str>, _>("outcome")?.map(word).transpose()?,
        payload: json(row.try_get("payload")?)?,
        resolved_at: row.try_get("resolved_at")?,
    })
}

/// Gathers the rows of attempts into steps, keeping the order in which the steps first appear.
fn read_steps(rows: &[PgRow]) -> Result<Vec<Step>, sqlx::Error> {
    let mut steps: Vec<Step> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for row in rows {
        let key: String = row.try_get("key")?;
        let place = *places.entry(key.clone()).or_insert_with(|| {
            steps.push(Step { key, output: None, error: None, attempts: Vec::new() });
            steps.len() - 1
        });
        let step = &mut steps[place];
        let ended: bool = row.try_get("ended")?;
        let error = row.try_get::<Option<&str>, _>("error")?.map(super::journal::failure);
        let finished_at: Option<DateTime<Utc>> = row.try_get("finished_at")?;
        let outcome = match (&error, finished_at) {
            (Some(_), _) => AttemptOutcome::Failed,
            (None, Some(_)) => AttemptOutcome::Completed,
            (None, None) => AttemptOutcome::Running,
        };
        if ended {
            step.output = json(row.try_get("output")?)?;
            step.error.clone_from(&error);
        }
        let number = u32::from(row.try_get::<i16, _>("attempt")?.unsigned_abs());
        // An attempt that was recorded as under way and then ended its step stands in both tables.
        step.attempts.retain(|attempt| attempt.number != number || attempt.outcome != AttemptOutcome::Running);
        if !step.attempts.iter().any(|attempt| attempt.number == number) {
            step.attempts.push(Attempt { number, outcome, started_at: row.try_get("started_at")?, finished_at, error });
        }
    }
    for step in &mut steps {
        step.attempts.sort_by_key(|attempt| attempt.number);
    }
    Ok(steps)
}

fn json(text: Option<&str>) -> Result<Option<serde_json::Value>, sqlx::Error> {
    text.map(|text| serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))).transpose()
}

/// A value of an enum by its word.
pub(super) fn word<T: DeserializeOwned>(word: &str) -> Result<T, sqlx::Error> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
