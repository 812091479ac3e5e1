//! Ends waits without what they are for, and changes questions that are open.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::messages::Effect;
use super::read::time_if;
use super::{Store, statement};
use crate::clock;
use crate::ids::ExecutionId;
use crate::model::UpdatedInput;

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

/// What is to change of an open question; `None` for what stays.
#[derive(Debug, Default)]
pub(crate) struct InputChange {
    pub(crate) deadline: Option<Option<DateTime<Utc>>>,
    pub(crate) assignee: Option<Option<String>>,
}

/// Changes an open question, given by its key or its name.
pub(crate) async fn update_input(
    store: &Store,
    executor: impl PgExecutor<'_>,
    id: ExecutionId,
    input: &str,
    change: &InputChange,
) -> Result<UpdatedInput, sqlx::Error> {
    // `infinity` says that there is none; what would come after the year 9999 never comes.
    let deadline = change.deadline.map(|deadline| match deadline {
        Some(time) if time <= clock::LAST => time.to_rfc3339(),
        _ => "infinity".to_owned(),
    });
    let assignee = change.assignee.as_ref().map(|assignee| assignee.as_deref().unwrap_or_default());
    let query = store.query(statement!("waits/update_input")).bind(id.as_uuid()).bind(input).bind(deadline).bind(assignee);
    let row = query.fetch_one(executor).await?;
    Ok(UpdatedInput {
        key: row.try_get("key")?,
        due_at: time_if(&row, "due_at")?,
        was_due_at: time_if(&row, "was_due_at")?,
        assignee: row.try_get("now_assigned_to")?,
        was_assignee: row.try_get("was_assigned_to")?,
    })
}
