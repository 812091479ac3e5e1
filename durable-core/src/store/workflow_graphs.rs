//! Keeps the graphs of workflows, and reads them.

use sqlx::{PgExecutor, Row};

use super::{Store, statement};
use crate::model::Graph;

/// How many versions of a workflow have their graphs kept, besides those that workers start with: more than have executions at
/// the same time.
const KEPT_VERSIONS: i64 = 100;

/// A graph ready to be kept.
#[derive(Debug)]
pub(crate) struct NewGraph {
    pub(crate) workflow: String,
    pub(crate) version: u32,
    /// As JSON.
    pub(crate) graph: String,
}

/// Writes the graphs that are new or have changed.
pub(crate) async fn keep(store: &Store, executor: impl PgExecutor<'_>, graphs: &[NewGraph]) -> Result<(), sqlx::Error> {
    let query = store
        .query(statement!("workflow_graphs/keep"))
        .bind(graphs.iter().map(|graph| graph.workflow.as_str()).collect::<Vec<_>>())
        .bind(graphs.iter().map(|graph| graph.version.cast_signed()).collect::<Vec<_>>())
        .bind(graphs.iter().map(|graph| graph.graph.as_str()).collect::<Vec<_>>())
        .bind(KEPT_VERSIONS);
    query.execute(executor).await.map(drop)
}

/// The graph of a workflow in one version, or in its newest.
pub(crate) async fn find(
    store: &Store,
    executor: impl PgExecutor<'_>,
    workflow: &str,
    version: Option<u32>,
) -> Result<Option<Graph>, sqlx::Error> {
    let query = store.query(statement!("workflow_graphs/find")).bind(workflow).bind(version.map(u32::cast_signed));
    let Some(row) = query.fetch_optional(executor).await? else { return Ok(None) };
    serde_json::from_str(row.try_get("graph")?).map(Some).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// The workflows whose graphs are kept, with their versions.
pub(crate) async fn list(store: &Store, executor: impl PgExecutor<'_>) -> Result<Vec<(String, u32)>, sqlx::Error> {
    let rows = store.query(statement!("workflow_graphs/list")).fetch_all(executor).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get::<i32, _>(1)?.cast_unsigned()))).collect()
}
