//! Seventy rules over five years, against readings written by hand from cron(5) and Quartz, and every rule that is refused.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike, Utc};

use super::Timing;
use crate::error::ErrorKind;

/// Whether a rule is due on a day, and at a time of a day.
type OnDay = fn(NaiveDate) -> bool;
type AtTime = fn(u32, u32, u32) -> bool;

fn weekday(day: NaiveDate) -> u32 {
    day.weekday().num_days_from_sunday()
}

fn is_business_day(day: NaiveDate) -> bool {
    (1..=5).contains(&weekday(day))
}

fn last_day(day: NaiveDate) -> u32 {
    (28..=31).rev().find(|last| day.with_day(*last).is_some()).unwrap()
}

fn is_last_of_its_weekday(day: NaiveDate) -> bool {
    day.day() + 7 > last_day(day)
}

fn count_of_weekday(day: NaiveDate) -> u32 {
    day.day().div_ceil(7)
}

/// Whether no day from Monday to Friday of the month is nearer to the `wanted` day, which the month must have.
fn is_nearest_business_day(day: NaiveDate, wanted: u32) -> bool {
    let distance = |other: u32| other.abs_diff(wanted);
    let candidates = (1..=last_day(day)).filter(|other| is_business_day(day.with_day(*other).unwrap()));
    day.with_day(wanted).is_some() && candidates.min_by_key(|other| distance(*other)) == Some(day.day())
}

fn is_last_business_day(day: NaiveDate) -> bool {
    (1..=last_day(day)).rev().find(|other| is_business_day(day.with_day(*other).unwrap())) == Some(day.day())
}

const ANY: OnDay = |_| true;
const NINE: AtTime = |h, m, s| (h, m, s) == (9, 0, 0);
const MIDNIGHT: AtTime = |h, m, s| (h, m, s) == (0, 0, 0);

/// A rule, its description, and what it means.
const CASES: [(&str, &str, OnDay, AtTime); 72] = [
    ("* * * * *", "Every minute.", ANY, |_, _, s| s == 0),
    ("* * * * * *", "Every second.", ANY, |_, _, _| true),
    ("*/10 * * * * *", "Every 10 seconds.", ANY, |_, _, s| s % 10 == 0),
    ("30 * * * * *", "At second 30 of every minute.", ANY, |_, _, s| s == 30),
    ("5-55/10 * * * * *", "At seconds 5, 15, 25, 35, 45 and 55 of every minute.", ANY, |_, _, s| s % 10 == 5),
    ("0,30 15 10 * * *", "At 10:15:00 and 10:15:30.", ANY, |h, m, s| (h, m) == (10, 15) && s % 30 == 0),
    ("* 5 * * * *", "Every second of minute 5 of every hour.", ANY, |_, m, _| m == 5),
    ("0 9 * * *", "At 09:00.", ANY, NINE),
    ("00 09 * * *", "At 09:00.", ANY, NINE),
    ("  0\t9 * *  * ", "At 09:00.", ANY, NINE),
    ("0 0 9 * * *", "At 09:00.", ANY, NINE),
    ("0 * * * *", "At minute 0 of every hour.", ANY, |_, m, s| (m, s) == (0, 0)),
    ("30 * * * *", "At minute 30 of every hour.", ANY, |_, m, s| (m, s) == (30, 0)),
    ("*/1 * * * *", "Every minute.", ANY, |_, _, s| s == 0),
    ("*/15 * * * *", "Every 15 minutes.", ANY, |_, m, s| m % 15 == 0 && s == 0),
    ("0/15 * * * *", "Every 15 minutes.", ANY, |_, m, s| m % 15 == 0 && s == 0),
    ("5/15 * * * *", "At minutes 5, 20, 35 and 50 of every hour.", ANY, |_, m, s| m % 15 == 5 && s == 0),
    ("*/45 * * * *", "At minutes 0 and 45 of every hour.", ANY, |_, m, s| m % 45 == 0 && s == 0),
    ("*/59 * * * *", "At minutes 0 and 59 of every hour.", ANY, |_, m, s| m % 59 == 0 && s == 0),
    ("10-20/2,40 * * * *", "At minutes 10, 12, 14, 16, 18, 20 and 40 of every hour.", ANY, |_, m, s| {
        [10, 12, 14, 16, 18, 20, 40].contains(&m) && s == 0
    }),
    ("0 */2 * * *", "Every 2 hours.", ANY, |h, m, s| h % 2 == 0 && (m, s) == (0, 0)),
    ("0 */5 * * *", "At 00:00, 05:00, 10:00, 15:00 and 20:00.", ANY, |h, m, s| h % 5 == 0 && (m, s) == (0, 0)),
    ("15 */6 * * *", "At 00:15, 06:15, 12:15 and 18:15.", ANY, |h, m, s| h % 6 == 0 && (m, s) == (15, 0)),
    ("0 22-23/1 * * *", "At 22:00 and 23:00.", ANY, |h, m, s| h >= 22 && (m, s) == (0, 0)),
    ("*/30 8-18 * * *", "Every 30 minutes in hours 8 to 18.", ANY, |h, m, s| (8..=18).contains(&h) && m % 30 == 0 && s == 0),
    ("* 9 * * *", "Every minute in hour 9.", ANY, |h, _, s| h == 9 && s == 0),
    ("0,30 9-17 * * *", "Every 30 minutes in hours 9 to 17.", ANY, |h, m, s| (9..=17).contains(&h) && m % 30 == 0 && s == 0),
    ("0 9 * * MON-FRI", "At 09:00, on Monday to Friday.", is_business_day, NINE),
    ("0 9 * * 1-5", "At 09:00, on Monday to Friday.", is_business_day, NINE),
    ("0 9 ? * mon-fri", "At 09:00, on Monday to Friday.", is_business_day, NINE),
    ("0 9 * * 0", "At 09:00, on Sunday.", |d| weekday(d) == 0, NINE),
    ("0 9 * * 7", "At 09:00, on Sunday.", |d| weekday(d) == 0, NINE),
    ("0 9 * * Sun,Sat", "At 09:00, on Saturday and Sunday.", |d| !is_business_day(d), NINE),
    ("0 9 * * 6-7", "At 09:00, on Saturday and Sunday.", |d| !is_business_day(d), NINE),
    ("0 9 * * FRI-SUN", "At 09:00, on Friday to Sunday.", |d| [5, 6, 0].contains(&weekday(d)), NINE),
    ("0 9 * * MON/2", "At 09:00, on Monday, Wednesday and Friday.", |d| [1, 3, 5].contains(&weekday(d)), NINE),
    ("0 9 * * */2", "At 09:00, on Tuesday, Thursday, Saturday and Sunday.", |d| weekday(d).is_multiple_of(2), NINE),
    ("0 9 * * 0-7", "At 09:00, on Monday to Sunday.", ANY, NINE),
    ("0 9 1 * *", "At 09:00, on day 1 of the month.", |d| d.day() == 1, NINE),
    ("0 9 1,15 * ?", "At 09:00, on days 1 and 15 of the month.", |d| [1, 15].contains(&d.day()), NINE),
    ("0 9 1-7 * *", "At 09:00, on days 1 to 7 of the month.", |d| d.day() <= 7, NINE),
    ("0 9 31 * *", "At 09:00, on day 31 of the month.", |d| d.day() == 31, NINE),
    ("0 9 */10 * *", "At 09:00, on days 1, 11, 21 and 31 of the month.", |d| d.day() % 10 == 1, NINE),
    ("0 9 */1 * 1", "At 09:00, on Monday.", |d| weekday(d) == 1, NINE),
    ("0 9 1 * */1", "At 09:00, on day 1 of the month.", |d| d.day() == 1, NINE),
    (
        "0 9 */10 * 1",
        "At 09:00, on days 1, 11, 21 and 31 of the month when that is Monday.",
        |d| d.day() % 10 == 1 && weekday(d) == 1,
        NINE,
    ),
    ("0 9 13 * FRI", "At 09:00, on day 13 of the month or on Friday.", |d| d.day() == 13 || weekday(d) == 5, NINE),
    ("0 9 13 * +FRI", "At 09:00, on day 13 of the month when that is Friday.", |d| d.day() == 13 && weekday(d) == 5, NINE),
    (
        "0 9 1-7 * +MON,THU",
        "At 09:00, on days 1 to 7 of the month when that is Monday or Thursday.",
        |d| d.day() <= 7 && [1, 4].contains(&weekday(d)),
        NINE,
    ),
    ("0 9 1-31 * 1", "At 09:00, on days 1 to 31 of the month or on Monday.", ANY, NINE),
    (
        "0 9 1,15 * MON,WED",
        "At 09:00, on days 1 and 15 of the month or on Monday and Wednesday.",
        |d| [1, 15].contains(&d.day()) || [1, 3].contains(&weekday(d)),
        NINE,
    ),
    ("0 9 L * *", "At 09:00, on the last day of the month.", |d| d.day() == last_day(d), NINE),
    ("0 9 l-3 * *", "At 09:00, on the day 3 days before the last of the month.", |d| d.day() + 3 == last_day(d), NINE),
    (
        "0 9 15,L * *",
        "At 09:00, on day 15 of the month and the last day of the month.",
        |d| d.day() == 15 || d.day() == last_day(d),
        NINE,
    ),
    ("0 9 LW * *", "At 09:00, on the last day from Monday to Friday of the month.", is_last_business_day, NINE),
    (
        "0 9 15W * *",
        "At 09:00, on the day from Monday to Friday nearest to day 15 of the month.",
        |d| is_nearest_business_day(d, 15),
        NINE,
    ),
    (
        "0 9 1W * ?",
        "At 09:00, on the day from Monday to Friday nearest to day 1 of the month.",
        |d| is_nearest_business_day(d, 1),
        NINE,
    ),
    (
        "0 9 31w * ?",
        "At 09:00, on the day from Monday to Friday nearest to day 31 of the month.",
        |d| is_nearest_business_day(d, 31),
        NINE,
    ),
    ("0 9 * * FRI#2", "At 09:00, on the second Friday of the month.", |d| weekday(d) == 5 && count_of_weekday(d) == 2, NINE),
    ("0 9 * * 7#5", "At 09:00, on the fifth Sunday of the month.", |d| weekday(d) == 0 && count_of_weekday(d) == 5, NINE),
    ("0 9 * * FRIL", "At 09:00, on the last Friday of the month.", |d| weekday(d) == 5 && is_last_of_its_weekday(d), NINE),
    (
        "0 9 * * 1#1,5L",
        "At 09:00, on the first Monday of the month and the last Friday of the month.",
        |d| (weekday(d) == 1 && d.day() <= 7) || (weekday(d) == 5 && is_last_of_its_weekday(d)),
        NINE,
    ),
    (
        "0 9 L * FRIL",
        "At 09:00, on the last day of the month or on the last Friday of the month.",
        |d| d.day() == last_day(d) || (weekday(d) == 5 && is_last_of_its_weekday(d)),
        NINE,
    ),
    ("0 9 * JAN,jul *", "At 09:00, in January and July.", |d| [1, 7].contains(&d.month()), NINE),
    ("0 9 * 3-5 *", "At 09:00, in March to May.", |d| (3..=5).contains(&d.month()), NINE),
    ("0 9 * */3 *", "At 09:00, in January, April, July and October.", |d| d.month() % 3 == 1, NINE),
    ("0 9 29 2 *", "At 09:00, on day 29 of the month, in February.", |d| (d.month(), d.day()) == (2, 29), NINE),
    (
        "0 9 * 11 THU#4",
        "At 09:00, on the fourth Thursday of the month, in November.",
        |d| d.month() == 11 && weekday(d) == 4 && count_of_weekday(d) == 4,
        NINE,
    ),
    ("@hourly", "At minute 0 of every hour.", ANY, |_, m, s| (m, s) == (0, 0)),
    ("@Daily", "At 00:00.", ANY, MIDNIGHT),
    ("@weekly", "At 00:00, on Sunday.", |d| weekday(d) == 0, MIDNIGHT),
    ("@yearly", "At 00:00, on day 1 of the month, in January.", |d| d.ordinal() == 1, MIDNIGHT),
];

const SAME: [(&str, &str); 3] = [("@midnight", "@daily"), ("@annually", "@yearly"), ("@monthly", "0 0 1 * *")];

fn read(rule: &str) -> Timing {
    Timing::read(rule, "UTC".parse().unwrap(), None, None).unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn start_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_hms_opt(0, 0, 0).unwrap().and_utc()
}

/// The due times from the start of `from` until the start of `to`.
fn due(timing: &Timing, from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = DateTime<Utc>> {
    let end = start_of(to);
    timing.due_times(start_of(from) - TimeDelta::nanoseconds(1)).take_while(move |due| *due < end)
}

/// The seconds of a day that a reading covers.
fn times(at: AtTime) -> Vec<u32> {
    (0..86_400).filter(|second| at(second / 3600, second / 60 % 60, second % 60)).collect()
}

#[test]
fn over_five_years_each_rule_is_due_on_the_days_that_it_says_and_on_no_others() {
    let (from, to) = (day("2024-01-01"), day("2029-01-01"));
    for (rule, _, on, at) in CASES {
        let first = times(at)[0];
        let timing = read(rule);
        let expected: Vec<_> = from.iter_days().take_while(|day| *day < to).filter(|day| on(*day)).collect();
        // Day by day: the first due time of a day, then the first one after that day.
        let after_day =
            |due: &DateTime<Utc>| timing.due_after(start_of(due.date_naive().succ_opt().unwrap()) - TimeDelta::nanoseconds(1));
        let begin = timing.due_after(start_of(from) - TimeDelta::nanoseconds(1));
        let firsts: Vec<_> = std::iter::successors(begin, after_day).take_while(|due| *due < start_of(to)).collect();
        assert_eq!(firsts.iter().map(DateTime::date_naive).collect::<Vec<_>>(), expected, "{rule}");
        assert!(firsts.iter().all(|due| due.num_seconds_from_midnight() == first), "{rule}");
    }
}

#[test]
fn on_a_day_that_fits_each_rule_is_due_at_the_times_that_it_says_and_at_no_others() {
    for (rule, _, on, at) in CASES {
        let fits = day("2024-01-01").iter_days().find(|day| on(*day)).unwrap();
        let found: Vec<_> = due(&read(rule), fits, fits.succ_opt().unwrap()).map(|due| due.num_seconds_from_midnight()).collect();
        assert_eq!(found, times(at), "{rule}");
    }
}

#[test]
fn a_description_says_what_the_rule_does() {
    for (rule, description, ..) in CASES {
        assert_eq!(read(rule).describe(), description, "{rule}");
    }
}

#[test]
fn a_name_is_due_as_the_rule_that_it_abbreviates() {
    for (name, rule) in SAME {
        let ten = |rule| read(rule).due_times(start_of(day("2024-01-01"))).take(10).collect::<Vec<_>>();
        assert_eq!(ten(name), ten(rule), "{name}");
    }
}

#[test]
fn what_no_author_can_mean_is_refused_with_the_field_and_what_is_allowed() {
    for (rule, reason) in [
        // Names in fields that they do not belong to.
        ("0 9 MON-FRI * *", "field 3 (day of the month) cannot be `MON-FRI`: `MON` is a day of the week"),
        ("0 9 * FRI *", "field 4 (month) cannot be `FRI`: `FRI` is a day of the week"),
        ("0 9 * * JAN", "field 5 (day of the week) cannot be `JAN`: `JAN` is a month"),
        ("MON 9 * * *", "field 1 (minute)"),
        ("0 JAN * * *", "field 2 (hour)"),
        ("0 0 1 JANFEB *", "field 4 (month) cannot be `JANFEB`"),
        ("0 0 * * MONTUE", "field 5 (day of the week) cannot be `MONTUE`"),
        ("0 0 * * MONDAY", "field 5 (day of the week) cannot be `MONDAY`"),
        ("0 0 1 JAN1 *", "field 4"),
        // Steps.
        ("*/90 * * * *", "a step of 90 goes beyond the range; write a step from 1 to 59, or an interval such as `every 90m`"),
        ("*/60 * * * *", "every 60m"),
        ("*/60 * * * * *", "every 60s"),
        ("0 */24 * * *", "write a step from 1 to 23, or an interval such as `every 24h`"),
        ("0 0 */31 * *", "every 31d"),
        ("0 0 1 */12 *", "write a step from 1 to 11"),
        ("0 0 * * */7", "write a step from 1 to 6"),
        ("10-20/11 * * * *", "write a step from 1 to 10"),
        ("59/2 * * * *", "a step of 2 goes beyond the range"),
        ("*/0 * * * *", "a step of 0"),
        ("*/ * * * *", "a step"),
        ("*/-5 * * * *", "field 1"),
        ("*/5/5 * * * *", "field 1"),
        ("/5 * * * *", "field 1"),
        ("*/+5 * * * *", "field 1"),
        // Lists.
        ("1, 2 * * * *", "field 1 (second) cannot be `1,`: an item of the list is empty; write no space after a comma"),
        (",1 * * * *", "an item of the list is empty"),
        ("1,,2 * * * *", "an item of the list is empty"),
        (", * * * *", "an item of the list is empty"),
        ("*,5 * * * *", "`*` takes in everything else in the list"),
        ("0 0 ?,5 * *", "`?` cannot be in a list"),
        // Ranges and numbers.
        ("5-1 * * * *", "the range `5-1` runs backwards"),
        ("0 22-6 * * *", "the range `22-6` runs backwards; write `22-23,0-6`"),
        ("0 0 * * SAT-MON", "the range `SAT-MON` runs backwards"),
        ("1- * * * *", "field 1"),
        ("-1 * * * *", "field 1"),
        ("1-2-3 * * * *", "field 1"),
        ("*-5 * * * *", "field 1"),
        ("60 * * * *", "field 1 (minute) cannot be `60`"),
        ("0 24 * * *", "field 2 (hour) cannot be `24`: write `*`, numbers from 0 to 23"),
        ("0 0 0 * *", "field 3 (day of the month) cannot be `0`"),
        ("0 0 32 * *", "field 3 (day of the month) cannot be `32`"),
        ("0 0 * 13 *", "field 4 (month) cannot be `13`: write `*`, numbers from 1 to 12, names from JAN to DEC"),
        ("0 0 * 0 *", "field 4 (month) cannot be `0`"),
        ("0 0 * * 8", "field 5 (day of the week) cannot be `8`"),
        ("60 * * * * *", "field 1 (second) cannot be `60`"),
        ("+5 * * * *", "field 1"),
        ("005 * * * *", "field 1"),
        ("1.5 * * * *", "field 1"),
        ("٥ * * * *", "field 1"),
        ("５ * * * *", "field 1"),
        ("a * * * *", "field 1"),
        ("H * * * *", "field 1"),
        ("~ * * * *", "field 1"),
        // What is special to days.
        ("? * * * *", "field 1"),
        ("0 9 ? * ?", "`?` in both"),
        ("0 9 ?/2 * *", "field 3"),
        ("0 9 15WW * *", "field 3 (day of the month) cannot be `15WW`"),
        ("0 9 LWL * *", "field 3"),
        ("0 9 WL * *", "field 3"),
        ("0 9 W * *", "field 3"),
        ("0 9 LL * *", "field 3"),
        ("0 9 32W * *", "field 3"),
        ("0 9 1-5W * *", "field 3"),
        ("0 9 L-0 * *", "field 3"),
        ("0 9 L-31 * *", "field 3"),
        ("0 9 L-3W * *", "field 3"),
        ("0 9 15L * *", "field 3"),
        ("0 9 5#2 * *", "field 3"),
        ("L * * * *", "field 1"),
        ("0 9 * L *", "field 4"),
        ("0 9 * * L", "field 5"),
        ("0 9 * * FRI#0", "field 5"),
        ("0 9 * * FRI#6", "field 5"),
        ("0 9 * * FRI#", "field 5"),
        ("0 9 * * #2", "field 5"),
        ("0 9 * * MON-FRI#2", "field 5"),
        ("0 9 * * MON-FRIL", "field 5"),
        ("0 9 * * FRILL", "field 5"),
        ("0 9 * * FRIW", "field 5"),
        ("0 9 * * FRI#L", "field 5"),
        ("0 9 * * +", "field 5"),
        ("0 9 * * +*", "field 5"),
        ("0 9 * * ++FRI", "field 5"),
        ("0 9 * * MON,+FRI", "field 5"),
        // Fields, names and spaces.
        ("", "it has 0 fields"),
        ("   ", "it has 0 fields"),
        ("daily", "it has 1 field;"),
        ("* * * *", "it has 4 fields"),
        ("0 0 9 * * * 2026", "it has 7 fields; there is no field for years"),
        ("0 9 * * * 2026", "field 6 (day of the week) cannot be `2026`"),
        ("@reboot", "the names are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually"),
        ("@fortnightly", "the names are"),
        ("@", "the names are"),
        ("@daily 9", "the names are"),
        ("@every 15m", "write `every 15m`"),
        ("0 9\u{a0}* * *", "it has the character U+00A0"),
        ("0 9 * *\n*", "it has the character U+000A"),
        ("0 9 * * *\n", "it has the character U+000A"),
        ("a\0b c d e f", "it has the character U+0000"),
        ("0 9 * * *\u{200b}", "field 5"),
        ("CRON_TZ=UTC 0 9 * * *", "field 1"),
        // Days that never come.
        ("0 0 30 2 *", "its day never comes"),
        ("0 0 31 4,6,9,11 *", "its day never comes"),
        ("0 0 L-30 4 *", "its day never comes"),
        ("0 0 30W 2 *", "its day never comes"),
        ("0 0 1-7 * +FRI#3", "its day never comes"),
        // Intervals.
        ("every", "is not an interval"),
        ("every 15", "is not an interval"),
        ("every m", "is not an interval"),
        ("every 0s", "is not an interval"),
        ("every 500ms", "is not an interval"),
        ("every 1s1000ms", "is not an interval"),
        ("every 30m1h", "is not an interval"),
        ("every 1h1h", "is not an interval"),
        ("every 1.5h", "is not an interval"),
        ("every -15m", "is not an interval"),
        ("every ١٥m", "is not an interval"),
        ("every 15 m", "is not an interval"),
        ("every day", "is not an interval"),
        ("every 99999999w", "is not an interval"),
        ("every 99999999999999999999s", "is not an interval"),
        ("every15m", "it has 1 field;"),
        ("EVERY 15m", "it has 2 fields;"),
    ] {
        let error = Timing::read(rule, "UTC".parse().unwrap(), None, None).expect_err(rule);
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(reason), "{rule:?}: {error}");
        assert!(!error.to_string().contains(|letter: char| letter.is_control() || letter == '\u{a0}'), "{rule:?}: {error}");
    }
}

#[test]
fn the_refusal_of_a_long_rule_is_short() {
    let error = Timing::read(&"9 ".repeat(100_000), "UTC".parse().unwrap(), None, None).unwrap_err();
    assert!(error.to_string().len() < 500, "{error}");
    let error = Timing::read(&format!("{} * * * *", "9,".repeat(100_000)), "UTC".parse().unwrap(), None, None).unwrap_err();
    assert!(error.to_string().len() < 700, "{error}");
}
