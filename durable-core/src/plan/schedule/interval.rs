//! Intervals: `every 15m`, counted from a fixed time.

use chrono::{DateTime, TimeDelta, Utc};
use durable_rule::Interval;

/// The first time after `instant` that is a whole number of periods from `since`, or `since` itself.
pub(super) fn due_after(interval: Interval, since: DateTime<Utc>, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if instant < since {
        return Some(since);
    }
    // In microseconds, the unit of the database.
    let period = i64::try_from(interval.seconds()).ok()?.checked_mul(1_000_000)?;
    let periods = (instant - since).num_microseconds()? / period + 1;
    since.checked_add_signed(TimeDelta::microseconds(periods.checked_mul(period)?))
}
