//! When a schedule is due, what is fired of what was missed, and how far a start is put off.

mod cron;
mod interval;
#[cfg(test)]
mod transitions;
#[cfg(test)]
mod walk;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use durable_rule::Rule;
use uuid::Uuid;

use crate::calendar::Zone;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Missed;

use cron::InZone;

/// Later than this, a due time was missed: it takes longer than a hiccup, and less than a deployment without a worker.
const ON_TIME: TimeDelta = TimeDelta::seconds(10);

/// Most due times that are made up for at once, and in one backfill.
pub(crate) const MOST_DUE: usize = 1000;

/// When a schedule is due.
#[derive(Debug, Clone)]
pub(crate) struct Timing {
    rule: Rule,
    zone: Tz,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
}

/// What to do about a schedule at some time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DueTimes {
    /// The due times to fire, in order.
    pub(crate) due: Vec<DateTime<Utc>>,
    /// When it is due next; `None` if it has ended.
    pub(crate) next: Option<DateTime<Utc>>,
}

impl Timing {
    /// The times at which a rule is due in a time zone, between a start and an end.
    pub(crate) fn read(rule: &str, zone: Zone, starts_at: Option<DateTime<Utc>>, ends_at: Option<DateTime<Utc>>) -> Result<Self> {
        if let (Some(start), Some(end)) = (starts_at, ends_at)
            && end < start
        {
            let problem = format!("a schedule cannot end ({end}) before it starts ({start}); swap or change them");
            return Err(Error::of_kind(ErrorKind::Invalid, problem));
        }
        let rule = Rule::read(rule).map_err(|refusal| Error::of_kind(ErrorKind::Invalid, refusal.to_string()))?;
        Ok(Self { rule, zone: zone.rules(), starts_at, ends_at })
    }

    /// The first due time after `instant`; none when the schedule has ended by then.
    pub(crate) fn due_after(&self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // A due time at the start itself counts.
        let before_start = self.starts_at.and_then(|start| start.checked_sub_signed(TimeDelta::microseconds(1)));
        let instant = before_start.map_or(instant, |start| start.max(instant));
        let due = match &self.rule {
            Rule::Cron(cron) => InZone { cron, zone: self.zone }.due_after(instant),
            // Counted from a fixed time, so that every process and every release means the same times.
            Rule::Every(interval) => interval::due_after(*interval, self.starts_at.unwrap_or(DateTime::UNIX_EPOCH), instant),
        };
        due.filter(|due| self.ends_at.is_none_or(|end| *due <= end))
    }

    /// The due times after `instant`, in order.
    pub(crate) fn due_times(&self, instant: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        std::iter::successors(self.due_after(instant), |due| self.due_after(*due))
    }

    /// The rule in words.
    pub(crate) fn describe(&self) -> String {
        self.rule.describe()
    }

    /// What to fire at `now`, when the schedule has not fired since it was due at `first`.
    pub(crate) fn fire(&self, first: DateTime<Utc>, now: DateTime<Utc>, missed: Missed) -> DueTimes {
        let next = self.due_after(now);
        let on_time = now - ON_TIME;
        let earliest = match missed {
            Missed::Skip => on_time,
            Missed::One | Missed::All => first,
            Missed::Window(window) => {
                let begin = TimeDelta::from_std(window).ok().and_then(|window| now.checked_sub_signed(window));
                begin.map_or(first, |begin| on_time.min(begin))
            }
        };
        let mut due = self.last_due(first.max(earliest), now);
        if missed == Missed::One {
            // What is on time, or else the last.
            let late = due.iter().take_while(|due| **due < on_time).count();
            due.drain(..late.min(due.len().saturating_sub(1)));
        }
        DueTimes { due, next }
    }

    /// The last due times from `first` to `now`, in order, at most [`MOST_DUE`].
    fn last_due(&self, first: DateTime<Utc>, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        // Looks back farther and farther, so that a year without workers costs a schedule of every second no more than an hour.
        let mut back = TimeDelta::minutes(15);
        loop {
            let from = first.max(now - back);
            let mut due: Vec<_> = self.due_times(from - TimeDelta::microseconds(1)).take_while(|due| *due <= now).collect();
            if due.len() >= MOST_DUE || from == first {
                due.drain(..due.len().saturating_sub(MOST_DUE));
                return due;
            }
            back = back * 4;
        }
    }
}

/// When the execution of a due time starts: up to `jitter` later. The delay is random, but equal for every worker that computes it.
pub(crate) fn start_at(schedule: &str, due: DateTime<Utc>, jitter: Duration) -> DateTime<Utc> {
    if jitter.is_zero() {
        return due;
    }
    let chance = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{schedule} {}", due.timestamp_micros()).as_bytes());
    let part = chance.as_u64_pair().0 >> 32;
    // In this order nothing overflows, and the part is below the whole.
    let micros = (jitter.as_micros() * u128::from(part)) >> 32;
    clock::after(due, Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(time: &str) -> DateTime<Utc> {
        time.parse().unwrap()
    }

    fn timing(rule: &str) -> Timing {
        Timing::read(rule, "UTC".parse().unwrap(), None, None).unwrap()
    }

    fn fired(rule: &str, first: &str, now: &str, missed: Missed) -> Vec<String> {
        let firing = timing(rule).fire(utc(first), utc(now), missed);
        firing.due.iter().map(|due| due.format("%H:%M:%S").to_string()).collect()
    }

    #[test]
    fn after_three_missed_periods_each_policy_fires_as_many_as_it_says() {
        let fired = |missed| fired("0 * * * *", "2026-06-01T10:00:00Z", "2026-06-01T12:30:00Z", missed);
        assert!(fired(Missed::Skip).is_empty());
        assert_eq!(fired(Missed::One), ["12:00:00"]);
        assert_eq!(fired(Missed::All), ["10:00:00", "11:00:00", "12:00:00"]);
        assert_eq!(fired(Missed::Window(Duration::from_secs(2 * 3600))), ["11:00:00", "12:00:00"]);
        assert!(fired(Missed::Window(Duration::from_secs(60))).is_empty());
    }

    #[test]
    fn what_is_due_now_fires_under_every_policy_and_nothing_else_does_under_one() {
        let fired = |missed| fired("0 * * * *", "2026-06-01T10:00:00Z", "2026-06-01T12:00:01Z", missed);
        assert_eq!(fired(Missed::Skip), ["12:00:00"]);
        assert_eq!(fired(Missed::One), ["12:00:00"]);
        assert_eq!(fired(Missed::All).len(), 3);
        assert_eq!(fired(Missed::Window(Duration::ZERO)), ["12:00:00"]);
    }

    #[test]
    fn a_hiccup_loses_nothing() {
        for missed in [Missed::Skip, Missed::One, Missed::All] {
            let fired = fired("* * * * * *", "2026-06-01T10:00:00Z", "2026-06-01T10:00:03.5Z", missed);
            assert_eq!(fired, ["10:00:00", "10:00:01", "10:00:02", "10:00:03"]);
        }
    }

    #[test]
    fn a_year_without_workers_makes_up_for_the_last_thousand() {
        let now = utc("2026-06-01T10:00:00Z");
        let firing = timing("every 1s").fire(utc("2025-06-01T10:00:00Z"), now, Missed::All);
        assert_eq!((firing.due.len(), firing.due.last()), (MOST_DUE, Some(&now)));
        assert_eq!(firing.next, Some(utc("2026-06-01T10:00:01Z")));
        let yearly = timing("@yearly").fire(utc("2020-01-01T00:00:00Z"), now, Missed::All);
        assert_eq!(yearly.due.len(), 7);
    }

    #[test]
    fn a_schedule_is_due_from_its_start_to_its_end() {
        let (start, end) = (utc("2026-06-01T10:00:00Z"), utc("2026-06-01T12:00:00Z"));
        let timing = |rule| Timing::read(rule, "UTC".parse().unwrap(), Some(start), Some(end)).unwrap();
        for rule in ["0 * * * *", "every 1h"] {
            let due: Vec<_> = timing(rule).due_times(utc("2026-01-01T00:00:00Z")).collect();
            assert_eq!(due, [start, utc("2026-06-01T11:00:00Z"), end], "{rule}");
        }
        let refused = Timing::read("@daily", "UTC".parse().unwrap(), Some(end), Some(start)).unwrap_err();
        assert!(refused.to_string().contains("cannot end"), "{refused}");
    }

    #[test]
    fn an_interval_is_counted_from_its_start_or_from_full_hours() {
        assert_eq!(timing("every 15m").due_after(utc("2026-06-01T10:07:00Z")), Some(utc("2026-06-01T10:15:00Z")));
        assert_eq!(timing("every 15m").due_after(utc("2026-06-01T10:15:00Z")), Some(utc("2026-06-01T10:30:00Z")));
        let start = utc("2026-06-01T10:07:00Z");
        let since = Timing::read("every 1h30m", "UTC".parse().unwrap(), Some(start), None).unwrap();
        assert_eq!(since.due_after(utc("2026-01-01T00:00:00Z")), Some(start));
        assert_eq!(since.due_after(start), Some(utc("2026-06-01T11:37:00Z")));
    }

    #[test]
    fn jitter_is_the_same_for_everyone_and_less_than_its_limit() {
        let due = utc("2026-06-01T10:00:00Z");
        let jitter = Duration::from_secs(60);
        let starts: Vec<_> = (0..100).map(|n| start_at(&format!("schedule {n}"), due, jitter) - due).collect();
        assert!(starts.iter().all(|delay| (TimeDelta::zero()..TimeDelta::seconds(60)).contains(delay)));
        assert!(starts.iter().any(|delay| *delay < TimeDelta::seconds(20)));
        assert!(starts.iter().any(|delay| *delay > TimeDelta::seconds(40)));
        assert_eq!(start_at("a", due, jitter), start_at("a", due, jitter));
        assert_ne!(start_at("a", due, jitter), start_at("a", due + TimeDelta::hours(1), jitter) - TimeDelta::hours(1));
        assert_eq!(start_at("a", due, Duration::ZERO), due);
    }
}
