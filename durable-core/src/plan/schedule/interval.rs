//! Intervals: `every 15m`.

use chrono::{DateTime, TimeDelta, Utc};

use crate::error::{Error, ErrorKind, Result};

/// How an interval begins; everything else is a cron expression.
const EVERY: &str = "every";

/// Every unit with its length in seconds, largest first, which is also the order they are written in.
const UNITS: [(char, i64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A century: beyond any real interval, and far from the limits of the calendar.
const LONGEST: i64 = 100 * 365 * 86_400;

/// A fixed time between due times, whatever clocks on the wall do.
#[derive(Debug, Clone)]
pub(super) struct Interval {
    period: TimeDelta,
    since: DateTime<Utc>,
}

/// The period of a rule that is an interval; an error for one that is malformed.
pub(super) fn of(rule: &str) -> Option<Result<TimeDelta>> {
    let rest = rule.trim().strip_prefix(EVERY)?;
    Some(period(rest.trim()).ok_or_else(|| {
        let problem = format!(
            "`{}` is no interval; write `every` and whole numbers with a unit (w, d, h, m, s), largest first, such as `every 15m` \
             or `every 1h30m`, from a second to a hundred years",
            super::cron::shown(rule)
        );
        Error::of_kind(ErrorKind::Invalid, problem)
    }))
}

fn period(text: &str) -> Option<TimeDelta> {
    let mut units = UNITS.iter();
    let mut seconds: i64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, behind) = rest.split_at(end);
        let unit = behind.chars().next()?;
        let (_, length) = units.find(|(name, _)| *name == unit)?;
        seconds = number.parse::<i64>().ok()?.checked_mul(*length)?.checked_add(seconds)?;
        rest = &behind[unit.len_utf8()..];
    }
    (1..=LONGEST).contains(&seconds).then(|| TimeDelta::seconds(seconds))
}

impl Interval {
    pub(super) fn new(period: TimeDelta, since: DateTime<Utc>) -> Self {
        Self { period, since }
    }

    pub(super) fn due_after(&self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if instant < self.since {
            return Some(self.since);
        }
        // In microseconds, which is what the database keeps.
        let period = self.period.num_microseconds()?;
        let periods = (instant - self.since).num_microseconds()? / period + 1;
        self.since.checked_add_signed(TimeDelta::microseconds(periods.checked_mul(period)?))
    }

    pub(super) fn describe(&self) -> String {
        let mut left = self.period.num_seconds();
        let mut text = EVERY.to_owned() + " ";
        for (unit, length) in UNITS {
            if left >= length {
                text.push_str(&format!("{}{unit}", left / length));
                left %= length;
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_told_from_cron_expressions_and_read() {
        for (rule, seconds) in [("every 15m", 900), ("every 1h30m", 5400), (" every  1w2d ", 777_600), ("every 1s", 1)] {
            assert_eq!(of(rule).unwrap().unwrap().num_seconds(), seconds, "{rule}");
        }
        assert!(of("*/15 * * * *").is_none());
    }

    #[test]
    fn what_is_no_interval_is_refused_with_what_to_write() {
        for rule in [
            "every",
            "every 15",
            "every m",
            "every 0s",
            "every 30m1h",
            "every 1.5h",
            "every 99999999w",
            "every 15 m",
            "every day",
        ] {
            let error = of(rule).unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("such as `every 15m`"), "{rule}: {error}");
        }
    }

    #[test]
    fn an_interval_describes_itself_as_it_is_written() {
        let interval = Interval::new(of("every 90m").unwrap().unwrap(), DateTime::UNIX_EPOCH);
        assert_eq!(interval.describe(), "every 1h30m");
    }
}
