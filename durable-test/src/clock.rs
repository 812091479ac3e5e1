//! The clock of a test's database: it is stopped, and moves only from one due time to the next.

use std::fmt;
use std::time::Duration;

use durable::chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use durable::{Error, ExecutionId, Result};
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{AssertSqlSafe, Executor, Row};

/// What became due while a test moved the clock; see [`Test::advance`](crate::Test::advance).
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Advanced {
    /// What became due, in the order of the due times.
    pub fired: Vec<Fired>,
}

/// Something that became due.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fired {
    /// When it was due.
    pub at: DateTime<Utc>,
    /// What it was.
    pub kind: Due,
    /// The execution; `None` for a schedule and for a rate.
    pub execution_id: Option<ExecutionId>,
    /// The journal key of a sleep, a timeout or a retry; otherwise the workflow, the schedule or the queue.
    pub name: String,
}

/// What may become due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Due {
    /// A sleep ends.
    Sleep,
    /// A wait for an event, an input, a topic or a child times out.
    Timeout,
    /// A step or a compensation that has failed is tried again.
    Retry,
    /// An execution that was started with a delay may begin.
    Start,
    /// The timeout of a workflow strikes.
    Deadline,
    /// The time to live of an execution that has not begun is over.
    Expiry,
    /// A schedule starts its workflow.
    Schedule,
    /// The rate of a queue lets an execution begin.
    Rate,
    /// An execution wakes for another reason.
    Timer,
}

impl Due {
    fn read(word: &str) -> Self {
        match word {
            "sleep" => Self::Sleep,
            "timeout" => Self::Timeout,
            "retry" => Self::Retry,
            "start" => Self::Start,
            "deadline" => Self::Deadline,
            "expiry" => Self::Expiry,
            "schedule" => Self::Schedule,
            "rate" => Self::Rate,
            _ => Self::Timer,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Sleep => "sleep",
            Self::Timeout => "timeout",
            Self::Retry => "retry",
            Self::Start => "start",
            Self::Deadline => "deadline",
            Self::Expiry => "expiry",
            Self::Schedule => "schedule",
            Self::Rate => "rate",
            Self::Timer => "timer",
        }
    }
}

impl fmt::Display for Due {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Fired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} `{}`", self.at.to_rfc3339_opts(SecondsFormat::AutoSi, true), self.kind, self.name)?;
        self.execution_id.map_or(Ok(()), |id| write!(f, " of execution {id}"))
    }
}

impl fmt::Display for Advanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fired.iter().try_for_each(|fired| writeln!(f, "{fired}"))
    }
}

/// Stops the clock where it is.
pub(crate) async fn freeze(pool: &PgPool) -> Result<()> {
    sqlx::query(include_str!("sql/freeze.sql")).execute(pool).await?;
    Ok(())
}

/// The database's time.
pub(crate) async fn now(pool: &PgPool) -> Result<DateTime<Utc>> {
    Ok(sqlx::query_scalar("select durable.now()").fetch_one(pool).await?)
}

/// Moves the clock, and tells the engines.
pub(crate) async fn turn_to(pool: &PgPool, time: DateTime<Utc>) -> Result<()> {
    let statement = include_str!("sql/turn.sql").replace("{time}", &time.to_rfc3339());
    pool.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
    Ok(())
}

/// All that is due at the next due time; nothing if nothing is due in the future.
pub(crate) async fn next_due(pool: &PgPool) -> Result<Vec<Fired>> {
    let rows = sqlx::query(include_str!("sql/next_due.sql")).fetch_all(pool).await?;
    let mut fired = rows.iter().map(read).collect::<Result<Vec<Fired>>>()?;
    // A timer that is known by another name is listed once.
    let known: Vec<_> = fired.iter().filter(|fired| fired.kind != Due::Timer).map(|fired| fired.execution_id).collect();
    fired.retain(|fired| fired.kind != Due::Timer || !known.contains(&fired.execution_id));
    Ok(fired)
}

fn read(row: &PgRow) -> Result<Fired> {
    let kind: &str = row.try_get("kind")?;
    Ok(Fired { at: row.try_get("at")?, kind: Due::read(kind), execution_id: read_id(row)?, name: row.try_get("name")? })
}

/// The execution's id in a row, if there is one.
pub(crate) fn read_id(row: &PgRow) -> Result<Option<ExecutionId>> {
    let id: Option<sqlx::types::Uuid> = row.try_get("execution_id")?;
    id.map(|id| id.to_string().parse()).transpose()
}

/// The time after so long.
pub(crate) fn after(now: DateTime<Utc>, by: Duration) -> Result<DateTime<Utc>> {
    let target = TimeDelta::from_std(by).ok().and_then(|by| now.checked_add_signed(by));
    target.ok_or_else(|| Error::permanent(format!("the clock cannot be moved by {by:?}: it ends before that")))
}
