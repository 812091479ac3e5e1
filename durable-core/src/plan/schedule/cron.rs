//! Cron expressions in a time zone. `durable-rule` reads them; when they are due is decided here.
//!
//! A rule with `*` in its seconds, minutes or hours, such as `*/15 * * * *`, goes by the clock on the wall: a skipped hour does not
//! come, a doubled one comes twice. All others have fixed times: one that is skipped comes at the first instant after the skip,
//! and one that is doubled comes once, the first time. A day that the zone leaves out is no day.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use durable_rule::Cron;

use crate::calendar;

/// How far to look for a day that fits: the 29 February that is a Monday comes every 28 years, around 2100 every 40.
const YEARS: i32 = 50;

/// A cron expression in a time zone.
#[derive(Debug, Clone, Copy)]
pub(super) struct InZone<'rule> {
    pub(super) cron: &'rule Cron,
    pub(super) zone: Tz,
}

impl InZone<'_> {
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
        if self.is_fixed() || instant >= second {
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
        let there = if self.is_fixed() {
            calendar::exists(self.zone, shown.date())
        } else {
            self.zone.from_local_datetime(&shown).earliest().is_some()
        };
        let most = match (there, self.is_fixed()) {
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
        self.cron.matches_day(day.year(), day.month(), day.day())
    }

    /// Whether its times are fixed and do not follow the wall clock.
    fn is_fixed(&self) -> bool {
        !self.cron.is_by_the_clock()
    }

    /// The first time of day that fits, from `earliest` on.
    fn next_time(&self, earliest: NaiveTime) -> Option<NaiveTime> {
        let mut hours = (earliest.hour()..24).filter(|hour| self.cron.matches_hour(*hour));
        hours.find_map(|hour| {
            let earliest = if hour == earliest.hour() { earliest } else { NaiveTime::MIN };
            let mut minutes = (earliest.minute()..60).filter(|minute| self.cron.matches_minute(*minute));
            minutes.find_map(|minute| {
                let first = if minute == earliest.minute() { earliest.second() } else { 0 };
                let second = (first..60).find(|second| self.cron.matches_second(*second))?;
                NaiveTime::from_hms_opt(hour, minute, second)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::super::Timing;

    /// The next due times, as clocks in the zone show them.
    fn next(rule: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let (after, in_zone): (DateTime<Utc>, chrono_tz::Tz) = (after.parse().unwrap(), zone.parse().unwrap());
        let timing = Timing::read(rule, zone.parse().unwrap(), None, None).unwrap();
        timing.due_times(after).take(count).map(|due| due.with_timezone(&in_zone).format("%a %F %T %z").to_string()).collect()
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
}
