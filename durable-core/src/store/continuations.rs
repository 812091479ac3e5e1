//! Begins executions anew that continue as new.

use sqlx::{PgExecutor, Row};

use super::{Store, statement};
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::RefusedMessage;
use crate::payload::Payload;

/// The next beginning of an execution: with another input and an empty journal.
#[derive(Debug, Clone)]
pub(crate) struct Continuation {
    pub(crate) worker: WorkerId,
    pub(crate) id: ExecutionId,
    pub(crate) epoch: Epoch,
    pub(crate) input: Payload,
    /// Whose UUIDs and idempotency keys it has from here on. No other continuation has the same.
    pub(crate) namespace: ExecutionId,
    /// Keys of waits that were dropped: messages that they have received go back into the mailbox.
    pub(crate) dropped: Vec<String>,
    /// Messages that the code could not use.
    pub(crate) refused: Vec<RefusedMessage>,
}

/// Whether the execution continued as new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Continued {
    /// The worker holds the execution at this epoch now. If it is paused, it is to go no further.
    Accepted { epoch: Epoch, is_paused: bool },
    /// The worker no longer holds the execution.
    Refused,
}

/// Begins the execution anew, if it is still held. A repetition after an unseen commit changes nothing.
pub(crate) async fn continue_as_new(
    store: &Store,
    executor: impl PgExecutor<'_>,
    continuation: &Continuation,
) -> Result<Continued, sqlx::Error> {
    let Continuation { worker, id, epoch, input, namespace, dropped, refused } = continuation;
    let row = store
        .query(statement!("executions/continue_as_new"))
        .bind(worker.0)
        .bind(id.as_uuid())
        .bind(epoch.0)
        .bind(input.as_str())
        .bind(namespace.as_uuid())
        .bind(dropped)
        .bind(refused.iter().map(|refused| refused.key.as_str()).collect::<Vec<_>>())
        .bind(refused.iter().map(|refused| refused.message_id).collect::<Vec<_>>())
        .bind(refused.iter().map(|refused| refused.reason.as_str()).collect::<Vec<_>>())
        .fetch_optional(executor)
        .await?;
    let Some(row) = row else { return Ok(Continued::Refused) };
    Ok(Continued::Accepted { epoch: Epoch(row.try_get("new_epoch")?), is_paused: row.try_get("is_paused")? })
}
