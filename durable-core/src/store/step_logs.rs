//! Keeps what attempts at steps logged, and reads it.

use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::{Store, statement};
use crate::ids::{Epoch, ExecutionId};
use crate::model::{LogLine, StepLog};

/// What an attempt logged, ready to be kept.
#[derive(Debug)]
pub(crate) struct NewStepLog {
    pub(crate) execution_id: ExecutionId,
    pub(crate) epoch: Epoch,
    pub(crate) key: String,
    pub(crate) attempt: u32,
    pub(crate) left_out: u32,
    /// The lines, as a JSON array.
    pub(crate) lines: String,
}

pub(crate) async fn save(store: &Store, executor: impl PgExecutor<'_>, logs: &[NewStepLog]) -> Result<(), sqlx::Error> {
    let query = store
        .query(statement!("step_logs/save"))
        .bind(logs.iter().map(|log| log.execution_id.as_uuid()).collect::<Vec<Uuid>>())
        .bind(logs.iter().map(|log| log.epoch.0).collect::<Vec<_>>())
        .bind(logs.iter().map(|log| i32::try_from(log.left_out).unwrap_or(i32::MAX)).collect::<Vec<_>>())
        .bind(logs.iter().map(|log| i16::try_from(log.attempt).unwrap_or(i16::MAX)).collect::<Vec<_>>())
        .bind(logs.iter().map(|log| log.key.as_str()).collect::<Vec<_>>())
        .bind(logs.iter().map(|log| log.lines.as_str()).collect::<Vec<_>>());
    query.execute(executor).await?;
    Ok(())
}

/// What the attempts at the steps of an execution logged, or only those at the step with this key.
pub(crate) async fn list(
    store: &Store,
    executor: impl PgExecutor<'_>,
    id: ExecutionId,
    key: Option<&str>,
) -> Result<Vec<StepLog>, sqlx::Error> {
    let rows = store.query(statement!("step_logs/list")).bind(id.as_uuid()).bind(key).fetch_all(executor).await?;
    let mut logs = Vec::with_capacity(rows.len());
    for row in &rows {
        let lines: Vec<LogLine> =
            serde_json::from_str(row.try_get("lines")?).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        logs.push(StepLog {
            key: row.try_get("key")?,
            attempt: u32::from(row.try_get::<i16, _>("attempt")?.unsigned_abs()),
            left_out: row.try_get::<i32, _>("left_out")?.unsigned_abs(),
            lines,
        });
    }
    Ok(logs)
}
