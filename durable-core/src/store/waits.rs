//! Ends waits without what they are for.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::messages::Effect;
use super::{Store, statement};
use crate::ids::ExecutionId;
use crate::clock;

/// What cancelling a wait did.
#[derive(Debug)]
pub(crate) struct CancelledWait {
    pub(crate) effect: Effect,
    /// The child that was waited for, and its own, which ended with the wait.
    pub(crate) children: Vec<ExecutionId>,
}

/// Cancels an open wait, given by its key or its name.
pub(crate) async fn cancel(
    store: &Store,
    executor: impl PgExecutor<'_>,
    id: ExecutionId,
    wait: &str,
) -> Result<CancelledWait, sqlx::Error> {
    let row = store.query(statement!("waits/cancel")).bind(id.as_uuid()).bind(wait).fetch_one(executor).await?;
    Ok(CancelledWait {
        effect: Effect::on(id, row.try_get("woken_queue")?),
        children: row.try_get::<Vec<Uuid>, _>("cancelled")?.into_iter().map(ExecutionId::from).collect(),
    })
}
