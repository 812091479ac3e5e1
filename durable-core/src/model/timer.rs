//! When a timer of a graph fires next, as it is stored with its node.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A timer that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Timer {
    /// The state of the execution for which it was computed.
    pub(crate) cause: u32,
    /// How often it has fired for that state, and once more.
    pub(crate) number: u32,
    /// When it fires.
    pub(crate) next: DateTime<Utc>,
    /// How long after that it fires again; `None` for a timer that fires once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) every: Option<Duration>,
}

impl Timer {
    /// The due time for which it fires now, and what it waits for then. Due times that were missed count as one: it fires for the
    /// last of them.
    pub(crate) fn fire(self, now: DateTime<Utc>) -> (DateTime<Utc>, Option<Self>) {
        let Some(every) = self.every.and_then(|every| TimeDelta::from_std(every).ok()).filter(|every| *every > TimeDelta::zero())
        else {
            return (self.next, None);
        };
        let late = (now - self.next).max(TimeDelta::zero());
        let missed = late.num_microseconds().unwrap_or(0) / every.num_microseconds().unwrap_or(i64::MAX).max(1);
        let due = i32::try_from(missed).ok().and_then(|missed| self.next.checked_add_signed(every * missed));
        let due = due.unwrap_or(self.next);
        let next = due.checked_add_signed(every).unwrap_or(DateTime::<Utc>::MAX_UTC);
        (due, Some(Self { number: self.number.saturating_add(1), next, ..self }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn every(seconds: u64) -> Timer {
        Timer { cause: 3, number: 1, next: at(100), every: Some(Duration::from_secs(seconds)) }
    }

    #[test]
    fn a_timer_that_fires_once_fires_for_its_due_time() {
        let once = Timer { every: None, ..every(1) };
        assert_eq!(once.fire(at(100)), (at(100), None));
        assert_eq!(once.fire(at(5000)), (at(100), None));
    }

    #[test]
    fn missed_due_times_count_as_one_and_the_next_stays_on_the_grid() {
        for (now, due, next) in [(100, 100, 110), (109, 100, 110), (110, 110, 120), (137, 130, 140), (99, 100, 110)] {
            let (fired, then) = every(10).fire(at(now));
            let then = then.unwrap();
            assert_eq!((fired, then.next, then.number), (at(due), at(next), 2), "{now}");
        }
    }
}
