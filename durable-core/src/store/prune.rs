//! Deletes what has ended long ago.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::{Statement, Store, statement};
use crate::ids::ExecutionId;

/// How far the clocks may be apart that made ids and that record when executions end.
const SLACK: Duration = Duration::from_secs(24 * 60 * 60);

/// What may go.
#[derive(Debug, Clone)]
pub(crate) struct Old {
    pub(crate) age: Duration,
    pub(crate) workflow: Option<String>,
    pub(crate) states: Option<Vec<&'static str>>,
}

/// What one statement deleted.
#[derive(Debug)]
pub(crate) struct Gone {
    pub(crate) executions: u64,
    /// Where the next one goes on; `None` where nothing was found.
    pub(crate) last: Option<ExecutionId>,
}

/// The last id that can be of an execution of that age, by the database's clock.
pub(crate) fn newest_id(now: DateTime<Utc>, age: Duration) -> ExecutionId {
    first_id(now + SLACK, age)
}

/// The first id that can be made this long before a time.
pub(crate) fn first_id(time: DateTime<Utc>, before: Duration) -> ExecutionId {
    let at = chrono::TimeDelta::from_std(before).ok().and_then(|before| time.checked_sub_signed(before));
    let at = at.and_then(|at| u64::try_from(at.timestamp_millis()).ok()).unwrap_or_default();
    // An id begins with 48 bits of milliseconds.
    Uuid::from_u128(u128::from(at) << 80).into()
}

/// Deletes up to `limit` executions with ids between these.
pub(crate) async fn executions(
    store: &Store,
    executor: impl PgExecutor<'_>,
    old: &Old,
    (after, before): (Uuid, ExecutionId),
    limit: i64,
) -> Result<Gone, sqlx::Error> {
    let row = bound(store, statement!("executions/prune"), old, after, before).bind(limit).fetch_one(executor).await?;
    Ok(Gone {
        executions: row.try_get::<i64, _>("gone")?.unsigned_abs(),
        last: row.try_get::<Option<Uuid>, _>("last")?.map(ExecutionId::from),
    })
}

/// How many executions would go.
pub(crate) async fn count(
    store: &Store,
    executor: impl PgExecutor<'_>,
    old: &Old,
    before: ExecutionId,
) -> Result<u64, sqlx::Error> {
    let row = bound(store, statement!("executions/count_prunable"), old, Uuid::nil(), before).fetch_one(executor).await?;
    Ok(row.try_get::<i64, _>("prunable")?.unsigned_abs())
}

fn bound<'old>(
    store: &Store,
    statement: Statement,
    old: &'old Old,
    after: Uuid,
    before: ExecutionId,
) -> Query<'old, Postgres, PgArguments> {
    let query = store.query(statement).bind(after).bind(before.as_uuid()).bind(old.age.as_secs_f64());
    query.bind(old.workflow.clone()).bind(old.states.clone())
}

/// Forgets up to `limit` firings of that age, of the schedules that start a workflow.
pub(crate) async fn firings(
    store: &Store,
    executor: impl PgExecutor<'_>,
    workflow: &str,
    age: Duration,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let query = store.query(statement!("schedule_firings/prune")).bind(workflow).bind(age.as_secs_f64()).bind(limit);
    Ok(query.fetch_one(executor).await?.try_get::<i64, _>("gone")?.unsigned_abs())
}

/// Forgets up to `limit` publications of that age.
pub(crate) async fn publications(
    store: &Store,
    executor: impl PgExecutor<'_>,
    age: Duration,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let query = store.query(statement!("publications/prune")).bind(age.as_secs_f64()).bind(limit);
    Ok(query.fetch_one(executor).await?.try_get::<i64, _>("gone")?.unsigned_abs())
}
