//! The database's clock as this process knows it: the only reader of time, and one that tests can turn.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Longest nap before the clock is looked at again: a timer this far away is far from due.
const LONGEST_NAP: Duration = Duration::from_secs(3600);

/// Shortest nap before a time that is still to come: tokio's timer counts in milliseconds.
const SHORTEST_NAP: Duration = Duration::from_millis(1);

/// Shorter times are ignored: the database's clock counts in microseconds.
const SHORTEST_TIME: Duration = Duration::from_micros(1);

/// Drift of the local reading that is not worth waking every timer for.
const TOLERATED_DRIFT: TimeDelta = TimeDelta::milliseconds(1);

/// The last moment of the year 9999. A later due time never comes.
pub(crate) const LAST: DateTime<Utc> = match DateTime::from_timestamp(253_402_300_799, 999_999_000) {
    Some(last) => last,
    None => DateTime::<Utc>::MAX_UTC,
};

/// The first moment of the year 1: long before anything was due.
pub(crate) const FIRST: DateTime<Utc> = match DateTime::from_timestamp(-62_135_596_800, 0) {
    Some(first) => first,
    None => DateTime::<Utc>::MIN_UTC,
};

/// The longest duration: a thousand years. A longer wait never ends.
pub(crate) const LONGEST: Duration = Duration::from_secs(365_250 * 86_400);

/// The database's time, carried forward by this process's monotonic clock between readings.
#[derive(Debug)]
pub(crate) struct Clock {
    state: watch::Sender<State>,
    doubted: Notify,
    /// A move forward by more than this is not drift: the clock was set.
    most_drift: TimeDelta,
}

/// The state of the database's clock as this process knows it.
#[derive(Debug, Clone, Copy)]
struct State {
    reading: Reading,
    /// When this process last noticed that the clock was set forward.
    set_forward: Option<Instant>,
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

/// A stopwatch: when something began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch {
    reading: Reading,
    began: Instant,
}

/// The newest time that an execution has on record, in microseconds since 1970. `cx.now()` never returns an earlier one.
#[derive(Debug, Default)]
pub(crate) struct Latest(AtomicI64);

impl Latest {
    pub(crate) fn note(&self, time: DateTime<Utc>) {
        self.0.fetch_max(time.timestamp_micros(), Ordering::AcqRel);
    }

    /// The time, or the newest on record if that is later.
    pub(crate) fn or(&self, time: DateTime<Utc>) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0.load(Ordering::Acquire)).map_or(time, |latest| latest.max(time))
    }
}

impl Clock {
    /// A clock that shows this time now; a move forward by more than `most_drift` counts as a step.
    pub(crate) fn new(reading: Reading, most_drift: Duration) -> Self {
        Self {
            state: watch::Sender::new(State { reading, set_forward: None }),
            doubted: Notify::new(),
            most_drift: TimeDelta::from_std(most_drift).unwrap_or(TimeDelta::MAX),
        }
    }

    /// The database's time.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.state.borrow().reading.now()
    }

    /// How long ago that was; zero if it is unknown or still to come.
    pub(crate) fn since(&self, time: Option<DateTime<Utc>>) -> Duration {
        time.and_then(|time| (self.now() - time).to_std().ok()).unwrap_or_default()
    }

    /// The database's time; `None` if its clock was found to have been set forward within this time.
    pub(crate) fn settled(&self, within: Duration) -> Option<DateTime<Utc>> {
        let state = self.state.borrow();
        state.set_forward.is_none_or(|found| found.elapsed() >= within).then(|| state.reading.now())
    }

    /// Takes a new reading over, and lets timers look again when it moved the clock.
    pub(crate) fn set(&self, reading: Reading) {
        self.state.send_if_modified(|state| {
            let current = state.reading;
            let by = reading.now() - current.now();
            // A stopped clock does not drift: if it has moved, a test has set it.
            let tolerated = if reading.frozen { TimeDelta::zero() } else { TOLERATED_DRIFT };
            let moved = current.frozen != reading.frozen || by.abs() > tolerated;
            if moved {
                state.reading = reading;
            }
            // Tests that turn a stopped clock extend the leases themselves.
            if by > self.most_drift && !reading.frozen && !current.frozen {
                state.set_forward = Some(Instant::now());
            }
            moved
        });
    }

    /// Forces a new reading of the database's clock. A timer was due by this clock but not by the database's, which may have
    /// been set back.
    pub(crate) fn doubt(&self) {
        self.doubted.notify_one();
    }

    /// Returns when the clock was doubted.
    pub(crate) async fn doubted(&self) {
        self.doubted.notified().await;
    }

    /// Starts a watch.
    pub(crate) fn watch(&self) -> Watch {
        Watch { reading: self.state.borrow().reading, began: Instant::now() }
    }

    /// The time since the watch was started, however the database's clock was set meanwhile. If a test has stopped the clock,
    /// how far the test has turned it.
    pub(crate) fn elapsed(&self, watch: Watch) -> Duration {
        let now = self.state.borrow().reading;
        if now.frozen || watch.reading.frozen {
            (now.now() - watch.reading.now()).to_std().unwrap_or_default()
        } else {
            watch.began.elapsed()
        }
    }

    /// Returns after this much time, measured from now.
    pub(crate) async fn passed(&self, time: Duration) {
        let mut states = self.state.subscribe();
        let mut left = time;
        while left >= SHORTEST_TIME {
            let before = states.borrow_and_update().reading;
            let watch = self.watch();
            let nap = if before.frozen { LONGEST_NAP } else { left.clamp(SHORTEST_NAP, LONGEST_NAP) };
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                changed = states.changed() => if changed.is_err() { return },
            }
            left = left.saturating_sub(self.elapsed(watch));
        }
    }

    /// Returns once the clock has reached `time`.
    pub(crate) async fn reached(&self, time: DateTime<Utc>) {
        let mut states = self.state.subscribe();
        loop {
            let (left, frozen) = {
                let reading = states.borrow_and_update().reading;
                (time - reading.now(), reading.frozen)
            };
            let Ok(left) = left.to_std() else { return };
            if left.is_zero() {
                return;
            }
            let nap = if frozen { LONGEST_NAP } else { left.clamp(SHORTEST_NAP, LONGEST_NAP) };
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                changed = states.changed() => if changed.is_err() { return },
            }
        }
    }
}

/// `time + delay`, at most [`LAST`]; in whole microseconds, rounded up, so that the database can hold it as it is.
pub(crate) fn after(time: DateTime<Utc>, delay: Duration) -> DateTime<Utc> {
    let nearly = TimeDelta::nanoseconds(999);
    let exact = TimeDelta::from_std(delay).ok().and_then(|delay| time.checked_add_signed(delay));
    exact.and_then(|exact| exact.checked_add_signed(nearly)).map_or(LAST, |after| after.trunc_subsecs(6).min(LAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_frozen_clock_moves_only_when_it_is_turned() {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let reading = Reading { database: start, taken: Instant::now(), frozen: true };
        let clock = Clock::new(reading, Duration::from_secs(1));
        assert_eq!(clock.now(), start);
        let noon = start + TimeDelta::hours(12);
        let wait = clock.reached(noon);
        tokio::pin!(wait);
        assert!(futures_util::poll!(&mut wait).is_pending());
        clock.set(Reading { database: noon, ..reading });
        wait.await;
        assert_eq!(clock.now(), noon);
    }

    #[tokio::test]
    async fn a_minute_is_not_over_because_the_clock_was_set_and_passes_as_a_test_turns_a_stopped_one() {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let read = |seconds, frozen| Reading { database: start + TimeDelta::seconds(seconds), taken: Instant::now(), frozen };
        let minute = Duration::from_secs(60);
        let clock = Clock::new(read(0, false), Duration::from_secs(1));
        let passed = clock.passed(minute);
        tokio::pin!(passed);
        for seconds in [3600, -3600, 0] {
            assert!(futures_util::poll!(&mut passed).is_pending());
            clock.set(read(seconds, false));
        }
        assert!(futures_util::poll!(&mut passed).is_pending());

        clock.set(read(0, true));
        let passed = clock.passed(minute);
        tokio::pin!(passed);
        for seconds in [30, 59, 60] {
            assert!(futures_util::poll!(&mut passed).is_pending(), "{seconds}");
            clock.set(read(seconds, true));
        }
        passed.await;
    }

    #[tokio::test]
    async fn a_clock_that_was_set_forward_is_settled_some_time_later_and_one_that_drifts_or_was_set_back_is_so_at_once() {
        let start = DateTime::<Utc>::UNIX_EPOCH;
        let read = |seconds| Reading { database: start + TimeDelta::seconds(seconds), taken: Instant::now(), frozen: false };
        let clock = Clock::new(read(0), Duration::from_secs(1));
        for seconds in [0, -3600, -3600] {
            clock.set(read(seconds));
            assert!(clock.settled(Duration::MAX).is_some(), "{seconds}");
        }
        clock.set(read(-3590));
        assert_eq!(clock.settled(Duration::MAX), None);
        assert!(clock.settled(Duration::ZERO).is_some());
    }
}
