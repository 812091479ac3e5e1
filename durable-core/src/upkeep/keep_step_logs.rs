//! Keeps what steps logged. It is never in the way of an execution: what cannot be written is dropped and counted.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::Level;

use crate::clock::Clock;
use crate::store::step_logs::{self, NewStepLog};
use crate::store::{self, MOST_BYTES, Session};
use crate::telemetry::{self, AttemptLog};

/// Most logs of attempts in one statement.
const BATCH: usize = 500;

/// Pause between two statements, in which logs gather.
const PAUSE: Duration = Duration::from_millis(5);

/// How often a statement is tried before its logs are dropped.
const TRIES: u32 = 5;

/// Pause between two tries.
const PAUSE_WHEN_OUT: Duration = Duration::from_millis(500);

/// Keeps logs until the process shuts down, and then those that are left.
pub(crate) async fn keep_step_logs(
    session: &mut Session,
    logs: &mut mpsc::Receiver<AttemptLog>,
    closing: &mut watch::Receiver<bool>,
    clock: &Arc<Clock>,
) {
    let mut gathered = Vec::new();
    loop {
        tokio::select! {
            count = logs.recv_many(&mut gathered, BATCH) => if count == 0 { return },
            _ = closing.wait_for(|closes| *closes), if !logs.is_closed() => {
                logs.close();
                continue;
            }
        }
        gathered.iter().for_each(AttemptLog::taken);
        let new: Vec<NewStepLog> = gathered.drain(..).map(|log| written(&log, clock)).collect();
        let mut rest = &new[..];
        while let Some(next) = rest.get(..stretch(rest)).filter(|next| !next.is_empty()) {
            keep(session, next).await;
            rest = &rest[next.len()..];
        }
        if !logs.is_closed() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// How many of the logs fit into one statement.
fn stretch(logs: &[NewStepLog]) -> usize {
    let mut bytes = 0_usize;
    let fits = logs.iter().take_while(|log| {
        bytes = bytes.saturating_add(log.lines.len());
        bytes <= MOST_BYTES
    });
    fits.count().max(1).min(logs.len())
}

async fn keep(session: &mut Session, logs: &[NewStepLog]) {
    for _ in 0..TRIES {
        match save(session, logs).await {
            Ok(()) => return,
            Err(error) if store::is_outage(&error) => {
                tracing::debug!(%error, "cannot keep what steps logged; trying again soon");
                tokio::time::sleep(PAUSE_WHEN_OUT).await;
            }
            Err(error) => {
                tracing::warn!(%error, logs = logs.len(), "what steps logged was refused");
                break;
            }
        }
    }
    telemetry::step_logs_dropped(logs.len());
}

async fn save(session: &mut Session, logs: &[NewStepLog]) -> Result<(), sqlx::Error> {
    let mut connection = session.connection().await?;
    let saved = step_logs::save(session.store(), &mut *connection, logs).await;
    session.give_back(connection, saved)
}

/// A line as it is kept: a [`LogLine`](crate::model::LogLine), borrowed.
#[derive(Serialize)]
struct Line<'log> {
    at: DateTime<Utc>,
    level: &'static str,
    target: &'static str,
    message: &'log str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<&'log RawValue>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

/// The log as it is kept. Its times are those of the database.
fn written(log: &AttemptLog, clock: &Clock) -> NewStepLog {
    let (now, since) = (clock.now(), Instant::now());
    let lines = log.lines.iter().map(|line| Line {
        at: now - since.saturating_duration_since(line.at),
        level: level(line.level),
        target: line.target,
        message: &line.message,
        // Without fields the text is empty, and no JSON.
        fields: serde_json::from_str(&line.fields).ok(),
        cut: line.cut,
    });
    let lines: Vec<Line<'_>> = lines.collect();
    // Made of strings and numbers: it always encodes.
    let lines = serde_json::to_string(&lines).unwrap_or_else(|_| "[]".to_owned());
    let AttemptLog { execution_id, epoch, attempt, left_out, .. } = *log;
    NewStepLog { execution_id, epoch, key: log.key.clone(), attempt, left_out, lines }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}
