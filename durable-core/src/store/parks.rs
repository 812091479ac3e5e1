//! Registers waits and parks the executions that wait.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::read::time_if;
use super::{Batch, Lane, MOST_BYTES, Store, statement, subject};
use crate::error::Result;
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::{Due, NewWait, RecordedWait, RefusedMessage, WaitDetails};

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
    /// The waits that it believes open, if they are few enough to be named; only these are asked for. `None` if they are many.
    pub(crate) watched: Vec<String>,
    /// Waits to register; those that are registered already are left as they are.
    pub(crate) waits: Vec<NewWait>,
    /// Keys of waits that the workflow has dropped.
    pub(crate) dropped: Vec<String>,
    /// The children that those were for; to be cancelled once the waits are dropped.
    pub(crate) orphaned: Vec<ExecutionId>,
    /// Messages that waits have received and cannot use: those waits are open again.
    pub(crate) refused: Vec<RefusedMessage>,
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
    /// The worker no longer holds it.
    Lost,
    /// Its waits cannot be read, for this reason.
    Unreadable(String),
}

/// The lane of parkings.
#[derive(Debug)]
pub(crate) struct Parks;

/// First pause before a parking is tried again that met a message on its way: about as long as a commit takes.
const PAUSE_WHEN_BUSY: Duration = Duration::from_millis(2);

/// Longest such pause: a caller's transaction may hold the mailbox for long.
const LONGEST_PAUSE_WHEN_BUSY: Duration = Duration::from_millis(100);

impl Lane<Parks> {
    /// Writes a parking, in pieces if it is large; retries each piece while a message is on its way.
    pub(crate) async fn write_when_free(&self, park: &Park, given_up: impl Fn() -> bool) -> Result<ParkOutcome> {
        let mut rest = park;
        let mut divided;
        while let Some((piece, next)) = rest.divide() {
            match self.write_piece(&piece, &given_up).await? {
                ParkOutcome::Parked { .. } => {}
                other => return Ok(other),
            }
            divided = next;
            rest = &divided;
        }
        self.write_piece(rest, &given_up).await
    }

    async fn write_piece(&self, park: &Park, given_up: &impl Fn() -> bool) -> Result<ParkOutcome> {
        let mut pause = PAUSE_WHEN_BUSY;
        loop {
            match self.write(park.clone()).await {
                Ok(ParkOutcome::Busy) if !given_up() => tokio::time::sleep(pause).await,
                other => return other,
            }
            pause = LONGEST_PAUSE_WHEN_BUSY.min(pause * 2);
        }
    }
}

impl Park {
    /// The first piece that is small enough for one statement, and the rest; `None` if all of it is. The piece only registers
    /// waits, and leaves the execution running.
    fn divide(&self) -> Option<(Self, Self)> {
        let mut bytes = 0_usize;
        let too_much = self.waits.iter().position(|wait| {
            bytes += size_of_wait(wait);
            bytes > MOST_BYTES
        })?;
        let (first, rest) = self.waits.split_at(too_much.max(1));
        if rest.is_empty() {
            return None;
        }
        // With no wait named, no wait is returned.
        let piece = Self {
            stays: true,
            open: 0,
            waits: first.to_vec(),
            dropped: Vec::new(),
            orphaned: Vec::new(),
            refused: Vec::new(),
            watched: Vec::new(),
            wake_at: None,
            ..*self
        };
        let rest = Self {
            waits: rest.to_vec(),
            dropped: self.dropped.clone(),
            orphaned: self.orphaned.clone(),
            refused: self.refused.clone(),
            watched: self.watched.clone(),
            ..*self
        };
        Some((piece, rest))
    }
}

/// How many bytes a wait sends, roughly.
fn size_of_wait(wait: &NewWait) -> usize {
    let details = wait.details.as_ref().map_or(0, |details| {
        let input = details.child.as_ref().map_or(0, |child| child.input.get().len());
        input + details.metadata.as_ref().map_or(0, |metadata| metadata.get().len())
    });
    let texts = wait.prompt.as_ref().map_or(0, String::len) + wait.schema.as_ref().map_or(0, String::len);
    wait.key.len() + details + texts
}

impl Batch for Parks {
    type Item = Park;
    type Outcome = ParkOutcome;
    const WHAT: &'static str = "park executions";
    /// Each takes one entry in the server's lock table, which has room for some thousands.
    const LIMIT: usize = 500;

    fn subjects(item: &Park) -> impl Iterator<Item = u64> {
        std::iter::once(subject(item.id))
    }

    fn size(item: &Park) -> usize {
        item.waits.iter().map(size_of_wait).sum::<usize>() + item.dropped.iter().map(String::len).sum::<usize>()
    }

    /// Each worker that this process has been by itself: what one has lost, the next may hold.
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
        let refused: Vec<(Uuid, &RefusedMessage)> =
            items.iter().flat_map(|item| item.refused.iter().map(|refused| (item.id.as_uuid(), refused))).collect();
        let watched: Vec<(Uuid, &str)> =
            items.iter().flat_map(|item| item.watched.iter().map(|key| (item.id.as_uuid(), key.as_str()))).collect();
        let rows = store
            .query(statement!("executions/park"))
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
            .bind(refused.iter().map(|(id, _)| *id).collect::<Vec<_>>())
            .bind(refused.iter().map(|(_, refused)| refused.key.as_str()).collect::<Vec<_>>())
            .bind(refused.iter().map(|(_, refused)| refused.message_id).collect::<Vec<_>>())
            .bind(refused.iter().map(|(_, refused)| refused.reason.as_str()).collect::<Vec<_>>())
            .bind(watched.iter().map(|(id, _)| *id).collect::<Vec<_>>())
            .bind(watched.iter().map(|(_, key)| *key).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
        let mut outcomes = HashMap::with_capacity(rows.len());
        for row in &rows {
            let id: Uuid = row.try_get("execution_id")?;
            let outcome = match read(row) {
                Ok(Some(outcome)) => outcome,
                Ok(None) => {
                    let waits = super::journal::load_ended_waits(store, &mut *connection, id.into()).await?;
                    ParkOutcome::Resolved { waits, wake_at: time_if(row, "wake_at")? }
                }
                Err(error) => unreadable(store, id, &error),
            };
            outcomes.insert(id, outcome);
        }
        Ok(items.iter().map(|item| outcomes.remove(&item.id.as_uuid()).unwrap_or(ParkOutcome::Lost)).collect())
    }
}

/// The outcome of an item; `None` if its waits are over but too large to be returned with other executions' waits.
fn read(row: &PgRow) -> Result<Option<ParkOutcome>, sqlx::Error> {
    Ok(Some(match row.try_get("outcome")? {
        "parked" => ParkOutcome::Parked { wake_at: time_if(row, "wake_at")? },
        "resolved" => {
            let Some(waits) = super::journal::recorded_waits(row.try_get("resolved")?)? else { return Ok(None) };
            ParkOutcome::Resolved { waits, wake_at: time_if(row, "wake_at")? }
        }
        "busy" => ParkOutcome::Busy,
        _ => ParkOutcome::Lost,
    }))
}

/// If the waits of one execution cannot be read, the others of the flush are still answered.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WaitKind;

    /// A parking with so many waits, each sending so many bytes.
    fn park(waits: usize, bytes: usize) -> Park {
        let wait = |nth: usize| NewWait {
            key: format!("wait {nth}"),
            kind: WaitKind::Event,
            name: "go".to_owned(),
            due: Due::Never,
            prompt: Some("x".repeat(bytes)),
            schema: None,
            details: None,
        };
        Park {
            worker: WorkerId::new(),
            id: ExecutionId::new(),
            epoch: Epoch::FIRST,
            since: DateTime::UNIX_EPOCH,
            stays: false,
            open: waits,
            watched: Vec::new(),
            waits: (0..waits).map(wait).collect(),
            dropped: vec!["dropped".to_owned()],
            orphaned: Vec::new(),
            refused: Vec::new(),
            wake_at: None,
        }
    }

    #[test]
    fn a_large_parking_registers_its_waits_in_pieces_and_parks_with_the_last() {
        let mut rest = park(7, MOST_BYTES / 3);
        let mut registered = Vec::new();
        while let Some((piece, next)) = rest.divide() {
            assert!(Parks::size(&piece) <= MOST_BYTES && piece.stays && piece.open == 0 && piece.dropped.is_empty());
            registered.extend(piece.waits);
            rest = next;
        }
        assert!(!rest.stays && rest.open == 7 && rest.dropped.len() == 1);
        registered.extend(rest.waits);
        let keys: Vec<String> = registered.into_iter().map(|wait| wait.key).collect();
        assert_eq!(keys, (0..7).map(|nth| format!("wait {nth}")).collect::<Vec<_>>());
    }

    #[test]
    fn a_small_parking_stays_whole() {
        assert!(park(0, 0).divide().is_none());
        assert!(park(1000, 10).divide().is_none());
        assert!(park(1, MOST_BYTES + 1).divide().is_none(), "a lone wait goes alone");
    }
}
