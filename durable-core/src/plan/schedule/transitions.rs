//! Every change of clocks from 2015 to 2035 in seven zones, minute by minute, against a reading of the fields that shares no code
//! with ours: it walks through time as clocks on the wall do.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::{OffsetComponents, Tz};

use super::Timing;

const ZONES: [&str; 7] = [
    "America/New_York",
    "Europe/Berlin",
    "America/Santiago",
    "Australia/Lord_Howe",
    "America/Havana",
    "Pacific/Apia",
    "Pacific/Chatham",
];

/// Whether the times of a rule are fixed, or the clock's.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Times {
    Fixed,
    Clock,
}

use Times::{Clock, Fixed};

/// A rule, and what it means.
type Case = (&'static str, Times, fn(NaiveDateTime) -> bool);

const CASES: [Case; 14] = [
    ("0 0 * * *", Fixed, |t| t.hour() == 0 && t.minute() == 0),
    ("30 2 * * *", Fixed, |t| t.hour() == 2 && t.minute() == 30),
    ("0,30 1 * * *", Fixed, |t| t.hour() == 1 && t.minute() % 30 == 0),
    ("15,45 0,1,2,3 * * *", Fixed, |t| t.hour() <= 3 && t.minute() % 30 == 15),
    ("5-55/10 0-23 * * *", Fixed, |t| t.minute() % 10 == 5),
    ("59 23 * * *", Fixed, |t| t.hour() == 23 && t.minute() == 59),
    ("45 2 * * SUN", Fixed, |t| t.hour() == 2 && t.minute() == 45 && t.weekday().num_days_from_sunday() == 0),
    ("10 3 1-7 * *", Fixed, |t| t.hour() == 3 && t.minute() == 10 && t.day() <= 7),
    ("0 9 * * MON-FRI", Fixed, |t| t.hour() == 9 && t.minute() == 0 && t.weekday().num_days_from_monday() < 5),
    ("*/15 * * * *", Clock, |t| t.minute() % 15 == 0),
    ("30 * * * *", Clock, |t| t.minute() == 30),
    ("0 */2 * * *", Clock, |t| t.hour() % 2 == 0 && t.minute() == 0),
    ("*/20 2 * * *", Clock, |t| t.hour() == 2 && t.minute() % 20 == 0),
    ("* * * * *", Clock, |_| true),
];

fn local(zone: Tz, instant: DateTime<Utc>) -> NaiveDateTime {
    instant.with_timezone(&zone).naive_local()
}

/// The minutes at which clocks of the zone are put forward or back.
fn transitions(zone: Tz) -> Vec<DateTime<Utc>> {
    let at = |year| Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap();
    let offset = |instant: DateTime<Utc>| {
        let offset = zone.offset_from_utc_datetime(&instant.naive_utc());
        offset.base_utc_offset() + offset.dst_offset()
    };
    let mut found = Vec::new();
    let mut instant = at(2015);
    while instant < at(2036) {
        let next = instant + TimeDelta::hours(6);
        if offset(instant) != offset(next) {
            let minutes = (1..=360).map(|minute| instant + TimeDelta::minutes(minute));
            found.extend(minutes.into_iter().find(|minute| offset(*minute) != offset(instant)));
        }
        instant = next;
    }
    found
}

/// When each case is due between two instants.
fn expected(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Vec<DateTime<Utc>>> {
    let minutes = (0..).map(|minute| from + TimeDelta::minutes(minute)).take_while(|minute| *minute <= to);
    let walk: Vec<(DateTime<Utc>, NaiveDateTime)> = minutes.map(|minute| (minute, local(zone, minute))).collect();
    let days: BTreeSet<_> = walk.iter().map(|(_, shown)| shown.date()).collect();
    let mut due = vec![Vec::new(); CASES.len()];
    let mut latest = walk[0].1 - TimeDelta::minutes(1);
    for (instant, shown) in walk {
        let mut skipped = latest + TimeDelta::minutes(1);
        let mut comes_late = [false; CASES.len()];
        while skipped < shown {
            for (case, late) in CASES.iter().zip(&mut comes_late) {
                *late |= case.1 == Fixed && (case.2)(skipped) && days.contains(&skipped.date());
            }
            skipped += TimeDelta::minutes(1);
        }
        for ((case, late), due) in CASES.iter().zip(comes_late).zip(&mut due) {
            let first_time = shown > latest;
            if late || ((case.2)(shown) && (case.1 == Clock || first_time)) {
                due.push(instant);
            }
        }
        latest = latest.max(shown);
    }
    due
}

#[test]
fn around_every_transition_schedules_are_due_as_clocks_on_the_wall_say() {
    let mut count = 0;
    for name in ZONES {
        let zone: Tz = name.parse().unwrap();
        let timings = CASES.map(|(rule, ..)| Timing::read(rule, name.parse().unwrap(), None, None).unwrap());
        for transition in transitions(zone) {
            count += 1;
            let (from, to) = (transition - TimeDelta::hours(26), transition + TimeDelta::hours(26));
            for ((timing, expected), case) in timings.iter().zip(expected(zone, from, to)).zip(CASES) {
                let due: Vec<_> = timing.due_times(from - TimeDelta::nanoseconds(1)).take_while(|due| *due <= to).collect();
                assert_eq!(due, expected, "`{}` in {name} around {transition}", case.0);
                assert!(due.windows(2).all(|pair| pair[0] < pair[1]), "`{}` in {name} around {transition}", case.0);
            }
        }
    }
    // Two a year, except in Samoa, which abolished them in 2021.
    assert!(count > 240, "found only {count} transitions");
}

#[test]
fn no_instant_around_a_transition_ends_a_schedule() {
    for name in ZONES {
        let zone: Tz = name.parse().unwrap();
        let timing = Timing::read("30 2 * * *", name.parse().unwrap(), None, None).unwrap();
        for transition in transitions(zone) {
            for minute in (-26 * 60..26 * 60).step_by(37) {
                let instant = transition + TimeDelta::minutes(minute) + TimeDelta::milliseconds(1);
                let due = timing.due_after(instant).unwrap();
                assert!(due > instant && due - instant < TimeDelta::hours(50), "{name}: {due} after {instant}");
            }
        }
    }
}
