//! Publishes messages to the executions that wait for a topic.

use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::{Store, statement};
use crate::ids::ExecutionId;
use crate::payload::Payload;

/// What is published.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    pub(crate) topic: String,
    pub(crate) payload: Payload,
    pub(crate) correlation: Option<String>,
    /// The same for every batch and at every try: no wait gets the message twice.
    pub(crate) key: String,
}

/// Whom one batch reached.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) count: u32,
    /// Whether others are left.
    pub(crate) more: bool,
    /// The queues of those that woke.
    pub(crate) queues: Vec<String>,
    /// Those that may be running.
    pub(crate) running: Vec<ExecutionId>,
}

/// Gives the publication to the next batch of those who wait for it.
pub(crate) async fn publish(
    store: &Store,
    executor: impl PgExecutor<'_>,
    publication: &Publication,
) -> Result<Reached, sqlx::Error> {
    let row = store
        .query(statement!("publications/publish"))
        .bind(&publication.topic)
        .bind(publication.payload.as_str())
        .bind(&publication.correlation)
        .bind(&publication.key)
        .fetch_one(executor)
        .await?;
    Ok(Reached {
        count: row.try_get::<i32, _>("reached")?.unsigned_abs(),
        more: row.try_get("more")?,
        queues: row.try_get("woken_queues")?,
        running: row.try_get::<Vec<Uuid>, _>("running")?.into_iter().map(ExecutionId::from).collect(),
    })
}
