//! Reads the tags of executions, and writes tags as JSON.

use sqlx::{PgExecutor, Row};

use super::{Store, statement};
use crate::ids::ExecutionId;
use crate::model::Tags;

/// The tags of an execution.
pub(crate) async fn get(store: &Store, executor: impl PgExecutor<'_>, id: ExecutionId) -> Result<Tags, sqlx::Error> {
    let rows = store.query(statement!("execution_tags/get")).bind(id.as_uuid()).fetch_all(executor).await?;
    rows.iter().map(|row| Ok((row.try_get("name")?, row.try_get("value")?))).collect()
}

/// The tags as SQL takes them; `None` if there are none.
pub(crate) fn text(tags: &Tags) -> Option<String> {
    // Keys and values are texts, so there is nothing that cannot be encoded.
    (!tags.is_empty()).then(|| serde_json::to_string(tags).unwrap_or_default())
}
