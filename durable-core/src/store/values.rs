//! Reads the values that executions have set, and the nodes of graphs.

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};

use super::read::{Lenient, time};
use super::{Store, statement};
use crate::ids::ExecutionId;
use crate::model::{ExecutionValue, StoredNode, ValueState};
use crate::payload::Payload;

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

/// The values of a node that its history has, the newest first; and what of them could not be read.
pub(crate) async fn history(
    store: &Store,
    executor: impl PgExecutor<'_>,
    id: ExecutionId,
    node: &str,
) -> Result<(Vec<ExecutionValue>, Vec<String>), sqlx::Error> {
    let rows = store.query(statement!("node_history/list")).bind(id.as_uuid()).bind(node).fetch_all(executor).await?;
    let mut unreadable = Vec::new();
    let values = rows.iter().map(|row| read(row, &mut unreadable)).collect();
    Ok((values, unreadable))
}

/// The nodes of a graph in the order of their names.
pub(crate) async fn nodes(store: &Store, executor: impl PgExecutor<'_>, id: ExecutionId) -> Result<Vec<StoredNode>, sqlx::Error> {
    let rows = store.query(statement!("execution_values/nodes")).bind(id.as_uuid()).fetch_all(executor).await?;
    rows.iter().map(node).collect()
}

fn node(row: &PgRow) -> Result<StoredNode, sqlx::Error> {
    let unreadable = |problem: String| sqlx::Error::Decode(problem.into());
    let name: String = row.try_get("name")?;
    let state: &str = row.try_get("state")?;
    let state =
        ValueState::of_word(state).ok_or_else(|| unreadable(format!("the node `{name}` has the unknown state `{state}`")))?;
    let record = serde_json::from_str(row.try_get("node")?);
    let text = |text: &str| Payload(text.into());
    Ok(StoredNode {
        state,
        revision: row.try_get::<i32, _>("revision")?.cast_unsigned(),
        set_at: time(row, "set_at")?,
        record: record.map_err(|error| unreadable(format!("the node `{name}` cannot be read: {error}")))?,
        value: text(row.try_get("value")?),
        metadata: row.try_get::<Option<&str>, _>("metadata")?.map(text),
        name,
    })
}

pub(super) fn read(row: &PgRow, unreadable: &mut Vec<String>) -> ExecutionValue {
    let columns = Lenient::new(row);
    let value = ExecutionValue {
        name: columns.get("name"),
        revision: columns.count("revision"),
        set_at: columns.time("set_at"),
        value: columns.json("value").unwrap_or_default(),
        metadata: columns.json("metadata"),
        stale: columns.get("stale"),
    };
    unreadable.extend(columns.unreadable().map(|note| format!("value `{}`: {note}", value.name)));
    value
}
