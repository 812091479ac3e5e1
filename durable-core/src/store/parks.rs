//! Registers waits and parks the executions that wait.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{Batch, Statement, Store};
use crate::ids::{Epoch, ExecutionId, SHARD, WorkerId};
use crate::model::{Due, NewWait, ResolvedWait};

/// An execution that has nothing to do but wait.
#[derive(Debug, Clone)]
pub(crate) struct Park {
    pub(crate) worker: WorkerId,
    pub(crate) id: ExecutionId,
    pub(crate) epoch: Epoch,
    /// What it waits for; those that are registered already are left as they are.
    pub(crate) waits: Vec<NewWait>,
    /// When a retry is due, if one is.
    pub(crate) wake_at: Option<DateTime<Utc>>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum ParkOutcome {
    /// It waits; slot and lease are given back.
    Parked { wake_at: Option<DateTime<Utc>> },
    /// It goes on at once: these waits are over.
    Resolved(Vec<ResolvedWait>),
    /// A message is on its way to it: ask again.
    Busy,
    /// Another worker holds it, or nobody.
    Lost,
}

/// The lane of parkings.
#[derive(Debug)]
pub(crate) struct Parks;

impl Batch for Parks {
    type Item = Park;
    type Outcome = ParkOutcome;
    const WHAT: &'static str = "park executions";
    /// Each takes one entry in the server's lock table, which has room for some thousands.
    const LIMIT: usize = 500;

    async fn flush(
        &self,
        store: &Store,
        connection: &mut PgConnection,
        items: &[Park],
        _again: bool,
    ) -> Result<Vec<ParkOutcome>, sqlx::Error> {
        let Some(worker) = items.last().map(|item| item.worker) else { return Ok(Vec::new()) };
        let current: Vec<&Park> = items.iter().filter(|item| item.worker == worker).collect();
        let waits: Vec<(Uuid, &NewWait)> =
            current.iter().flat_map(|item| item.waits.iter().map(|wait| (item.id.as_uuid(), wait))).collect();
        let rows = store
            .query(Statement::ParkExecutions)
            .bind(SHARD)
            .bind(worker.0)
            .bind(current.iter().map(|item| item.id.as_uuid()).collect::<Vec<_>>())
            .bind(current.iter().map(|item| item.epoch.0).collect::<Vec<_>>())
            .bind(current.iter().map(|item| item.wake_at).collect::<Vec<_>>())
            .bind(waits.iter().map(|(id, _)| *id).collect::<Vec<_>>())
            .bind(waits.iter().map(|(_, wait)| wait.key.as_str()).collect::<Vec<_>>())
            .bind(waits.iter().map(|(_, wait)| wait.kind.as_str()).collect::<Vec<_>>())
            .bind(waits.iter().map(|(_, wait)| wait.name.as_str()).collect::<Vec<_>>())
            .bind(waits.iter().map(|(_, wait)| delay(wait)).collect::<Vec<_>>())
            .bind(waits.iter().map(|(_, wait)| due_at(wait)).collect::<Vec<_>>())
            .bind(waits.iter().map(|(_, wait)| wait.prompt.as_deref()).collect::<Vec<_>>())
            .bind(waits.iter().map(|(_, wait)| wait.schema.as_deref()).collect::<Vec<_>>())
            .fetch_all(connection)
            .await?;
        let mut outcomes = HashMap::with_capacity(rows.len());
        for row in &rows {
            let outcome = match row.try_get::<&str, _>(1)? {
                "parked" => ParkOutcome::Parked { wake_at: row.try_get(3)? },
                "resolved" => ParkOutcome::Resolved(super::journal::resolved_waits(row.try_get(2)?)?),
                "busy" => ParkOutcome::Busy,
                _ => ParkOutcome::Lost,
            };
            outcomes.insert(row.try_get::<Uuid, _>(0)?, outcome);
        }
        Ok(items.iter().map(|item| outcomes.remove(&item.id.as_uuid()).unwrap_or(ParkOutcome::Lost)).collect())
    }
}

fn delay(wait: &NewWait) -> Option<f64> {
    if let Due::After(delay) = wait.due { Some(delay.as_secs_f64()) } else { None }
}

fn due_at(wait: &NewWait) -> Option<DateTime<Utc>> {
    if let Due::At(time) = wait.due { Some(time) } else { None }
}
