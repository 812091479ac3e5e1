//! Sends events and answers inputs.

use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::{Statement, Store};
use crate::ids::{ExecutionId, SHARD};
use crate::payload::Payload;

/// A message to an execution.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) execution_id: ExecutionId,
    pub(crate) name: String,
    pub(crate) payload: Payload,
    /// The same at every try, so that a repetition after a lost answer delivers once.
    pub(crate) message_id: Uuid,
}

impl Message {
    pub(crate) fn new(execution_id: ExecutionId, name: &str, payload: Payload) -> Self {
        Self { execution_id, name: name.to_owned(), payload, message_id: Uuid::now_v7() }
    }
}

/// The queue that holds the execution now, if the message woke it.
pub(crate) type WokenQueue = Option<String>;

pub(crate) async fn send_event(
    store: &Store,
    executor: impl PgExecutor<'_>,
    message: &Message,
) -> Result<WokenQueue, sqlx::Error> {
    send(store, Statement::SendEvent, executor, message).await
}

pub(crate) async fn provide_input(
    store: &Store,
    executor: impl PgExecutor<'_>,
    message: &Message,
) -> Result<WokenQueue, sqlx::Error> {
    send(store, Statement::ProvideInput, executor, message).await
}

async fn send(
    store: &Store,
    verb: Statement,
    executor: impl PgExecutor<'_>,
    message: &Message,
) -> Result<WokenQueue, sqlx::Error> {
    store
        .query(verb)
        .bind(message.execution_id.as_uuid())
        .bind(&message.name)
        .bind(message.payload.as_str())
        .bind(message.message_id)
        .fetch_one(executor)
        .await?
        .try_get("woken_queue")
}

/// Delivers up to `limit` buffered messages to waits that missed them; returns the queues of those that woke.
pub(crate) async fn deliver_stragglers(
    store: &Store,
    executor: impl PgExecutor<'_>,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    let rows = store.query(Statement::DeliverStragglers).bind(SHARD).bind(limit).fetch_all(executor).await?;
    let queues = rows.iter().map(|row| row.try_get::<Option<String>, _>("queue")).collect::<Result<Vec<_>, _>>()?;
    Ok(queues.into_iter().flatten().collect())
}
