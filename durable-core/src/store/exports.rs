//! Reads executions with their journals, for export and for a replay that changes nothing.

use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::{Store, statement};
use crate::ids::ExecutionId;
use crate::model::Journal;

/// The journals of those executions that exist; for one that cannot be read, the problem.
pub(crate) async fn export(
    store: &Store,
    executor: impl PgExecutor<'_>,
    ids: &[ExecutionId],
) -> Result<Vec<(ExecutionId, Result<Journal, String>)>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = store.query(statement!("executions/export")).bind(ids).fetch_all(executor).await?;
    rows.iter()
        .map(|row| {
            let id = ExecutionId::from(row.try_get::<Uuid, _>("execution_id")?);
            let journal: Result<Journal, _> = serde_json::from_str(row.try_get("journal")?);
            Ok((id, journal.map_err(|error| error.to_string())))
        })
        .collect()
}
