//! Registers waits and parks the executions that wait.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::read::time_if;
use super::{Batch, Lane, Statement, Store};
use crate::error::Result;
use crate::ids::{Epoch, ExecutionId, SHARD, WorkerId};
use crate::model::{Due, NewWait, RecordedWait, WaitDetails};

/// An execution that has nothing to do but wait.
#[derive(Debug, Clone)]
pub(crate) struct Park {
    pub(crate) worker: WorkerId,
    pub(crate) id: ExecutionId,
    pub(crate) epoch: Epoch,
    /// Since when it waits, by this process's reading of the clock; the database has the last word.
    pub(crate) since: DateTime<Utc>,
    /// Whether it goes on running, and only wants to know of its waits.
    pub(crate) stays: bool,
    /// How many waits it takes for open, these new ones included: fewer in the database means that some are over.
    pub(crate) open: usize,
    /// Waits to register; those that are registered already are left as they are.
    pub(crate) waits: Vec<NewWait>,
    /// Keys of waits that nobody wants any more.
    pub(crate) dropped: Vec<String>,
    /// The children that those were for; to be cancelled once the waits are dropped.
    pub(crate) orphaned: Vec<ExecutionId>,
    /// When a retry is due, if one is.
    pub(crate) wake_at: Option<DateTime<Utc>>,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum ParkOutcome {
    /// It waits, and slot and lease are given back, unless it stays. With the time when the first of its waits is due.
    Parked { wake_at: Option<DateTime<Utc>> },
    /// It goes on at once: these waits are over. With the time when the first of the others is due, if it was to stay.
    Resolved { waits: Vec<RecordedWait>, wake_at: Option<DateTime<Utc>> },
    /// A message is on its way to it: ask again.
    Busy,
    /// Another worker holds it, or nobody.
    Lost,
    /// Its waits cannot be read, for this reason.
    Unreadable(String),
}

/// The lane of parkings.
#[derive(Debug)]
pub(crate) struct Parks;

/// Pause before a parking is tried again that met a message on its way: about as long as a commit takes.
const PAUSE_WHEN_BUSY: Duration = Duration::from_millis(2);

impl Lane<Parks> {
    /// Writes a parking; comes back to it as long as a message is on its way.
    pub(crate) async fn write_when_free(&self, park: &Park, given_up: impl Fn() -> bool) -> Result<ParkOutcome> {
        loop {
            match self.write(park.clone()).await {
                Ok(ParkOutcome::Busy) if !given_up() => tokio::time::sleep(PAUSE_WHEN_BUSY).await,
                other => return other,
            }
        }
    }
}

impl Batch for Parks {
    type Item = Park;
    type Outcome = ParkOutcome;
    const WHAT: &'static str = "park executions";
    /// Each takes one entry in the server's lock table, which has room for some thousands.
    const LIMIT: usize = 500;

    /// Each life of this worker by itself: what one of them has lost, the next may hold.
    fn go_together(first: &Park, next: &Park) -> bool {
        first.worker == next.worker
    }

    async fn flush(
        &self,
        store: &Store,
        connection: &mut PgConnection,
        items: &[Park],
        _again: bool,
    ) -> Result<Vec<ParkOutcome>, sqlx::Error> {
        let Some(worker) = items.first().map(|item| item.worker) else { return Ok(Vec::new()) };
        let waits: Vec<(Uuid, &NewWait)> =
            items.iter().flat_map(|item| item.waits.iter().map(|wait| (item.id.as_uuid(), wait))).collect();
        let dropped: Vec<(Uuid, &str)> =
            items.iter().flat_map(|item| item.dropped.iter().map(|key| (item.id.as_uuid(), key.as_str()))).collect();
        let rows = store
            .query(Statement::ParkExecutions)
            .bind(SHARD)
            .bind(worker.0)
            .bind(items.iter().map(|item| item.id.as_uuid()).collect::<Vec<_>>())
            .bind(items.iter().map(|item| item.epoch.0).collect::<Vec<_>>())
            .bind(items.iter().map(|item| item.wake_at).collect::<Vec<_>>())
            .bind(items.iter().map(|item| item.stays).collect::<Vec<_>>())
            .bind(items.iter().map(|item| i32::try_from(item.open).unwrap_or(i32::MAX)).collect::<Vec<_>>())
            .bind(waits.iter().map(|(id, _)| *id).collect::<Vec<_>>())
            .bind(waits.iter().map(|(_, wait)| wait.key.as_str()).collect::<Vec<_>>())
            .bind(waits.iter().map(|(_, wait)| wait.kind.as_str()).collect::<Vec<_>>())
            .bind(waits.iter().map(|(_, wait)| wait.name.as_str()).collect::<Vec<_>>())
            .bind(waits.iter().map(|(_, wait)| delay(wait)).collect::<Vec<_>>())
            .bind(waits.iter().map(|(_, wait)| due_at(wait)).collect::<Vec<_>>())
            .bind(waits.iter().map(|(_, wait)| wait.prompt.as_deref()).collect::<Vec<_>>())
            .bind(waits.iter().map(|(_, wait)| wait.schema.as_deref()).collect::<Vec<_>>())
            .bind(waits.iter().map(|(_, wait)| wait.details.as_deref().map(details)).collect::<Vec<_>>())
            .bind(dropped.iter().map(|(id, _)| *id).collect::<Vec<_>>())
            .bind(dropped.iter().map(|(_, key)| *key).collect::<Vec<_>>())
            .fetch_all(connection)
            .await?;
        let mut outcomes = HashMap::with_capacity(rows.len());
        for row in &rows {
            let id: Uuid = row.try_get("execution_id")?;
            outcomes.insert(id, read(row).unwrap_or_else(|error| unreadable(store, id, &error)));
        }
        Ok(items.iter().map(|item| outcomes.remove(&item.id.as_uuid()).unwrap_or(ParkOutcome::Lost)).collect())
    }
}

fn read(row: &PgRow) -> Result<ParkOutcome, sqlx::Error> {
    Ok(match row.try_get("outcome")? {
        "parked" => ParkOutcome::Parked { wake_at: time_if(row, "wake_at")? },
        "resolved" => {
            let waits = super::journal::recorded_waits(row.try_get("resolved")?)?;
            ParkOutcome::Resolved { waits, wake_at: time_if(row, "wake_at")? }
        }
        "busy" => ParkOutcome::Busy,
        _ => ParkOutcome::Lost,
    })
}

/// The waits of one execution cannot be read: the others of the flush are answered all the same.
fn unreadable(store: &Store, id: Uuid, error: &sqlx::Error) -> ParkOutcome {
    let problem = error.to_string();
    store.health.unreadable("waits", &format!("of execution {id}"), &problem);
    ParkOutcome::Unreadable(problem)
}

fn delay(wait: &NewWait) -> Option<f64> {
    if let Due::After(delay) = wait.due { Some(delay.as_secs_f64()) } else { None }
}

fn due_at(wait: &NewWait) -> Option<DateTime<Utc>> {
    if let Due::At(time) = wait.due { Some(time) } else { None }
}

/// What only some waits have, as JSON.
fn details(details: &WaitDetails) -> String {
    // Made of strings, numbers and JSON: it always encodes.
    serde_json::to_string(details).unwrap_or_default()
}
