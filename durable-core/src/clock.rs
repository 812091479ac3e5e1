//! The database's clock as this process knows it: the only reader of time, and one that tests can turn.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::time::Instant;

/// Longest nap before the clock is looked at again: a timer this far away is far from due.
const LONGEST_NAP: Duration = Duration::from_secs(3600);

/// Shortest nap before a time that is still to come: tokio's timer counts in milliseconds.
const SHORTEST_NAP: Duration = Duration::from_millis(1);

/// Drift of the local reading that is not worth waking every timer for.
const TOLERATED_DRIFT: TimeDelta = TimeDelta::milliseconds(1);

/// The database's time, carried forward by this process's monotonic clock between readings.
#[derive(Debug)]
pub(crate) struct Clock {
    reading: watch::Sender<Reading>,
}

/// One look at the database's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) database: DateTime<Utc>,
    pub(crate) taken: Instant,
    /// Whether a test stopped the clock.
    pub(crate) frozen: bool,
}

impl Reading {
    fn now(&self) -> DateTime<Utc> {
        if self.frozen {
            return self.database;
        }
        self.database + TimeDelta::from_std(self.taken.elapsed()).unwrap_or(TimeDelta::MAX)
    }
}

impl Clock {
    pub(crate) fn new(reading: Reading) -> Self {
        Self { reading: watch::Sender::new(reading) }
    }

    /// The database's time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.reading.borrow().now()
    }

    /// Takes a new reading over, and lets timers look again when it moved the clock.
    pub(crate) fn set(&self, reading: Reading) {
        self.reading.send_if_modified(|current| {
            // A stopped clock does not drift: whatever it moved by, somebody turned it.
            let tolerated = if reading.frozen { TimeDelta::zero() } else { TOLERATED_DRIFT };
            let moved = current.frozen != reading.frozen || (current.now() - reading.now()).abs() > tolerated;
            if moved {
                *current = reading;
            }
            moved
        });
    }

    /// Takes note that the database's clock has shown this time: the clock is not behind it.
    pub(crate) fn not_before(&self, time: DateTime<Utc>) {
        if self.now() < time {
            self.reading.send_modify(|reading| *reading = Reading { database: time, taken: Instant::now(), ..*reading });
        }
    }

    /// Returns once the clock has reached `time`.
    pub(crate) async fn reached(&self, time: DateTime<Utc>) {
        let mut readings = self.reading.subscribe();
        loop {
            let (left, frozen) = {
                let reading = readings.borrow_and_update();
                (time - reading.now(), reading.frozen)
            };
            let Ok(left) = left.to_std() else { return };
            if left.is_zero() {
                return;
            }
            let nap = if frozen { LONGEST_NAP } else { left.clamp(SHORTEST_NAP, LONGEST_NAP) };
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                changed = readings.changed() => if changed.is_err() { return },
            }
        }
    }
}

/// `time + delay`, at most the end of time; in whole microseconds, rounded up, so that the database can hold it as it is.
pub(crate) fn after(time: DateTime<Utc>, delay: Duration) -> DateTime<Utc> {
    let nearly = TimeDelta::nanoseconds(999);
    let exact = TimeDelta::from_std(delay).ok().and_then(|delay| time.checked_add_signed(delay));
    exact.and_then(|exact| exact.checked_add_signed(nearly)).map_or(DateTime::<Utc>::MAX_UTC, |after| after.trunc_subsecs(6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frozen_clock_moves_only_when_it_is_turned() {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let reading = Reading { database: start, taken: Instant::now(), frozen: true };
        let clock = Clock::new(reading);
        assert_eq!(clock.now(), start);
        let noon = start + TimeDelta::hours(12);
        let wait = clock.reached(noon);
        tokio::pin!(wait);
        assert!(futures_util::poll!(&mut wait).is_pending());
        clock.set(Reading { database: noon, ..reading });
        wait.await;
        assert_eq!(clock.now(), noon);
    }
}
