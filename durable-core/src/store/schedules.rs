//! Reads, changes and fires schedules.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row};
use uuid::Uuid;

use super::families::EndedEarly;
use super::read::{Lenient, time, time_if};
use super::{Store, statement};
use crate::clock;
use crate::ids::ExecutionId;
use crate::model::{Firing, FiringCause, FiringOutcome, Missed, Overlap, Schedule, Tags};
use crate::observer::ScheduleFired;
use crate::payload::Payload;
use crate::plan::schedule::Timing;

/// What makes a schedule what it is.
#[derive(Debug, Clone)]
pub(crate) struct ScheduleDefinition {
    pub(crate) name: String,
    pub(crate) workflow: String,
    pub(crate) version: i32,
    pub(crate) queue: String,
    pub(crate) priority: i16,
    pub(crate) input: Payload,
    pub(crate) concurrency_key: Option<String>,
    pub(crate) time_to_live: Option<Duration>,
    pub(crate) tags: Tags,
    pub(crate) rule: String,
    pub(crate) timezone: String,
    pub(crate) starts_at: Option<DateTime<Utc>>,
    pub(crate) ends_at: Option<DateTime<Utc>>,
    pub(crate) jitter: Duration,
    pub(crate) missed: Missed,
    pub(crate) overlap: Overlap,
    pub(crate) max_failures: Option<i32>,
    pub(crate) declared: bool,
}

/// A schedule that is due, as far as it takes to fire it.
#[derive(Debug)]
pub(crate) struct DueSchedule {
    pub(crate) name: String,
    pub(crate) revision: i32,
    pub(crate) rule: String,
    pub(crate) timezone: String,
    pub(crate) starts_at: Option<DateTime<Utc>>,
    pub(crate) ends_at: Option<DateTime<Utc>>,
    pub(crate) jitter: Duration,
    pub(crate) missed: Missed,
    pub(crate) next_due_at: Option<DateTime<Utc>>,
}

/// What a look at the schedules found.
#[derive(Debug)]
pub(crate) struct DueSchedules {
    pub(crate) now: DateTime<Utc>,
    pub(crate) due: Vec<DueSchedule>,
    /// When the next one is due.
    pub(crate) next_at: Option<DateTime<Utc>>,
}

/// A schedule that is to fire, if it still is as it was found.
#[derive(Debug)]
pub(crate) struct Shot {
    pub(crate) name: String,
    pub(crate) revision: i32,
    pub(crate) was_due_at: Option<DateTime<Utc>>,
    pub(crate) next_due_at: Option<DateTime<Utc>>,
    /// The due times, each with the time at which its execution starts.
    pub(crate) due: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

/// What firing came to.
#[derive(Debug, Default)]
pub(crate) struct Fired {
    /// The queues that got executions, each as often.
    pub(crate) queues: Vec<String>,
    /// The due times that were dealt with, and what came of each.
    pub(crate) firings: Vec<ScheduleFired>,
    /// What was cancelled to make room.
    pub(crate) cancelled: Vec<EndedEarly>,
}

/// What a schedule started by hand, and in which queue.
#[derive(Debug)]
pub(crate) struct Triggered {
    pub(crate) execution: ExecutionId,
    pub(crate) queue: String,
}

/// How many due times were filled in, and in which queue.
#[derive(Debug)]
pub(crate) struct Filled {
    pub(crate) count: u32,
    pub(crate) queue: String,
}

/// Filters of a list; those left out let everything pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScheduleFilter {
    pub(crate) workflow: Option<String>,
    pub(crate) enabled: Option<bool>,
    pub(crate) after: Option<String>,
    pub(crate) limit: i64,
}

/// The schedules to fire now, at most `limit`.
pub(crate) async fn due(store: &Store, executor: impl PgExecutor<'_>, limit: i64) -> Result<DueSchedules, sqlx::Error> {
    let rows = store.query(statement!("schedules/due")).bind(limit).fetch_all(executor).await?;
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let (now, next_at) = (time(first, "now")?, time_if(first, "next_at")?);
    let mut due = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(name) = row.try_get::<Option<String>, _>("schedule")? {
            match due_schedule(row, name.clone()) {
                Ok(schedule) => due.push(schedule),
                Err(error) => store.health.unreadable("schedules", &name, &error.to_string()),
            }
        }
    }
    Ok(DueSchedules { now, due, next_at })
}

fn due_schedule(row: &PgRow, name: String) -> Result<DueSchedule, sqlx::Error> {
    let next_due_at = time_if(row, "next_due_at")?;
    if next_due_at.is_some_and(|due| !(clock::FIRST..=clock::LAST).contains(&due)) {
        // Missed due times since then cannot be counted.
        return Err(sqlx::Error::Decode("its next due time is not between the years 1 and 9999".into()));
    }
    Ok(DueSchedule {
        name,
        revision: row.try_get("revision")?,
        rule: row.try_get("rule")?,
        timezone: row.try_get("timezone")?,
        starts_at: time_if(row, "starts_at")?,
        ends_at: time_if(row, "ends_at")?,
        jitter: seconds(row.try_get("jitter")?),
        missed: missed(row)?,
        next_due_at,
    })
}

/// Fires schedules and sets when they are due next, those that are still as they were found.
pub(crate) async fn fire(store: &Store, executor: impl PgExecutor<'_>, shots: &[Shot]) -> Result<Fired, sqlx::Error> {
    let due = shots.iter().flat_map(|shot| shot.due.iter().map(move |(due, start)| (shot.name.as_str(), *due, *start)));
    let due: Vec<_> = due.collect();
    let rows = store
        .query(statement!("schedules/fire"))
        .bind(shots.iter().map(|shot| shot.name.as_str()).collect::<Vec<_>>())
        .bind(shots.iter().map(|shot| shot.revision).collect::<Vec<_>>())
        .bind(shots.iter().map(|shot| shot.was_due_at).collect::<Vec<_>>())
        .bind(shots.iter().map(|shot| shot.next_due_at).collect::<Vec<_>>())
        .bind(due.iter().map(|(name, ..)| *name).collect::<Vec<_>>())
        .bind(due.iter().map(|(_, due, _)| *due).collect::<Vec<_>>())
        .bind(due.iter().map(|(_, _, start)| *start).collect::<Vec<_>>())
        .fetch_all(executor)
        .await?;
    let mut fired = Fired::default();
    for row in &rows {
        let execution_id = row.try_get::<Option<Uuid>, _>("execution_id")?.map(ExecutionId::from);
        let outcome = match (row.try_get("outcome")?, execution_id) {
            ("cancelled", Some(id)) => {
                let awaited = row.try_get::<Option<Uuid>, _>("awaited_by")?.is_some();
                fired.cancelled.push(EndedEarly { id, ended: true, queue: row.try_get("queue")?, awaited });
                continue;
            }
            ("started", _) => {
                fired.queues.push(row.try_get("queue")?);
                FiringOutcome::Started
            }
            ("queued", _) => FiringOutcome::Queued,
            _ => FiringOutcome::Skipped,
        };
        let (schedule, due_at) = (row.try_get("schedule")?, time(row, "due_at")?);
        fired.firings.push(ScheduleFired { schedule, due_at, outcome, execution_id });
    }
    Ok(fired)
}

/// Makes a schedule, or changes it where it differs; of that revision only, if one is given. Says whether anything was written.
pub(crate) async fn put(
    store: &Store,
    executor: impl PgExecutor<'_>,
    definition: &ScheduleDefinition,
    enabled: bool,
    next_due_at: Option<DateTime<Utc>>,
    revision: Option<i32>,
) -> Result<bool, sqlx::Error> {
    let (missed, window) = match definition.missed {
        Missed::Skip => ("skip", None),
        Missed::One => ("one", None),
        Missed::All => ("all", None),
        Missed::Window(window) => ("window", Some(window.as_secs_f64())),
    };
    let overlap = match definition.overlap {
        Overlap::Allow => "allow",
        Overlap::Skip => "skip",
        Overlap::Queue => "queue",
        Overlap::Cancel => "cancel",
    };
    let written = store
        .query(statement!("schedules/put"))
        .bind(&definition.name)
        .bind(&definition.workflow)
        .bind(definition.version)
        .bind(&definition.queue)
        .bind(definition.priority)
        .bind(definition.input.as_str())
        .bind(&definition.rule)
        .bind(&definition.timezone)
        .bind(definition.starts_at)
        .bind(definition.ends_at)
        .bind(definition.jitter.as_secs_f64())
        .bind(missed)
        .bind(window)
        .bind(overlap)
        .bind(definition.max_failures)
        .bind(definition.declared)
        .bind(next_due_at)
        .bind(enabled)
        .bind(revision)
        .bind(&definition.concurrency_key)
        .bind(definition.time_to_live.map(|time| time.as_secs_f64()))
        .bind(super::tags::text(&definition.tags))
        .fetch_optional(executor)
        .await?;
    Ok(written.is_some())
}

pub(crate) async fn get(store: &Store, executor: impl PgExecutor<'_>, name: &str) -> Result<Option<Schedule>, sqlx::Error> {
    let row = store.query(statement!("schedules/get")).bind(name).fetch_optional(executor).await?;
    Ok(row.as_ref().map(read))
}

pub(crate) async fn list(
    store: &Store,
    executor: impl PgExecutor<'_>,
    filter: &ScheduleFilter,
) -> Result<Vec<Schedule>, sqlx::Error> {
    let query = store
        .query(statement!("schedules/list"))
        .bind(&filter.workflow)
        .bind(filter.enabled)
        .bind(&filter.after)
        .bind(filter.limit);
    Ok(query.fetch_all(executor).await?.iter().map(read).collect())
}

/// Lets a schedule of that revision fire again; says whether it did.
pub(crate) async fn enable(
    store: &Store,
    executor: impl PgExecutor<'_>,
    name: &str,
    revision: i32,
    next_due_at: Option<DateTime<Utc>>,
) -> Result<bool, sqlx::Error> {
    let query = store.query(statement!("schedules/enable")).bind(name).bind(revision).bind(next_due_at);
    Ok(query.fetch_optional(executor).await?.is_some())
}

/// Keeps a schedule from firing; says whether there is one.
pub(crate) async fn disable(store: &Store, executor: impl PgExecutor<'_>, name: &str, reason: &str) -> Result<bool, sqlx::Error> {
    let query = store.query(statement!("schedules/disable")).bind(name).bind(reason);
    Ok(query.fetch_optional(executor).await?.is_some())
}

/// Deletes a schedule; says whether there was one.
pub(crate) async fn delete(store: &Store, executor: impl PgExecutor<'_>, name: &str) -> Result<bool, sqlx::Error> {
    Ok(store.query(statement!("schedules/delete")).bind(name).fetch_optional(executor).await?.is_some())
}

/// Starts an execution of a schedule now.
pub(crate) async fn trigger(
    store: &Store,
    executor: impl PgExecutor<'_>,
    name: &str,
    input: Option<&Payload>,
) -> Result<Triggered, sqlx::Error> {
    let query = store.query(statement!("schedules/trigger")).bind(name).bind(input.map(Payload::as_str));
    let row = query.fetch_one(executor).await?;
    Ok(Triggered { execution: row.try_get::<Uuid, _>("execution_id")?.into(), queue: row.try_get("queue")? })
}

/// Fires a schedule of that revision for due times that it has not fired for.
pub(crate) async fn backfill(
    store: &Store,
    executor: impl PgExecutor<'_>,
    name: &str,
    revision: i32,
    due: &[DateTime<Utc>],
) -> Result<Filled, sqlx::Error> {
    let query = store.query(statement!("schedules/backfill")).bind(name).bind(revision).bind(due);
    let row = query.fetch_one(executor).await?;
    Ok(Filled { count: row.try_get::<i32, _>("count")?.unsigned_abs(), queue: row.try_get("queue")? })
}

/// The firings of a schedule before that due time, latest first.
pub(crate) async fn firings(
    store: &Store,
    executor: impl PgExecutor<'_>,
    name: &str,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<Firing>, sqlx::Error> {
    let query = store.query(statement!("schedule_firings/list")).bind(name).bind(before).bind(limit);
    Ok(query.fetch_all(executor).await?.iter().map(read_firing).collect())
}

fn read(row: &PgRow) -> Schedule {
    let columns = Lenient::new(row);
    let (rule, timezone): (String, String) = (columns.get("rule"), columns.get("timezone"));
    let schedule = Schedule {
        name: columns.get("schedule"),
        workflow: columns.get("workflow"),
        version: columns.count("version"),
        queue: columns.get("queue"),
        priority: columns.get("priority"),
        input: columns.json("input").unwrap_or_default(),
        concurrency_key: columns.get("concurrency_key"),
        time_to_live: columns.seconds_if("time_to_live"),
        tags: columns.tags("tags"),
        description: describe(&rule, &timezone),
        rule,
        timezone,
        starts_at: columns.time_if("starts_at"),
        ends_at: columns.time_if("ends_at"),
        jitter: columns.seconds_if("jitter").unwrap_or_default(),
        missed: match columns.seconds_if("missed_window") {
            Some(window) => Missed::Window(window),
            None => columns.word("missed", Missed::default()),
        },
        overlap: columns.word("overlap", Overlap::default()),
        max_failures: columns.count_if("max_failures"),
        declared: columns.get("declared"),
        revision: columns.count("revision"),
        enabled: columns.get("enabled"),
        disabled_reason: columns.get("disabled_reason"),
        failures: columns.count("failures"),
        last_error: columns.failure("last_error"),
        next_due_at: columns.time_if("next_due_at"),
        created_at: columns.time("created_at"),
        updated_at: columns.time("updated_at"),
        unreadable: None,
    };
    Schedule { unreadable: columns.unreadable(), ..schedule }
}

/// The rule in words; none for one of a later release.
fn describe(rule: &str, timezone: &str) -> String {
    let timing = timezone.parse().and_then(|zone| Timing::read(rule, zone, None, None));
    timing.map(|timing| timing.describe()).unwrap_or_default()
}

fn read_firing(row: &PgRow) -> Firing {
    let columns = Lenient::new(row);
    let firing = Firing {
        due_at: columns.time("due_at"),
        fired_at: columns.time("fired_at"),
        cause: columns.word("cause", FiringCause::Due),
        outcome: columns.word("outcome", FiringOutcome::Skipped),
        execution_id: columns.get::<Option<Uuid>>("execution_id").map(ExecutionId::from),
        state: columns.get::<Option<&str>>("state").map(super::look::known_state),
        unreadable: None,
    };
    Firing { unreadable: columns.unreadable(), ..firing }
}

/// A policy with its window, which stands in a column of its own.
fn missed(row: &PgRow) -> Result<Missed, sqlx::Error> {
    match row.try_get::<Option<f64>, _>("missed_window")? {
        Some(window) => Ok(Missed::Window(seconds(window))),
        None => super::look::word(row.try_get("missed")?),
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
