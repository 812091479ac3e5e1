//! Claims, wakes and rescues executions.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgExecutor, Row};
use uuid::Uuid;

use super::read::time_if;
use super::{Store, statement};
use crate::error::Failure;
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::{Claimed, ClaimedStep, ExecutionState};
use crate::payload::Payload;
use crate::store::families::EndedEarly;

/// The workflows a worker can run, as the claim wants them.
#[derive(Debug, Default)]
pub(crate) struct KnownWorkflows {
    pub(crate) names: Vec<String>,
    pub(crate) versions: Vec<i32>,
    pub(crate) timeouts: Vec<Option<f64>>,
    /// `name@version` of each: what the claim filters by.
    pub(crate) labels: Vec<String>,
    /// How many executions with the same concurrency key may run at once.
    pub(crate) key_limits: Vec<Option<i32>>,
}

/// What a claim took.
#[derive(Debug, Default)]
pub(crate) struct Claim {
    /// The first in line first.
    pub(crate) executions: Vec<Claimed>,
    /// Executions that the worker holds now and cannot read.
    pub(crate) unreadable: Vec<Unreadable>,
    /// When the rate lets more begin than it did now.
    pub(crate) retry_at: Option<DateTime<Utc>>,
}

/// An execution that a worker has claimed and cannot read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) worker: WorkerId,
    pub(crate) id: ExecutionId,
    pub(crate) epoch: Epoch,
    pub(crate) problem: String,
}

/// How an execution ended.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    pub(crate) id: ExecutionId,
    pub(crate) state: ExecutionState,
    pub(crate) output: Option<Payload>,
    pub(crate) error: Option<Failure>,
}

/// Takes up to `room` due executions of a queue, as many as its limits allow.
pub(crate) async fn claim(
    store: &Store,
    connection: &mut PgConnection,
    worker: WorkerId,
    queue: &str,
    room: i32,
    known: &KnownWorkflows,
) -> Result<Claim, sqlx::Error> {
    let rows = store
        .query(statement!("executions/claim"))
        .bind(worker.0)
        .bind(queue)
        .bind(room)
        .bind(&known.names)
        .bind(&known.versions)
        .bind(&known.timeouts)
        .bind(&known.labels)
        .bind(&known.key_limits)
        .fetch_all(connection)
        .await?;
    let (mut retry_at, mut unreadable) = (None, Vec::new());
    let mut in_line: Vec<(DateTime<Utc>, Claimed)> = Vec::with_capacity(rows.len());
    for row in &rows {
        match time_if(row, "retry_at")? {
            Some(time) => retry_at = Some(time),
            None => match claimed(row, worker) {
                Ok(claimed) => in_line.push((time_if(row, "rank")?.unwrap_or(DateTime::<Utc>::MIN_UTC), claimed)),
                Err(error) => unreadable.extend(set_aside(store, row, worker, &error)),
            },
        }
    }
    in_line.sort_by_key(|(rank, execution)| (*rank, execution.id));
    Ok(Claim { executions: in_line.into_iter().map(|(_, execution)| execution).collect(), unreadable, retry_at })
}

/// Executions that the worker holds in the database beyond the claims it knows.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// Claimed anew.
    pub(crate) adopted: Vec<Claimed>,
    /// Claimed anew, but unreadable.
    pub(crate) unreadable: Vec<Unreadable>,
    /// Whether there are more, held by another transaction: ask again.
    pub(crate) passed_over: bool,
}

/// Claims anew what the worker holds besides the `known` claims: those whose answer was lost.
pub(crate) async fn held(
    store: &Store,
    executor: impl PgExecutor<'_>,
    worker: WorkerId,
    known: &[(ExecutionId, Epoch)],
) -> Result<Held, sqlx::Error> {
    let rows = store
        .query(statement!("executions/held"))
        .bind(worker.0)
        .bind(known.iter().map(|(id, _)| id.as_uuid()).collect::<Vec<_>>())
        .bind(known.iter().map(|(_, epoch)| epoch.0).collect::<Vec<_>>())
        .fetch_all(executor)
        .await?;
    let mut held = Held::default();
    for row in &rows {
        held.passed_over |= row.try_get::<i64, _>("passed_over")? > 0;
        if row.try_get::<Option<Uuid>, _>("execution_id")?.is_none() {
            continue;
        }
        match claimed(row, worker) {
            Ok(claimed) => held.adopted.push(claimed),
            Err(error) => held.unreadable.extend(set_aside(store, row, worker, &error)),
        }
    }
    Ok(held)
}

/// Reports a claimed row that cannot be read; `None` if not even its id and epoch can be read.
fn set_aside(store: &Store, row: &PgRow, worker: WorkerId, error: &sqlx::Error) -> Option<Unreadable> {
    let id: ExecutionId = row.try_get::<Uuid, _>("execution_id").ok()?.into();
    let problem = error.to_string();
    store.health.unreadable("executions", &id.to_string(), &problem);
    Some(Unreadable { worker, id, epoch: Epoch(row.try_get("epoch").ok()?), problem })
}

fn claimed(row: &PgRow, worker: WorkerId) -> Result<Claimed, sqlx::Error> {
    Ok(Claimed {
        worker,
        id: row.try_get::<Uuid, _>("execution_id")?.into(),
        epoch: Epoch(row.try_get("epoch")?),
        workflow: row.try_get("workflow")?,
        version: row.try_get::<i32, _>("version")?.cast_unsigned(),
        queue: row.try_get("queue")?,
        claims: row.try_get("claims")?,
        answer_lost: false,
        continued: false,
        deadline_at: time_if(row, "deadline_at")?,
        input: Payload(row.try_get::<&str, _>("input")?.into()),
        resolved: super::journal::recorded_waits(row.try_get("resolved")?)?,
        rollback: row.try_get::<Option<&str>, _>("rollback")?.map(super::journal::failure),
        undoes: row.try_get::<Option<Uuid>, _>("undoes")?.map(ExecutionId::from),
        awaited: row.try_get("awaited")?,
        limited: row.try_get("limited")?,
        scheduled_for: time_if(row, "scheduled_for")?,
        namespace: row.try_get::<Uuid, _>("namespace")?.into(),
        step: claimed_step(row)?,
        trace_context: row.try_get("trace_context")?,
        started_at: time_if(row, "started_at")?,
        ready_at: time_if(row, "ready_at")?,
    })
}

/// The step that the execution runs for another one.
fn claimed_step(row: &PgRow) -> Result<Option<ClaimedStep>, sqlx::Error> {
    let Some(key) = row.try_get("step_key")? else { return Ok(None) };
    let (owner_id, owner_namespace) = (row.try_get::<Uuid, _>("owner_id")?, row.try_get::<Uuid, _>("owner_namespace")?);
    Ok(Some(ClaimedStep { key, owner_id: owner_id.into(), owner_namespace: owner_namespace.into() }))
}

/// What the worker believes to hold, and should let go of.
#[derive(Debug, Default)]
pub(crate) struct Strays {
    /// It does not hold them.
    pub(crate) lost: Vec<ExecutionId>,
    /// They are to go no further.
    pub(crate) paused: Vec<ExecutionId>,
}

/// Those that the worker believes to hold and does not, and those that were paused.
pub(crate) async fn stray(
    store: &Store,
    executor: impl PgExecutor<'_>,
    worker: WorkerId,
    believed: &[(ExecutionId, Epoch)],
) -> Result<Strays, sqlx::Error> {
    let rows = store
        .query(statement!("executions/stray"))
        .bind(worker.0)
        .bind(believed.iter().map(|(id, _)| id.as_uuid()).collect::<Vec<_>>())
        .bind(believed.iter().map(|(_, epoch)| epoch.0).collect::<Vec<_>>())
        .fetch_all(executor)
        .await?;
    let mut strays = Strays::default();
    for row in &rows {
        let list = if row.try_get("paused")? { &mut strays.paused } else { &mut strays.lost };
        list.push(row.try_get::<Uuid, _>("execution_id")?.into());
    }
    Ok(strays)
}

/// What became of an execution that was claimed too often.
#[derive(Debug, Clone)]
pub(crate) struct Poisoned {
    /// Not finished where what it did is undone first.
    pub(crate) state: ExecutionState,
    pub(crate) queue: String,
    /// The children that were cancelled or rolled back with it.
    pub(crate) ended_early: Vec<EndedEarly>,
}

/// Ends an execution that was claimed too often; `None` if it is no longer held.
pub(crate) async fn poison(
    store: &Store,
    executor: impl PgExecutor<'_>,
    worker: WorkerId,
    execution: (ExecutionId, Epoch),
    failure: &Failure,
) -> Result<Option<Poisoned>, sqlx::Error> {
    let rows = store
        .query(statement!("executions/poison"))
        .bind(worker.0)
        .bind(execution.0.as_uuid())
        .bind(execution.1.0)
        .bind(super::journal::failure_text(failure))
        .fetch_all(executor)
        .await?;
    // The first is the execution itself.
    let Some((poisoned, children)) = rows.split_first() else { return Ok(None) };
    Ok(Some(Poisoned {
        state: super::look::known_state(poisoned.try_get("state")?),
        queue: poisoned.try_get("queue")?,
        ended_early: super::families::read_all(children)?,
    }))
}

/// Turns an execution round, if it is still held: its waits end, its deadline no longer counts, its children are rolled back.
/// Returns the children that were; `None` if it is not held.
pub(crate) async fn begin_rollback(
    store: &Store,
    executor: impl PgExecutor<'_>,
    (id, worker, epoch): (ExecutionId, WorkerId, Epoch),
    cause: &Failure,
) -> Result<Option<Vec<EndedEarly>>, sqlx::Error> {
    let rows = store
        .query(statement!("executions/begin_rollback"))
        .bind(worker.0)
        .bind(id.as_uuid())
        .bind(epoch.0)
        .bind(super::journal::failure_text(cause))
        .fetch_all(executor)
        .await?;
    match rows.split_first() {
        None => Ok(None),
        // The first is the execution itself.
        Some((_, children)) => super::families::read_all(children).map(Some),
    }
}

/// An execution that a lost worker held.
#[derive(Debug)]
pub(crate) struct Rescued {
    pub(crate) id: ExecutionId,
    pub(crate) queue: String,
    pub(crate) from: WorkerId,
}

/// Returns up to `limit` executions of lost workers to their queues.
pub(crate) async fn rescue(store: &Store, executor: impl PgExecutor<'_>, limit: i64) -> Result<Vec<Rescued>, sqlx::Error> {
    let rows = store.query(statement!("executions/rescue")).bind(limit).fetch_all(executor).await?;
    rows.iter()
        .map(|row| Ok(Rescued { id: row.try_get::<Uuid, _>(0)?.into(), queue: row.try_get(1)?, from: WorkerId(row.try_get(2)?) }))
        .collect()
}

/// What a look at the timers found.
#[derive(Debug, Default)]
pub(crate) struct Woken {
    /// The queues that got executions back.
    pub(crate) queues: Vec<String>,
    pub(crate) count: i64,
    /// When the next timer is due.
    pub(crate) next_at: Option<DateTime<Utc>>,
}

/// Puts up to `limit` executions whose time has come into their queues.
pub(crate) async fn wake(store: &Store, connection: &mut PgConnection, limit: i64) -> Result<Woken, sqlx::Error> {
    let rows = store.query(statement!("executions/wake")).bind(limit).fetch_all(connection).await?;
    let mut woken = Woken::default();
    for row in &rows {
        match row.try_get::<Option<String>, _>(0)? {
            Some(queue) => {
                woken.queues.push(queue);
                woken.count += row.try_get::<i64, _>(1)?;
            }
            None => woken.next_at = time_if(row, "next_at")?,
        }
    }
    Ok(woken)
}

/// What no notification announced.
#[derive(Debug)]
pub(crate) struct Unannounced {
    /// The queues that have pending executions.
    pub(crate) queued: Vec<String>,
    /// Whether executions have ended whose parents are not yet notified.
    pub(crate) has_unnotified: bool,
}

/// Looks for pending executions in these queues, and for parents that are not yet notified.
pub(crate) async fn look(store: &Store, executor: impl PgExecutor<'_>, queues: &[&str]) -> Result<Unannounced, sqlx::Error> {
    let row = store.query(statement!("executions/look")).bind(queues).fetch_one(executor).await?;
    Ok(Unannounced { queued: row.try_get("queued")?, has_unnotified: row.try_get("has_unnotified")? })
}

/// How those of `ids` that have ended did.
pub(crate) async fn finished(
    store: &Store,
    executor: impl PgExecutor<'_>,
    ids: &[ExecutionId],
) -> Result<Vec<Finished>, sqlx::Error> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
    let rows = store.query(statement!("executions/finished")).bind(ids).fetch_all(executor).await?;
    rows.iter()
        .map(|row| {
            Ok(Finished {
                id: row.try_get::<Uuid, _>(0)?.into(),
                state: super::look::known_state(row.try_get(1)?),
                output: row.try_get::<Option<&str>, _>(2)?.map(|text| Payload(text.into())),
                error: row.try_get::<Option<&str>, _>(3)?.map(super::journal::failure),
            })
        })
        .collect()
}
