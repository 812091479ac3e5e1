//! Gives out the duties that one worker does for all.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, Row};

use super::read::{time, time_if};
use super::{Store, statement};
use crate::ids::WorkerId;

/// A duty that is a worker's until its period is over.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) duty: String,
    /// Since when.
    pub(crate) taken_at: DateTime<Utc>,
    /// When it was taken the last time that it was done to its end, if it ever was.
    pub(crate) last_done: Option<DateTime<Utc>>,
}

/// Takes the duties that are due, unless another worker has taken them.
pub(crate) async fn take(
    store: &Store,
    executor: impl PgExecutor<'_>,
    duties: &[&str],
    worker: WorkerId,
    period: Duration,
) -> Result<Vec<Turn>, sqlx::Error> {
    let query = store.query(statement!("duties/take")).bind(duties).bind(worker.0).bind(period.as_secs_f64());
    let rows = query.fetch_all(executor).await?;
    rows.iter()
        .map(|row| Ok(Turn { duty: row.try_get("duty")?, taken_at: time(row, "taken_at")?, last_done: time_if(row, "done_at")? }))
        .collect()
}

/// Keeps others from a turn that takes longer than its period.
pub(crate) async fn hold(store: &Store, executor: impl PgExecutor<'_>, turn: &Turn, period: Duration) -> Result<(), sqlx::Error> {
    let query = store.query(statement!("duties/hold")).bind(&turn.duty).bind(turn.taken_at);
    query.bind(period.as_secs_f64()).execute(executor).await?;
    Ok(())
}

/// Says that a turn was done to its end: the next need not make up for it.
pub(crate) async fn finish(store: &Store, executor: impl PgExecutor<'_>, turn: &Turn) -> Result<(), sqlx::Error> {
    store.query(statement!("duties/finish")).bind(&turn.duty).bind(turn.taken_at).execute(executor).await?;
    Ok(())
}
