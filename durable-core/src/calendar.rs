//! Times as people say them: the next business day at nine, Friday at noon, the end of the day, in any time zone.
//!
//! ```no_run
//! # use durable::prelude::*;
//! use durable::calendar::{self, Weekday, at};
//!
//! # async fn example(cx: &Context) -> Result<()> {
//! let berlin = calendar::in_zone("Europe/Berlin")?;
//! cx.sleep_until(berlin.next_business_day(cx.now().await?, at(9, 0)?)).await?;
//! cx.sleep_until(berlin.next_weekday(cx.now().await?, Weekday::Fri, at(12, 30)?)).await?;
//! cx.sleep_until(berlin.end_of_day(cx.now().await?)).await?;
//! # Ok(()) }
//! ```
//!
//! Everything here is a pure function of its arguments: give it [`Context::now`](crate::context::Context::now), which is
//! recorded, and a replay asks for the same time. Every result lies after the time it was asked for.
//!
//! # When clocks change
//!
//! - A local time that is skipped becomes the first instant that exists after it: 2:30 on the night in spring when Berlin goes
//!   from 2:00 to 3:00 is 3:00.
//! - A local time that comes twice is taken the first time; the second time, if the first has passed already.
//! - A day that a zone leaves out, as Samoa did with 30 December 2011, is no day there.
//!
//! The rules of each zone are those of the IANA time zone database that this library was built with; they are known up to the
//! year 2100. A sleep that has begun keeps its time, whatever later rules say.

mod zone;

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Offset, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

use crate::error::{Error, ErrorKind, Result};

pub use chrono::{NaiveDate, NaiveTime, Weekday};
pub use zone::Zone;

/// The calendar of a time zone: its days, and which of them are business days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    zone: Zone,
    holidays: BTreeSet<NaiveDate>,
}

/// The calendar of the zone with that name in the IANA time zone database, such as `Europe/Berlin` or `UTC`.
///
/// # Errors
/// `Invalid` when there is no such zone.
pub fn in_zone(name: &str) -> Result<Calendar> {
    Ok(Calendar::from(name.parse::<Zone>()?))
}

/// That time of day, on a clock of 24 hours.
///
/// ```
/// use durable::calendar::at;
/// assert_eq!(at(17, 30)?.to_string(), "17:30:00");
/// assert!(at(24, 0).is_err());   // midnight begins a day: at(0, 0)
/// # Ok::<(), durable::Error>(())
/// ```
///
/// # Errors
/// `Invalid` when no clock shows it.
pub fn at(hour: u32, minute: u32) -> Result<NaiveTime> {
    NaiveTime::from_hms_opt(hour, minute, 0).ok_or_else(|| {
        Error::of_kind(
            ErrorKind::Invalid,
            format!("{hour}:{minute:02} is no time of day; give an hour from 0 to 23 and a minute from 0 to 59"),
        )
    })
}

impl From<Zone> for Calendar {
    fn from(zone: Zone) -> Self {
        Self { zone, holidays: BTreeSet::new() }
    }
}

impl Calendar {
    /// The zone whose calendar it is.
    pub fn zone(&self) -> Zone {
        self.zone
    }

    /// Days that are not business days, on any day of the week. Added to the holidays given before.
    ///
    /// ```
    /// use durable::calendar::{self, NaiveDate, at};
    /// # fn example() -> Option<()> {
    /// let berlin = calendar::in_zone("Europe/Berlin").ok()?.holidays(NaiveDate::from_ymd_opt(2026, 1, 1));
    /// let new_years_eve = "2025-12-31T12:00:00Z".parse().ok()?;
    /// assert_eq!(berlin.next_business_day(new_years_eve, at(9, 0).ok()?).to_rfc3339(), "2026-01-02T08:00:00+00:00");
    /// # Some(()) }
    /// # example().unwrap();
    /// ```
    #[must_use]
    pub fn holidays(mut self, days: impl IntoIterator<Item = NaiveDate>) -> Self {
        self.holidays.extend(days);
        self
    }

    /// Whether people work on that day: Monday to Friday, and no holiday.
    pub fn is_business_day(&self, day: NaiveDate) -> bool {
        !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) && !self.holidays.contains(&day)
    }

    /// The first business day that follows the day of `after`, at that time of day. On a Monday that is Tuesday, however early
    /// it is; see [`next_business_time`](Self::next_business_time) for one that may be today.
    pub fn next_business_day(&self, after: DateTime<Utc>, time: NaiveTime) -> DateTime<Utc> {
        self.first(after, time, |today, day| day > today && self.is_business_day(day))
    }

    /// When it is next that time of day on a business day: today, if today is one and the time is still to come.
    pub fn next_business_time(&self, after: DateTime<Utc>, time: NaiveTime) -> DateTime<Utc> {
        self.first(after, time, |_, day| self.is_business_day(day))
    }

    /// The first such day of the week that follows the day of `after`, at that time of day. On a Monday, the next Monday is a
    /// week away. Holidays count as any other day.
    ///
    /// ```
    /// use durable::calendar::{self, Weekday, at};
    /// # fn example() -> durable::Result<()> {
    /// let sydney = calendar::in_zone("Australia/Sydney")?;
    /// let thursday = "2025-10-02T22:00:00Z".parse()?;   // Friday there
    /// assert_eq!(sydney.next_weekday(thursday, Weekday::Fri, at(9, 0)?).to_rfc3339(), "2025-10-09T22:00:00+00:00");
    /// # Ok(()) }
    /// # example().unwrap();
    /// ```
    pub fn next_weekday(&self, after: DateTime<Utc>, weekday: Weekday, time: NaiveTime) -> DateTime<Utc> {
        self.first(after, time, |today, day| day > today && day.weekday() == weekday)
    }

    /// The instant at which the day of `after` is over: the first of the next day, which is not always at midnight.
    pub fn end_of_day(&self, after: DateTime<Utc>) -> DateTime<Utc> {
        self.first(after, NaiveTime::MIN, |today, day| day > today)
    }

    /// The first instant after `after` that has this time of day, on a day that fits; the end of time, should there be none.
    fn first(&self, after: DateTime<Utc>, time: NaiveTime, fits: impl Fn(NaiveDate, NaiveDate) -> bool) -> DateTime<Utc> {
        let zone = self.zone.rules();
        let Some(today) = day_of(zone, after) else { return DateTime::<Utc>::MAX_UTC };
        let days = today.iter_days().filter(|day| fits(today, *day) && exists(zone, *day));
        let instants = days.flat_map(|day| instants(zone, day, time));
        instants.into_iter().find(|instant| *instant > after).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// The day that it is in the zone; none at the very end of time.
pub(crate) fn day_of(zone: Tz, instant: DateTime<Utc>) -> Option<NaiveDate> {
    let utc = instant.naive_utc();
    let local = utc.checked_add_offset(zone.offset_from_utc_datetime(&utc).fix())?;
    Some(local.date())
}

/// Whether the zone has that day: a day that it leaves out would begin on the day after.
pub(crate) fn exists(zone: Tz, day: NaiveDate) -> bool {
    instants(zone, day, NaiveTime::MIN).any(|start| day_of(zone, start) == Some(day))
}

/// When clocks of the zone show that day and time: once, twice in order, or, for a time that they skip, at the end of the skip.
pub(crate) fn instants(zone: Tz, day: NaiveDate, time: NaiveTime) -> impl Iterator<Item = DateTime<Utc>> {
    let local = day.and_time(time);
    let shown = zone.from_local_datetime(&local).map(|instant| instant.to_utc());
    // A skip ends when it begins: at the time that the offset before it gives to its first second.
    let skipped = || {
        let (begin, before) = GapInfo::new(&local, &zone)?.begin?;
        Some(begin.checked_sub_offset(before.fix())?.and_utc())
    };
    let first = shown.earliest().or_else(skipped);
    first.into_iter().chain(shown.latest().filter(move |latest| first.is_some_and(|first| first < *latest)))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    /// Whole hours, half hours, minutes past midnight; zones that change clocks at night, at midnight, at 1:00 UTC on Saturday
    /// evening, by half an hour, in the other half of the year, or never.
    const ZONES: [&str; 8] = [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "America/Nuuk",
        "Africa/Cairo",
        "Asia/Kolkata",
        "UTC",
    ];

    fn utc(time: &str) -> DateTime<Utc> {
        time.parse().unwrap()
    }

    fn calendar(zone: &str) -> Calendar {
        in_zone(zone).unwrap()
    }

    fn day(day: &str) -> NaiveDate {
        day.parse().unwrap()
    }

    /// What clocks in the zone show then.
    fn shown(zone: &str, instant: DateTime<Utc>) -> String {
        instant.with_timezone(&zone.parse::<Tz>().unwrap()).format("%a %F %T %z").to_string()
    }

    /// Half past two on the Sunday after `friday`, and the next business day at nine.
    fn weekend(zone: &str, friday: &str) -> (String, String) {
        let (calendar, friday) = (calendar(zone), utc(friday));
        let sunday = calendar.next_weekday(friday, Weekday::Sun, at(2, 30).unwrap());
        (shown(zone, sunday), shown(zone, calendar.next_business_day(friday, at(9, 0).unwrap())))
    }

    #[test]
    fn berlin_skips_an_hour_in_spring_and_repeats_one_in_autumn() {
        let (sunday, monday) = weekend("Europe/Berlin", "2026-03-27T12:00:00Z");
        assert_eq!((sunday.as_str(), monday.as_str()), ("Sun 2026-03-29 03:00:00 +0200", "Mon 2026-03-30 09:00:00 +0200"));
        let (sunday, monday) = weekend("Europe/Berlin", "2026-10-23T12:00:00Z");
        assert_eq!((sunday.as_str(), monday.as_str()), ("Sun 2026-10-25 02:30:00 +0200", "Mon 2026-10-26 09:00:00 +0100"));
    }

    #[test]
    fn new_york_skips_an_hour_in_spring_and_repeats_one_in_autumn() {
        let (sunday, monday) = weekend("America/New_York", "2026-03-06T12:00:00Z");
        assert_eq!((sunday.as_str(), monday.as_str()), ("Sun 2026-03-08 03:00:00 -0400", "Mon 2026-03-09 09:00:00 -0400"));
        let friday = utc("2026-10-30T12:00:00Z");
        let sunday = calendar("America/New_York").next_weekday(friday, Weekday::Sun, at(1, 30).unwrap());
        assert_eq!(shown("America/New_York", sunday), "Sun 2026-11-01 01:30:00 -0400");
    }

    #[test]
    fn lord_howe_skips_and_repeats_half_an_hour_in_the_other_half_of_the_year() {
        let at = at(2, 15).unwrap();
        let sunday = |friday| calendar("Australia/Lord_Howe").next_weekday(utc(friday), Weekday::Sun, at);
        assert_eq!(shown("Australia/Lord_Howe", sunday("2026-10-02T01:00:00Z")), "Sun 2026-10-04 02:30:00 +1100");
        let autumn = weekend("Australia/Lord_Howe", "2026-04-03T01:00:00Z");
        assert_eq!(autumn.0, "Sun 2026-04-05 02:30:00 +1030");
        assert_eq!(autumn.1, "Mon 2026-04-06 09:00:00 +1030");
        let repeated = calendar("Australia/Lord_Howe").next_business_time(utc("2026-04-04T12:00:00Z"), at);
        assert_eq!(shown("Australia/Lord_Howe", repeated), "Mon 2026-04-06 02:15:00 +1030");
        assert_eq!(shown("Australia/Lord_Howe", sunday("2026-04-03T01:00:00Z")), "Sun 2026-04-05 02:15:00 +1030");
    }

    #[test]
    fn kolkata_and_utc_never_change_their_clocks() {
        for friday in ["2026-03-27T12:00:00Z", "2026-10-23T12:00:00Z"] {
            assert!(weekend("Asia/Kolkata", friday).0.ends_with("02:30:00 +0530"));
            assert!(weekend("UTC", friday).1.ends_with("09:00:00 +0000"));
        }
    }

    #[test]
    fn a_day_of_23_or_25_hours_ends_at_its_midnight() {
        let berlin = calendar("Europe/Berlin");
        let hours = |noon| {
            let start = berlin.end_of_day(utc(noon) - TimeDelta::days(1));
            (berlin.end_of_day(utc(noon)) - start).num_hours()
        };
        assert_eq!((hours("2026-03-29T12:00:00Z"), hours("2026-10-25T12:00:00Z")), (23, 25));
        assert_eq!(hours("2026-07-01T12:00:00Z"), 24);
    }

    #[test]
    fn a_day_without_midnight_begins_when_its_clocks_do() {
        let end = calendar("Africa/Cairo").end_of_day(utc("2026-04-23T12:00:00Z"));
        assert_eq!(shown("Africa/Cairo", end), "Fri 2026-04-24 01:00:00 +0300");
    }

    #[test]
    fn a_day_that_comes_twice_ends_twice() {
        // St John's used to go from one minute past midnight back to the day before.
        let st_johns = calendar("America/St_Johns");
        let first = st_johns.end_of_day(utc("2010-11-07T01:00:00Z"));
        assert_eq!(shown("America/St_Johns", first), "Sun 2010-11-07 00:00:00 -0230");
        let second = st_johns.end_of_day(first + TimeDelta::minutes(10));
        assert_eq!(shown("America/St_Johns", second), "Sun 2010-11-07 00:00:00 -0330");
    }

    #[test]
    fn a_day_that_a_zone_left_out_is_no_business_day() {
        let apia = calendar("Pacific/Apia");
        let thursday = utc("2011-12-29T20:00:00Z");
        let next = apia.next_business_day(thursday, at(9, 0).unwrap());
        assert_eq!(shown("Pacific/Apia", next), "Mon 2012-01-02 09:00:00 +1400");
        assert_eq!(shown("Pacific/Apia", apia.end_of_day(thursday)), "Sat 2011-12-31 00:00:00 +1400");
        assert_eq!(
            shown("Pacific/Apia", apia.next_weekday(thursday, Weekday::Fri, at(9, 0).unwrap())),
            "Fri 2012-01-06 09:00:00 +1400"
        );
    }

    #[test]
    fn the_next_business_day_is_never_today_but_the_next_business_time_may_be() {
        let berlin = calendar("Europe/Berlin");
        let nine = at(9, 0).unwrap();
        let early_on_monday = utc("2026-06-01T05:00:00Z");
        assert_eq!(berlin.next_business_day(early_on_monday, nine), utc("2026-06-02T07:00:00Z"));
        assert_eq!(berlin.next_business_time(early_on_monday, nine), utc("2026-06-01T07:00:00Z"));
        assert_eq!(berlin.next_business_time(utc("2026-06-01T07:00:00Z"), nine), utc("2026-06-02T07:00:00Z"));
        assert_eq!(berlin.next_business_time(utc("2026-06-05T07:00:00Z"), nine), utc("2026-06-08T07:00:00Z"));
    }

    #[test]
    fn the_day_is_the_one_that_the_zone_has() {
        // Late on Thursday in UTC it is Friday in Kolkata, and the next business day is Monday.
        let next = calendar("Asia/Kolkata").next_business_day(utc("2026-06-04T20:00:00Z"), at(9, 0).unwrap());
        assert_eq!(shown("Asia/Kolkata", next), "Mon 2026-06-08 09:00:00 +0530");
    }

    #[test]
    fn holidays_are_no_business_days_and_still_weekdays() {
        let holidays = [day("2026-12-24"), day("2026-12-25"), day("2026-12-28")];
        let berlin = calendar("Europe/Berlin").holidays(holidays).holidays([day("2026-12-29")]);
        let wednesday = utc("2026-12-23T12:00:00Z");
        assert_eq!(berlin.next_business_day(wednesday, at(9, 0).unwrap()), utc("2026-12-30T08:00:00Z"));
        assert_eq!(berlin.next_weekday(wednesday, Weekday::Fri, at(9, 0).unwrap()), utc("2026-12-25T08:00:00Z"));
        assert!(!berlin.is_business_day(day("2026-12-25")) && berlin.is_business_day(day("2026-12-30")));
    }

    #[test]
    fn a_name_or_time_that_does_not_exist_is_refused_with_what_to_give() {
        let unknown = in_zone("Mars/Olympus").unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::Invalid);
        assert!(unknown.to_string().contains("`Mars/Olympus` is no time zone; give"), "{unknown}");
        assert!(in_zone("").is_err());
        assert!(at(9, 60).unwrap_err().to_string().contains("9:60 is no time of day"));
    }

    #[test]
    fn a_zone_is_its_name_in_json() {
        let zone: Zone = serde_json::from_str("\"Asia/Kolkata\"").unwrap();
        assert_eq!(serde_json::to_string(&zone).unwrap(), "\"Asia/Kolkata\"");
        assert!(serde_json::from_str::<Zone>("\"Moon\"").unwrap_err().to_string().contains("`Moon` is no time zone"));
    }

    #[test]
    fn the_end_of_time_is_no_reason_to_panic() {
        for zone in ZONES {
            let calendar = calendar(zone);
            assert_eq!(calendar.next_business_day(DateTime::<Utc>::MAX_UTC, NaiveTime::MIN), DateTime::<Utc>::MAX_UTC);
            assert!(calendar.end_of_day(DateTime::<Utc>::MIN_UTC) > DateTime::<Utc>::MIN_UTC);
        }
    }

    /// Some days on which the zone changes its clocks; any days if it never does.
    fn changes(zone: Tz) -> Vec<DateTime<Utc>> {
        let offset = |time: DateTime<Utc>| zone.offset_from_utc_datetime(&time.naive_utc()).fix();
        let days: Vec<_> = (0..20 * 365).map(|day| utc("2007-01-01T00:00:00Z") + TimeDelta::days(day)).collect();
        let changes: Vec<_> = days.windows(2).filter(|pair| offset(pair[0]) != offset(pair[1])).map(|pair| pair[1]).collect();
        if changes.is_empty() { days } else { changes }
    }

    /// The first minute after `after` in which clocks of the zone come to that time on a day that fits, or jump over it.
    fn minute_by_minute(zone: Tz, after: DateTime<Utc>, time: NaiveTime, fits: impl Fn(NaiveDate) -> bool) -> DateTime<Utc> {
        let mut before = after.with_timezone(&zone).naive_local();
        (1..)
            .map(|minutes| after + TimeDelta::minutes(minutes))
            .find(|instant| {
                let now = instant.with_timezone(&zone).naive_local();
                let passed = [before.date(), now.date()].into_iter().any(|day| {
                    let asked = day.and_time(time);
                    fits(day) && before < asked && asked <= now
                });
                before = now;
                passed
            })
            .unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_result_is_the_next_such_time_that_clocks_show_or_jump_over(
            zone in prop::sample::select(&ZONES[..]),
            change in any::<prop::sample::Index>(),
            minutes_off in -4 * 24 * 60..24 * 60_i64,
            minute in 0..24 * 60_u32,
            at_night in any::<bool>(),
            weekday in (0..7_u8).prop_map(|number| Weekday::try_from(number).unwrap()),
        ) {
            let calendar = calendar(zone);
            let tz = calendar.zone().rules();
            let changes = changes(tz);
            let after = changes[change.index(changes.len())] + TimeDelta::minutes(minutes_off);
            let today = after.with_timezone(&tz).date_naive();
            let minute = if at_night { minute % 180 } else { minute };
            let time = at(minute / 60, minute % 60).unwrap();
            let expected = |time, fits: &dyn Fn(NaiveDate) -> bool| minute_by_minute(tz, after, time, fits);

            let business_day = expected(time, &|day| day > today && calendar.is_business_day(day));
            prop_assert_eq!(calendar.next_business_day(after, time), business_day);
            let business_time = expected(time, &|day| calendar.is_business_day(day));
            prop_assert_eq!(calendar.next_business_time(after, time), business_time);
            let on_weekday = expected(time, &|day| day > today && day.weekday() == weekday);
            prop_assert_eq!(calendar.next_weekday(after, weekday, time), on_weekday);
            prop_assert_eq!(calendar.end_of_day(after), expected(NaiveTime::MIN, &|day| day > today));
        }
    }
}
