//! Tells parents how their children ended.

use std::collections::HashMap;

use sqlx::{PgConnection, PgExecutor, Row};
use uuid::Uuid;

use super::messages::Effect;
use super::{Batch, Store, statement, subject};
use crate::ids::ExecutionId;

/// What became of the news that a child has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// The parent has it, and this is what it did.
    Heard(Effect),
    /// Nobody waits for it, or somebody else has told it.
    Unheard,
    /// A message is on its way to the parent: ask again.
    Busy,
}

/// The lane of ends that parents are to be told of; an item is a child that has ended.
#[derive(Debug)]
pub(crate) struct Tells;

impl Batch for Tells {
    type Item = ExecutionId;
    type Outcome = Told;
    const WHAT: &'static str = "tell parents of their children";
    /// Each takes one entry in the server's lock table, which has room for some thousands.
    const LIMIT: usize = 500;

    fn subjects(item: &ExecutionId) -> Vec<u64> {
        vec![subject(item)]
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
    ) -> Result<Vec<Told>, sqlx::Error> {
        let mut told = tell(store, connection, items).await?;
        Ok(items.iter().map(|child| told.remove(child).unwrap_or(Told::Unheard)).collect())
    }
}

/// Tells the parents of these children that they have ended; only of those whose parents were not told before.
pub(crate) async fn tell(
    store: &Store,
    executor: impl PgExecutor<'_>,
    children: &[ExecutionId],
) -> Result<HashMap<ExecutionId, Told>, sqlx::Error> {
    let ids: Vec<Uuid> = children.iter().map(|id| id.as_uuid()).collect();
    let rows = store.query(statement!("executions/tell_parents")).bind(ids).fetch_all(executor).await?;
    rows.iter()
        .map(|row| {
            let told = match row.try_get("outcome")? {
                "told" => Told::Heard(Effect::on(row.try_get::<Uuid, _>("parent_id")?.into(), row.try_get("woken_queue")?)),
                "busy" => Told::Busy,
                _ => Told::Unheard,
            };
            Ok((row.try_get::<Uuid, _>("child_id")?.into(), told))
        })
        .collect()
}

/// Up to `limit` executions that have ended and whose parents were not told.
pub(crate) async fn untold(store: &Store, executor: impl PgExecutor<'_>, limit: i64) -> Result<Vec<ExecutionId>, sqlx::Error> {
    let rows = store.query(statement!("executions/untold")).bind(limit).fetch_all(executor).await?;
    rows.iter().map(|row| Ok(row.try_get::<Uuid, _>(0)?.into())).collect()
}
