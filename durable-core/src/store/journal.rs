//! Loads journals.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::read::time_if;
use super::{MOST_BYTES, Store, statement};
use crate::error::{ErrorKind, Failure};
use crate::ids::ExecutionId;
use crate::model::{Checkpoint, FailedAttempt, JournalRecords, Outcome, RecordedWait};
use crate::payload::Payload;

/// The journals of executions; for an unreadable journal, the problem.
pub(crate) type Journals = HashMap<ExecutionId, Result<JournalRecords, String>>;

/// Most rows that are read for all executions at once. If there are more, each journal is read by itself, in pages.
const MOST_AT_ONCE: i64 = 2000;

/// Most rows of a page.
const MOST_IN_PAGE: i32 = 1000;

/// Where the next page of a journal begins: after this place, key and number.
type Place = (i32, String, i16);

/// The recorded steps, attempts and waits of each execution.
pub(crate) async fn load(store: &Store, connection: &mut PgConnection, ids: &[ExecutionId]) -> Result<Journals, sqlx::Error> {
    let uuids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    // One more than are used shows that there are more.
    let rows = store.query(statement!("checkpoints/load")).bind(uuids).bind(MOST_AT_ONCE + 1).fetch_all(&mut *connection).await?;
    let mut journals = Journals::new();
    if rows.len() as i64 <= MOST_AT_ONCE {
        add_all(store, &mut journals, &rows)?;
        return Ok(journals);
    }
    drop(rows);
    for id in ids {
        load_in_pages(store, &mut *connection, *id, &mut journals).await?;
    }
    Ok(journals)
}

/// One journal, of whatever length. Meanwhile only its worker adds to it, and an entry keeps its key.
async fn load_in_pages(
    store: &Store,
    connection: &mut PgConnection,
    id: ExecutionId,
    journals: &mut Journals,
) -> Result<(), sqlx::Error> {
    let mut after: Place = (0, String::new(), 0);
    loop {
        let rows = store
            .query(statement!("checkpoints/page"))
            .bind(id.as_uuid())
            .bind(after.0)
            .bind(&after.1)
            .bind(after.2)
            .bind(MOST_IN_PAGE)
            .bind(MOST_BYTES as i64)
            .fetch_all(&mut *connection)
            .await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = (last.try_get("place")?, last.try_get("key")?, last.try_get("number")?);
        add_all(store, journals, &rows)?;
    }
}

fn add_all(store: &Store, journals: &mut Journals, rows: &[PgRow]) -> Result<(), sqlx::Error> {
    for row in rows {
        let execution_id = ExecutionId::from(row.try_get::<Uuid, _>("execution_id")?);
        let journal = journals.entry(execution_id).or_insert_with(|| Ok(JournalRecords::default()));
        if let Ok(records) = journal
            && let Err(error) = add(records, execution_id, row)
        {
            let problem = error.to_string();
            store.health.unreadable("executions", &execution_id.to_string(), &problem);
            *journal = Err(problem);
        }
    }
    Ok(())
}

fn add(journal: &mut JournalRecords, execution_id: ExecutionId, row: &PgRow) -> Result<(), sqlx::Error> {
    journal.newest = journal.newest.max(time_if(row, "recorded_at")?);
    match row.try_get("entry")? {
        "checkpoint" => journal.checkpoints.push(checkpoint(row)?),
        "attempt" => journal.attempts.push(attempt(execution_id, row)?),
        _ => journal.waits.push(wait(row)?),
    }
    Ok(())
}

fn checkpoint(row: &PgRow) -> Result<Checkpoint, sqlx::Error> {
    let outcome = match row.try_get::<Option<&str>, _>("error")? {
        Some(error) => Outcome::Error(Box::new(failure(error))),
        None => Outcome::Output(Payload(row.try_get::<&str, _>("output")?.into())),
    };
    Ok(Checkpoint {
        digest: row.try_get::<Option<i64>, _>("digest")?.map(i64::cast_unsigned),
        attempt: number(row)?,
        undo_order: row.try_get("undo_order")?,
        ..Checkpoint::of(row.try_get("key")?, outcome)
    })
}

fn attempt(execution_id: ExecutionId, row: &PgRow) -> Result<FailedAttempt, sqlx::Error> {
    Ok(FailedAttempt {
        execution_id,
        key: row.try_get("key")?,
        attempt: number(row)?,
        took: Duration::ZERO,
        failure: row.try_get::<Option<&str>, _>("error")?.map(|text| Box::new(failure(text))),
        retry_at: time_if(row, "at")?,
    })
}

fn number(row: &PgRow) -> Result<u32, sqlx::Error> {
    Ok(u32::from(row.try_get::<i16, _>("attempt")?.unsigned_abs()))
}

fn wait(row: &PgRow) -> Result<RecordedWait, sqlx::Error> {
    let payload = row.try_get::<Option<String>, _>("output")?.map(RawValue::from_string).transpose();
    Ok(RecordedWait {
        key: row.try_get("key")?,
        outcome: row.try_get::<Option<&str>, _>("outcome")?.map(super::look::word).transpose()?,
        payload: payload.map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
        child_id: row.try_get::<Option<Uuid>, _>("child_id")?.map(ExecutionId::from),
        answered_by: row.try_get("answered_by")?,
        resolved_at: time_if(row, "at")?,
        message_id: row.try_get("message_id")?,
        digest: row.try_get("digest")?,
    })
}

/// The failure as JSON.
pub(crate) fn failure_text(failure: &Failure) -> String {
    // A failure is made of strings; should it ever not encode, its message still tells what happened.
    serde_json::to_string(failure).unwrap_or_else(|_| format!(r#"{{"kind":"failed","message":{:?}}}"#, failure.message))
}

/// The failure that was recorded, or the bare text where something else wrote it.
pub(crate) fn failure(text: &str) -> Failure {
    serde_json::from_str(text).unwrap_or_else(|_| Failure::new(ErrorKind::Failed, text))
}

/// The waits in a JSON array built by SQL; `None` if they were too large for one.
pub(super) fn recorded_waits(text: Option<&str>) -> Result<Option<Vec<RecordedWait>>, sqlx::Error> {
    text.map(|text| serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(Box::new(error)))).transpose()
}

/// The waits of one execution that are over, however large: one row each.
pub(super) async fn load_ended_waits(
    store: &Store,
    connection: &mut PgConnection,
    id: ExecutionId,
) -> Result<Vec<RecordedWait>, sqlx::Error> {
    let mut journals = load(store, connection, &[id]).await?;
    let journal = journals.remove(&id).transpose().map_err(|problem| sqlx::Error::Decode(problem.into()))?;
    let waits = journal.map(|journal| journal.waits).unwrap_or_default();
    Ok(waits.into_iter().filter(|wait| wait.outcome.is_some()).collect())
}
