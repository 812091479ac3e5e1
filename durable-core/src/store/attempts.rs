//! Writes attempts that did not end their step.

use std::collections::HashSet;

use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::saves::Written;
use super::{Batch, Store, statement, subject};
use crate::ids::{Epoch, WorkerId};
use crate::model::FailedAttempt;

/// An attempt of an execution that a worker holds.
#[derive(Debug)]
pub(crate) struct AttemptRecord {
    pub(crate) worker: WorkerId,
    pub(crate) epoch: Epoch,
    pub(crate) attempt: FailedAttempt,
}

/// The lane of attempts.
#[derive(Debug)]
pub(crate) struct Attempts;

impl Batch for Attempts {
    type Item = AttemptRecord;
    type Outcome = Written;
    const WHAT: &'static str = "record attempts";
    const LIMIT: usize = 500;

    fn subjects(item: &AttemptRecord) -> impl Iterator<Item = u64> {
        std::iter::once(subject(item.attempt.execution_id))
    }

    fn size(item: &AttemptRecord) -> usize {
        item.attempt.key.len() + item.attempt.failure.as_ref().map_or(0, |failure| failure.size())
    }

    /// Each worker that this process has been by itself: what one has lost, the next may hold.
    fn go_together(first: &AttemptRecord, next: &AttemptRecord) -> bool {
        first.worker == next.worker
    }

    async fn flush(
        &self,
        store: &Store,
        connection: &mut PgConnection,
        items: &[AttemptRecord],
        _again: bool,
    ) -> Result<Vec<Written>, sqlx::Error> {
        let Some(worker) = items.first().map(|item| item.worker) else { return Ok(Vec::new()) };
        let current = latest_of_each(items);
        let rows = store
            .query(statement!("attempts/record"))
            .bind(worker.0)
            .bind(current.iter().map(|item| item.attempt.execution_id.as_uuid()).collect::<Vec<_>>())
            .bind(current.iter().map(|item| item.epoch.0).collect::<Vec<_>>())
            .bind(current.iter().map(|item| item.attempt.key.as_str()).collect::<Vec<_>>())
            .bind(current.iter().map(|item| i16::try_from(item.attempt.attempt).unwrap_or(i16::MAX)).collect::<Vec<_>>())
            .bind(current.iter().map(|item| item.attempt.took.as_secs_f64()).collect::<Vec<_>>())
            .bind(
                current.iter().map(|item| item.attempt.failure.as_deref().map(super::journal::failure_text)).collect::<Vec<_>>(),
            )
            .bind(current.iter().map(|item| item.attempt.retry_at).collect::<Vec<_>>())
            .fetch_all(connection)
            .await?;
        let accepted = rows.iter().map(|row| row.try_get(0)).collect::<Result<HashSet<Uuid>, _>>()?;
        let written = |item: &AttemptRecord| match accepted.contains(&item.attempt.execution_id.as_uuid()) {
            true => Written::Accepted,
            false => Written::Refused,
        };
        Ok(items.iter().map(written).collect())
    }
}

/// One record for each attempt: an upsert cannot touch a row twice, and the last word on an attempt counts.
fn latest_of_each(items: &[AttemptRecord]) -> Vec<&AttemptRecord> {
    let mut seen = HashSet::new();
    items
        .iter()
        .rev()
        .filter(|item| seen.insert((item.attempt.execution_id, item.attempt.key.as_str(), item.attempt.attempt)))
        .collect()
}
