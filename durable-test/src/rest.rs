//! Rest: when nothing runs, could run, or is due. The clock moves only then.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use durable::{Blocker, Error, ExecutionId, Result};
use sqlx::Row;

use crate::clock::{self, Fired};
use crate::state;
use crate::test::Inner;

/// First pause between two looks; it doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_micros(300);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// How long something is pending before the test asks why. A worker claims within milliseconds what it may claim.
const ASK_WHY_AFTER: Duration = Duration::from_millis(50);

/// How long an execution is pending, while nothing else happens, before its limits are taken to hold it back.
const HELD_BACK_AFTER: Duration = Duration::from_secs(1);

/// Most executions that an error describes.
const DESCRIBED: usize = 5;

/// Something that is not at rest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Active {
    kind: String,
    id: Option<String>,
    name: String,
}

/// Waits for rest, in growing pauses.
pub(crate) struct Watch {
    began: Instant,
    pause: Duration,
    /// What was active at the last look, and since when it was only that.
    last: (Instant, Vec<Active>),
}

impl Watch {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self { began: now, pause: FIRST_PAUSE, last: (now, Vec::new()) }
    }

    /// Whether everything is at rest now. Fails if it has not been for too long.
    pub(crate) async fn look(&mut self, inner: &Inner, what: &str) -> Result<bool> {
        inner.script.check()?;
        if !inner.script.is_crashing() {
            let active = active(inner).await?;
            if active != self.last.1 {
                self.last = (Instant::now(), active);
            }
            if self.is_rest(inner).await? {
                return Ok(true);
            }
        }
        if self.began.elapsed() > inner.patience() {
            return Err(late(inner, what, &self.last.1).await);
        }
        Ok(false)
    }

    pub(crate) async fn pause(&mut self) {
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Whether nothing that is active can come any further.
    async fn is_rest(&self, inner: &Inner) -> Result<bool> {
        let (since, active) = &self.last;
        if active.is_empty() {
            return Ok(true);
        }
        if active.iter().any(|active| active.kind == "running") {
            return Ok(false);
        }
        if !inner.has_workers() {
            return Ok(true);
        }
        let unchanged = since.elapsed();
        if unchanged < ASK_WHY_AFTER || active.iter().any(|active| active.kind != "pending") {
            return Ok(false);
        }
        for active in active {
            if !is_held_back(inner, active, unchanged).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether a pending execution cannot begin: its queue is paused or full, no worker takes it, or a limit holds it back.
async fn is_held_back(inner: &Inner, active: &Active, unchanged: Duration) -> Result<bool> {
    let Some(id) = &active.id else { return Ok(false) };
    let why = inner.client().introspect(id.parse()?).await?;
    // By now it may have begun: then other things keep it from continuing, and the next look sees it.
    let is_limited = why.details.execution.concurrency_key.is_some() || has_limits(inner, &why.details.execution.queue).await?;
    Ok(why.blockers.iter().any(|blocker| match blocker {
        Blocker::QueuePaused { .. } | Blocker::NoWorker { .. } | Blocker::UnknownWorkflow { .. } => true,
        // Without a limit, a worker is about to claim it, however slow the machine is.
        Blocker::QueueFull { .. } | Blocker::Turn { .. } => is_limited && unchanged > HELD_BACK_AFTER,
        _ => false,
    }))
}

/// Whether anything limits how many executions of a queue run or begin.
async fn has_limits(inner: &Inner, queue: &str) -> Result<bool> {
    let limited = sqlx::query_scalar(include_str!("sql/has_limits.sql"));
    Ok(limited.bind(queue).fetch_one(inner.pool()).await?)
}

impl Inner {
    /// Returns when everything is at rest.
    pub(crate) async fn rest(&self, what: &str) -> Result<()> {
        let mut watch = Watch::new();
        while !watch.look(self, what).await? {
            watch.pause().await;
        }
        Ok(())
    }

    /// Moves the clock to the next due time, if that comes not after `limit`, and waits for rest. Returns what became due.
    pub(crate) async fn fire_next(&self, limit: Option<durable::chrono::DateTime<durable::chrono::Utc>>) -> Result<Vec<Fired>> {
        let due = clock::next_due(self.pool()).await?;
        let Some(at) = due.first().map(|due| due.at).filter(|at| limit.is_none_or(|limit| *at <= limit)) else {
            return Ok(Vec::new());
        };
        clock::turn_to(self.pool(), at).await?;
        self.rest(&format!("what was due at {at}")).await?;
        Ok(due)
    }
}

async fn active(inner: &Inner) -> Result<Vec<Active>> {
    let rows = sqlx::query(include_str!("sql/active.sql")).fetch_all(inner.pool()).await?;
    let read = |row| -> Result<Active> {
        let row: &sqlx::postgres::PgRow = row;
        let id = clock::read_id(row)?.map(|id| id.to_string());
        Ok(Active { kind: row.try_get("kind")?, id, name: row.try_get("name")? })
    };
    let mut active = rows.iter().map(read).collect::<Result<Vec<Active>>>()?;
    active.sort();
    Ok(active)
}

/// Why the clock cannot move: everything that is not at rest, with its whole state.
async fn late(inner: &Inner, what: &str, active: &[Active]) -> Error {
    let patience = inner.patience();
    let mut message =
        format!("{what}: not everything has come to rest after {patience:?} of real time, so the clock cannot move");
    if inner.script.is_crashing() {
        message.push_str("\n- a worker has crashed, and no other has taken its place");
    }
    message.push_str(&inner.script.running());
    for Active { kind, name, .. } in active.iter().filter(|active| active.id.is_none()) {
        let _ = write!(message, "\n- {kind} `{name}` is due");
    }
    let ids: BTreeSet<&str> = active.iter().filter_map(|active| active.id.as_deref()).collect();
    for id in ids.into_iter().take(DESCRIBED) {
        if let Ok(id) = id.parse::<ExecutionId>() {
            let _ = write!(message, "\n\n{}", state::describe(inner.client(), id).await);
        }
    }
    Error::permanent(message)
}
