//! Sends events and answers inputs.

use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::{Store, statement};
use crate::ids::ExecutionId;
use crate::model::Delivery;
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

/// What a message, or whatever else ends a wait, did to the execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It was parked, and is in this queue now.
    Woke(String),
    /// One of its waits is over, and it may be running: the process that runs it should look.
    Resolved(ExecutionId),
    /// Nothing yet: the message is kept until something waits for it.
    Kept,
}

impl Effect {
    /// The execution whose wait is over, if it may be running.
    pub(crate) fn execution(&self) -> Option<ExecutionId> {
        if let Self::Resolved(id) = self { Some(*id) } else { None }
    }

    pub(super) fn on(execution_id: ExecutionId, woken_queue: Option<String>) -> Self {
        woken_queue.map_or(Self::Resolved(execution_id), Self::Woke)
    }
}

/// The delivery of a message, and its effect on the execution.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) delivery: Delivery,
    pub(crate) effect: Effect,
}

pub(crate) async fn send_event(store: &Store, executor: impl PgExecutor<'_>, message: &Message) -> Result<Sent, sqlx::Error> {
    let row = store
        .query(statement!("waits/send_event"))
        .bind(message.execution_id.as_uuid())
        .bind(&message.name)
        .bind(message.payload.as_str())
        .bind(message.message_id)
        .fetch_one(executor)
        .await?;
    sent(&row, message.execution_id)
}

pub(crate) async fn provide_input(
    store: &Store,
    executor: impl PgExecutor<'_>,
    message: &Message,
    answered_by: Option<&str>,
) -> Result<Sent, sqlx::Error> {
    let row = store
        .query(statement!("waits/provide_input"))
        .bind(message.execution_id.as_uuid())
        .bind(&message.name)
        .bind(message.payload.as_str())
        .bind(message.message_id)
        .bind(answered_by)
        .fetch_one(executor)
        .await?;
    sent(&row, message.execution_id)
}

/// Gives a change to a graph, in the name of a person if one is known. Unless its code has judged the change, SQL looks whether the inputs
/// exist.
pub(crate) async fn send_change(
    store: &Store,
    executor: impl PgExecutor<'_>,
    message: &Message,
    sent_by: Option<&str>,
    is_judged: bool,
) -> Result<Effect, sqlx::Error> {
    let row = store
        .query(statement!("waits/send_change"))
        .bind(message.execution_id.as_uuid())
        .bind(message.payload.as_str())
        .bind(message.message_id)
        .bind(sent_by)
        .bind(is_judged)
        .fetch_one(executor)
        .await?;
    effect(&row, message.execution_id)
}

/// The workflow of an execution, and its version; `None` for an unknown execution.
pub(crate) async fn code_of(
    store: &Store,
    executor: impl PgExecutor<'_>,
    execution_id: ExecutionId,
) -> Result<Option<(String, u32)>, sqlx::Error> {
    let row = store.query(statement!("executions/code")).bind(execution_id.as_uuid()).fetch_optional(executor).await?;
    row.map(|row| Ok((row.try_get("workflow")?, row.try_get::<i32, _>("version")?.cast_unsigned()))).transpose()
}

/// Delivers up to `limit` messages in mailboxes to waits that missed them.
pub(crate) async fn deliver_stragglers(
    store: &Store,
    executor: impl PgExecutor<'_>,
    limit: i64,
) -> Result<Vec<Effect>, sqlx::Error> {
    let rows = store.query(statement!("waits/deliver")).bind(limit).fetch_all(executor).await?;
    rows.iter().map(|row| effect(row, row.try_get::<Uuid, _>("execution_id")?.into())).collect()
}

/// The schema of the open input to which an answer would go.
pub(crate) async fn find_question(
    store: &Store,
    executor: impl PgExecutor<'_>,
    execution_id: ExecutionId,
    name: &str,
) -> Result<Option<String>, sqlx::Error> {
    let query = store.query(statement!("waits/question")).bind(execution_id.as_uuid()).bind(name);
    let row = query.fetch_optional(executor).await?;
    Ok(row.map(|row| row.try_get("schema")).transpose()?.flatten())
}

fn sent(row: &PgRow, execution_id: ExecutionId) -> Result<Sent, sqlx::Error> {
    let delivery = match row.try_get("outcome")? {
        "kept" => Delivery::Kept { open: row.try_get::<Option<_>, _>("open_names")?.unwrap_or_default() },
        "accepted" => Delivery::Accepted,
        "repeated" => Delivery::Repeated,
        _ => Delivery::Delivered,
    };
    Ok(Sent { delivery, effect: effect(row, execution_id)? })
}

fn effect(row: &PgRow, execution_id: ExecutionId) -> Result<Effect, sqlx::Error> {
    let woken_queue: Option<String> = row.try_get("woken_queue")?;
    Ok(match row.try_get("outcome")? {
        // A message that comes too late ends a wait whose deadline has passed.
        "kept" => woken_queue.map_or(Effect::Kept, Effect::Woke),
        // Also where an earlier try delivered it, whose answer was lost.
        _ => Effect::on(execution_id, woken_queue),
    })
}
