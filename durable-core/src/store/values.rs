//! Reads the values that executions have set.

use sqlx::PgExecutor;
use sqlx::postgres::PgRow;

use super::read::Lenient;
use super::{Store, statement};
use crate::ids::ExecutionId;
use crate::model::ExecutionValue;

/// The values of an execution in the order of their names, or only the value with this name; and what of them could not be read.
pub(crate) async fn list(
    store: &Store,
    executor: impl PgExecutor<'_>,
    id: ExecutionId,
    name: Option<&str>,
) -> Result<(Vec<ExecutionValue>, Vec<String>), sqlx::Error> {
    let rows = store.query(statement!("execution_values/list")).bind(id.as_uuid()).bind(name).fetch_all(executor).await?;
    let mut unreadable = Vec::new();
    let values = rows.iter().map(|row| read(row, &mut unreadable)).collect();
    Ok((values, unreadable))
}

/// The value with this name; an error if it cannot be read.
pub(crate) async fn get(
    store: &Store,
    executor: impl PgExecutor<'_>,
    id: ExecutionId,
    name: &str,
) -> Result<Option<ExecutionValue>, sqlx::Error> {
    let (mut values, unreadable) = list(store, executor, id, Some(name)).await?;
    match unreadable.into_iter().next() {
        Some(problem) => Err(sqlx::Error::Decode(problem.into())),
        None => Ok(values.pop()),
    }
}

pub(super) fn read(row: &PgRow, unreadable: &mut Vec<String>) -> ExecutionValue {
    let columns = Lenient::new(row);
    let value = ExecutionValue {
        name: columns.get("name"),
        revision: columns.count("revision"),
        set_at: columns.time("set_at"),
        value: columns.json("value").unwrap_or_default(),
        metadata: columns.json("metadata"),
    };
    unreadable.extend(columns.unreadable().map(|note| format!("value `{}`: {note}", value.name)));
    value
}
