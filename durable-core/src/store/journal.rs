//! Loads journals.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::{Statement, Store};
use crate::error::{ErrorKind, Failure};
use crate::ids::{ExecutionId, SHARD};
use crate::model::{Checkpoint, FailedAttempt, JournalRecords, Outcome, ResolvedWait};
use crate::payload::Payload;

/// The recorded steps and attempts of each execution; waits come with the claim.
pub(crate) async fn load(
    store: &Store,
    executor: impl PgExecutor<'_>,
    ids: &[ExecutionId],
) -> Result<HashMap<ExecutionId, JournalRecords>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = store.query(Statement::LoadJournals).bind(SHARD).bind(ids).fetch_all(executor).await?;
    let mut journals: HashMap<ExecutionId, JournalRecords> = HashMap::new();
    for row in &rows {
        let execution_id = ExecutionId::from(row.try_get::<Uuid, _>("execution_id")?);
        let journal = journals.entry(execution_id).or_default();
        let key: String = row.try_get("key")?;
        let attempt = u32::from(row.try_get::<i16, _>("attempt")?.unsigned_abs());
        let error = row.try_get::<Option<&str>, _>("error")?.map(|text| Box::new(failure(text)));
        if row.try_get("ended")? {
            let outcome = match error {
                Some(failure) => Outcome::Error(failure),
                None => Outcome::Output(Payload(row.try_get::<&str, _>("output")?.into())),
            };
            let digest = row.try_get::<Option<i64>, _>("digest")?.map(i64::cast_unsigned);
            journal.checkpoints.push(Checkpoint { key, digest, attempt, took: Duration::ZERO, outcome });
        } else {
            let retry_at = row.try_get("retry_at")?;
            journal.attempts.push(FailedAttempt { execution_id, key, attempt, took: Duration::ZERO, failure: error, retry_at });
        }
    }
    Ok(journals)
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

/// The waits in a JSON array built by SQL; none where there is none.
pub(super) fn resolved_waits(text: Option<&str>) -> Result<Vec<ResolvedWait>, sqlx::Error> {
    text.map_or(Ok(Vec::new()), |text| serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(Box::new(error))))
}
