//! Cron expressions in a time zone. `croner` reads them; when they are due is decided here.
//!
//! A rule with `*` in its seconds, minutes or hours, such as `*/15 * * * *`, goes by the clock on the wall: a skipped hour does not
//! come, a doubled one comes twice. All others have fixed times: one that is skipped comes at the first instant after the skip,
//! and one that is doubled comes once, the first time. A day that the zone leaves out is no day.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use croner::CronPattern;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::Weekday;

use crate::calendar::{self, Zone};
use crate::error::{Error, ErrorKind, Result};

/// How far to look for a day that fits: the 29 February that is a Monday comes every 28 years, around 2100 every 40.
const YEARS: i32 = 50;

/// A cron expression in a time zone.
#[derive(Debug, Clone)]
pub(super) struct Cron {
    pattern: CronPattern,
    zone: Tz,
    /// Its times are fixed, rather than the clock's.
    fixed: bool,
}

impl Cron {
    pub(super) fn read(rule: &str, zone: Zone) -> Result<Self> {
        let refuse = |problem: &str| {
            let message = format!(
                "`{}` is no schedule: {problem}; give five fields (minute, hour, day of the month, month, day of the week), six with \
                 seconds in front, a name such as `@daily`, or an interval such as `every 15m`",
                shown(rule)
            );
            Error::of_kind(ErrorKind::Invalid, message)
        };
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
        let known = if rule.trim().eq_ignore_ascii_case("@midnight") { "@daily" } else { rule };
        let pattern = parser.parse(known).map_err(|error| refuse(error.to_string().trim_end_matches('.')))?.pattern;
        let times = [&pattern.seconds, &pattern.minutes, &pattern.hours];
        if times.iter().any(|field| field.values().is_empty()) {
            return Err(refuse("it has no time of day"));
        }
        let fixed = !times.iter().any(|field| field.from_wildcard);
        let cron = Self { pattern, zone: zone.rules(), fixed };
        // From a leap year on, so that every day there is can be found.
        let some_time = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default().and_time(NaiveTime::MIN);
        match cron.next_shown(some_time) {
            Some(_) => Ok(cron),
            None => Err(refuse("its day never comes")),
        }
    }

    pub(super) fn describe(&self) -> String {
        self.pattern.describe()
    }

    pub(super) fn due_after(&self, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let utc = instant.naive_utc();
        let mut shown = utc.checked_add_offset(self.zone.offset_from_utc_datetime(&utc).fix())?;
        let again = self.shown_again(shown, instant);
        loop {
            shown = self.next_shown(shown)?;
            if let Some(due) = self.instants(shown).find(|due| *due > instant) {
                return Some(again.map_or(due, |again| again.min(due)));
            }
        }
    }

    /// The first of the earlier times of the clock that comes after `instant` once more, where the clock will be put back.
    fn shown_again(&self, shown: NaiveDateTime, instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let both = self.zone.from_local_datetime(&shown.with_nanosecond(0)?);
        let (first, second) = (both.earliest()?, both.latest()?);
        if self.fixed || instant >= second {
            return None;
        }
        let mut earlier = shown - (second - first) - TimeDelta::seconds(1);
        loop {
            earlier = self.next_shown(earlier).filter(|earlier| *earlier <= shown)?;
            if let Some(again) = self.instants(earlier).find(|again| *again > instant) {
                return Some(again);
            }
        }
    }

    /// When a time of the clock that fits is due.
    fn instants(&self, shown: NaiveDateTime) -> impl Iterator<Item = DateTime<Utc>> {
        let there = if self.fixed {
            calendar::exists(self.zone, shown.date())
        } else {
            self.zone.from_local_datetime(&shown).earliest().is_some()
        };
        let most = match (there, self.fixed) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => 2,
        };
        calendar::instants(self.zone, shown.date(), shown.time()).take(most)
    }

    /// The first time of a clock after `shown` that fits the expression, whether there is such a time or not.
    fn next_shown(&self, shown: NaiveDateTime) -> Option<NaiveDateTime> {
        let from = shown.with_nanosecond(0)?.checked_add_signed(TimeDelta::seconds(1))?;
        let days = from.date().iter_days().take_while(|day| day.year() <= from.year() + YEARS);
        days.filter(|day| self.fits(*day)).find_map(|day| {
            let earliest = if day == from.date() { from.time() } else { NaiveTime::MIN };
            Some(day.and_time(self.next_time(earliest)?))
        })
    }

    fn fits(&self, day: NaiveDate) -> bool {
        let weekday = Weekday::from_days_from_sunday(day.weekday().num_days_from_sunday());
        // Neither fails for a month and a day that there are.
        self.pattern.month_match(day.month()).unwrap_or(false)
            && self.pattern.day_match(day.year(), day.month(), day.day(), weekday).unwrap_or(false)
    }

    /// The first time of day that fits, from `earliest` on.
    fn next_time(&self, earliest: NaiveTime) -> Option<NaiveTime> {
        // None of these fails for a number that a clock shows.
        let mut hours = (earliest.hour()..24).filter(|hour| self.pattern.hour_match(*hour).unwrap_or(false));
        hours.find_map(|hour| {
            let earliest = if hour == earliest.hour() { earliest } else { NaiveTime::MIN };
            let mut minutes = (earliest.minute()..60).filter(|minute| self.pattern.minute_match(*minute).unwrap_or(false));
            minutes.find_map(|minute| {
                let first = if minute == earliest.minute() { earliest.second() } else { 0 };
                let second = (first..60).find(|second| self.pattern.second_match(*second).unwrap_or(false))?;
                NaiveTime::from_hms_opt(hour, minute, second)
            })
        })
    }
}

/// The rule as an error shows it: in one line, and not without end.
pub(super) fn shown(rule: &str) -> String {
    rule.escape_debug().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The next due times, as clocks in the zone show them.
    fn next(rule: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let zone: Zone = zone.parse().unwrap();
        let cron = Cron::read(rule, zone).unwrap();
        let after: DateTime<Utc> = after.parse().unwrap();
        std::iter::successors(cron.due_after(after), |due| cron.due_after(*due))
            .take(count)
            .map(|due| due.with_timezone(&zone.rules()).format("%a %F %T %z").to_string())
            .collect()
    }

    #[test]
    fn every_form_of_an_expression_is_understood() {
        for (rule, first) in [
            ("0 9 * * MON-FRI", "Mon 2026-06-08 09:00:00 +0000"),
            ("15 10 5 * *", "Sun 2026-07-05 10:15:00 +0000"),
            ("30 */5 * * * *", "Sat 2026-06-06 12:00:30 +0000"),
            ("@hourly", "Sat 2026-06-06 13:00:00 +0000"),
            ("@daily", "Sun 2026-06-07 00:00:00 +0000"),
            ("@midnight", "Sun 2026-06-07 00:00:00 +0000"),
            ("@weekly", "Sun 2026-06-07 00:00:00 +0000"),
            ("@monthly", "Wed 2026-07-01 00:00:00 +0000"),
            ("@yearly", "Fri 2027-01-01 00:00:00 +0000"),
            ("0 8 L * *", "Tue 2026-06-30 08:00:00 +0000"),
            ("0 8 15W 8 *", "Fri 2026-08-14 08:00:00 +0000"),
            ("0 8 LW 5 *", "Mon 2027-05-31 08:00:00 +0000"),
            ("0 8 * * FRI#2", "Fri 2026-06-12 08:00:00 +0000"),
            ("0 8 * * FRIL", "Fri 2026-06-26 08:00:00 +0000"),
            ("0 8 13 * FRI", "Fri 2026-06-12 08:00:00 +0000"),
            ("0 8 13 * +FRI", "Fri 2026-11-13 08:00:00 +0000"),
            ("0 0 29 2 *", "Tue 2028-02-29 00:00:00 +0000"),
            ("0 0 29 2 +MON", "Mon 2044-02-29 00:00:00 +0000"),
            ("0 0 * * 7", "Sun 2026-06-07 00:00:00 +0000"),
            ("0 22-23/1 * jan sun", "Sun 2027-01-03 22:00:00 +0000"),
        ] {
            assert_eq!(next(rule, "UTC", "2026-06-06T12:00:00Z", 1), [first], "{rule}");
        }
    }

    #[test]
    fn a_time_that_clocks_skip_comes_when_the_skip_is_over() {
        let due = next("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2);
        assert_eq!(due, ["Sun 2026-03-08 03:00:00 -0400", "Mon 2026-03-09 02:30:00 -0400"]);
        let by_the_clock = next("30 * * * *", "America/New_York", "2026-03-08T06:00:00Z", 2);
        assert_eq!(by_the_clock, ["Sun 2026-03-08 01:30:00 -0500", "Sun 2026-03-08 03:30:00 -0400"]);
    }

    #[test]
    fn a_time_that_clocks_show_twice_comes_once_and_by_the_clock_twice() {
        let due = next("0,30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z", 3);
        assert_eq!(due, ["Sun 2026-11-01 01:00:00 -0400", "Sun 2026-11-01 01:30:00 -0400", "Mon 2026-11-02 01:00:00 -0500"]);
        let by_the_clock = next("30 * * * *", "America/New_York", "2026-11-01T05:00:00Z", 3);
        assert_eq!(
            by_the_clock,
            ["Sun 2026-11-01 01:30:00 -0400", "Sun 2026-11-01 01:30:00 -0500", "Sun 2026-11-01 02:30:00 -0500"]
        );
    }

    #[test]
    fn a_day_that_a_zone_leaves_out_ends_no_schedule() {
        let due = next("0 9 * * *", "Pacific/Apia", "2011-12-29T18:00:00Z", 3);
        assert_eq!(due, ["Thu 2011-12-29 09:00:00 -1000", "Sat 2011-12-31 09:00:00 +1400", "Sun 2012-01-01 09:00:00 +1400"]);
        let every_second = next("* * * * * *", "Pacific/Apia", "2011-12-30T09:59:58Z", 2);
        assert_eq!(every_second, ["Thu 2011-12-29 23:59:59 -1000", "Sat 2011-12-31 00:00:00 +1400"]);
    }

    #[test]
    fn what_is_no_expression_is_refused_with_what_to_write() {
        let utc: Zone = "UTC".parse().unwrap();
        for rule in [
            "",
            "daily",
            "@fortnightly",
            "* * * *",
            "0 0 9 * * * 2026",
            "61 * * * *",
            "0 25 * * *",
            "0 9 * * MOON",
            "0 9 32 * *",
            "0 0 30 2 *",
            ", * * * *",
            "every15m",
            "0 9 * * 9",
            "*/0 * * * *",
            "a\0b c d e f",
        ] {
            let error = Cron::read(rule, utc).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains("such as `@daily`"), "{rule}: {error}");
        }
        assert!(Cron::read(&"9 ".repeat(1000), utc).unwrap_err().to_string().len() < 500);
    }

    #[test]
    fn an_expression_describes_itself() {
        let cron = Cron::read("0 9 * * MON-FRI", "UTC".parse().unwrap()).unwrap();
        assert_eq!(cron.describe(), "At 09:00, on Monday, Tuesday, Wednesday, Thursday, and Friday.");
    }
}
