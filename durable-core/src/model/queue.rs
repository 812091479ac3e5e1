//! Queues: what is in them, and how much of it may run and begin.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::payload;

/// How much of a queue may run at once and begin in a period, over all workers; without a limit, as much as workers have slots.
///
/// ```
/// use durable::{QueueLimits, seconds};
///
/// let limits = QueueLimits::default().concurrency(20).rate(5, seconds(1));
/// assert_eq!(limits.rate.unwrap().executions, 5);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QueueLimits {
    /// How many executions may run at once, 1 or more. A waiting execution does not run.
    pub concurrency: Option<u32>,
    /// How many executions may begin in a period.
    pub rate: Option<Rate>,
    /// How many executions of each concurrency key may begin in a period; those without a key are not counted.
    pub rate_per_key: Option<Rate>,
}

/// So many executions in every period: never more in any stretch of that length, wherever it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// How many, 1 or more.
    pub executions: u32,
    /// The length of the period, above zero.
    pub period: Duration,
}

impl QueueLimits {
    /// Lets so many executions run at once.
    #[must_use]
    pub fn concurrency(mut self, executions: u32) -> Self {
        self.concurrency = Some(executions);
        self
    }

    /// How many executions may begin in a period. An execution that continues after a wait, or on another worker, has begun already.
    #[must_use]
    pub fn rate(mut self, executions: u32, period: Duration) -> Self {
        self.rate = Some(Rate { executions, period });
        self
    }

    /// Lets so many executions of each concurrency key begin in a period.
    #[must_use]
    pub fn rate_per_key(mut self, executions: u32, period: Duration) -> Self {
        self.rate_per_key = Some(Rate { executions, period });
        self
    }

    /// Refuses limits that let nothing run, or cannot be stored.
    pub(crate) fn check(&self, queue: &str) -> Result<()> {
        let invalid = |message: String| Err(Error::of_kind(ErrorKind::Invalid, message));
        let rates = [("rate", self.rate), ("rate per key", self.rate_per_key)];
        let counts = rates.map(|(name, rate)| (name, rate.map(|rate| rate.executions)));
        for (name, count) in [("concurrency", self.concurrency)].into_iter().chain(counts) {
            match count {
                Some(0) => {
                    return invalid(format!(
                        "queue `{queue}` has a {name} of 0; give at least 1, leave the limit out, or pause the queue"
                    ));
                }
                Some(count) if i32::try_from(count).is_err() => {
                    return invalid(format!("queue `{queue}` has a {name} of {count}; give at most {}", i32::MAX));
                }
                _ => {}
            }
        }
        for (name, rate) in rates {
            if rate.is_some_and(|rate| rate.period < SHORTEST_PERIOD || rate.period > LONGEST_PERIOD) {
                return invalid(format!("queue `{queue}` has a {name} with a period that is not between 1 ms and 1000 days"));
            }
        }
        Ok(())
    }
}

/// Below it, a rate is above what a queue of one database can begin.
const SHORTEST_PERIOD: Duration = Duration::from_millis(1);

/// Every start of the last period is on record.
const LONGEST_PERIOD: Duration = Duration::from_secs(1000 * 86_400);

/// A queue: its limits, and what is in it now.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// How much of it may run and begin.
    pub limits: QueueLimits,
    /// Since when nothing is claimed from it, if it is paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Executions that a worker may claim now, or when the limits allow it; not executions that wait for a time or a message.
    pub pending: u64,
    /// When the oldest of these was started by a client.
    pub oldest_pending_at: Option<DateTime<Utc>>,
    /// Executions that run now, on all workers.
    pub running: u64,
    /// Columns of its row that could not be read, and why; these fields are empty here. `None` if all could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// The concurrency key, if it can be stored.
pub(crate) fn checked_concurrency_key(key: String) -> Result<String> {
    payload::check_indexed("a concurrency key", &key)?;
    Ok(key)
}
