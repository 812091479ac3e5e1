//! Notifies parents of the ends of their children.

use std::collections::HashMap;

use sqlx::{PgConnection, PgExecutor, Row};
use uuid::Uuid;

use super::messages::Effect;
use super::{Batch, Store, statement, subject};
use crate::ids::ExecutionId;

/// What became of the notification that a child has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notified {
    /// The parent's wait has received the end, with this effect.
    Received(Effect),
    /// The parent does not wait for the child any more, or was notified before.
    NotAwaited,
    /// Another transaction holds the parent: ask again.
    Busy,
}

/// The lane that notifies parents; an item is a child that has ended.
#[derive(Debug)]
pub(crate) struct Notifications;

impl Batch for Notifications {
    type Item = ExecutionId;
    type Outcome = Notified;
    const WHAT: &'static str = "notify parents of their children";
    /// Each takes one entry in the server's lock table, which has room for some thousands.
    const LIMIT: usize = 500;

    fn subjects(item: &ExecutionId) -> impl Iterator<Item = u64> {
        std::iter::once(subject(item))
    }

    fn size(item: &ExecutionId) -> usize {
        size_of_val(item)
    }

    async fn flush(
        &self,
        store: &Store,
        connection: &mut PgConnection,
        items: &[ExecutionId],
        _again: bool,
    ) -> Result<Vec<Notified>, sqlx::Error> {
        let mut notified = notify(store, connection, items).await?;
        Ok(items.iter().map(|child| notified.remove(child).unwrap_or(Notified::NotAwaited)).collect())
    }
}

/// Notifies the parents of these children that the children have ended. Leaves out children whose parents were notified before.
pub(crate) async fn notify(
    store: &Store,
    executor: impl PgExecutor<'_>,
    children: &[ExecutionId],
) -> Result<HashMap<ExecutionId, Notified>, sqlx::Error> {
    let ids: Vec<Uuid> = children.iter().map(|id| id.as_uuid()).collect();
    let rows = store.query(statement!("executions/notify_parents")).bind(ids).fetch_all(executor).await?;
    rows.iter()
        .map(|row| {
            let notified = match row.try_get("outcome")? {
                "notified" => {
                    Notified::Received(Effect::on(row.try_get::<Uuid, _>("parent_id")?.into(), row.try_get("woken_queue")?))
                }
                "busy" => Notified::Busy,
                _ => Notified::NotAwaited,
            };
            Ok((row.try_get::<Uuid, _>("child_id")?.into(), notified))
        })
        .collect()
}

/// Up to `limit` executions that have ended and whose parents are not yet notified.
pub(crate) async fn unnotified(
    store: &Store,
    executor: impl PgExecutor<'_>,
    limit: i64,
) -> Result<Vec<ExecutionId>, sqlx::Error> {
    let rows = store.query(statement!("executions/unnotified")).bind(limit).fetch_all(executor).await?;
    rows.iter().map(|row| Ok(row.try_get::<Uuid, _>(0)?.into())).collect()
}
