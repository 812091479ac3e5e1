//! Cron expressions: five fields, or six with seconds in front, and their names.

use crate::days::{self, Day, Days, Weekdays};
use crate::describe;
use crate::field::{DAY, Field, HOUR, MINUTE, MONTH, Numbers, Reading, SECOND, WEEKDAY};
use crate::shown;

/// Each name with the expression that it abbreviates.
const NAMES: [(&str, [&str; 5]); 7] = [
    ("@hourly", ["0", "*", "*", "*", "*"]),
    ("@daily", ["0", "0", "*", "*", "*"]),
    ("@midnight", ["0", "0", "*", "*", "*"]),
    ("@weekly", ["0", "0", "*", "*", "0"]),
    ("@monthly", ["0", "0", "1", "*", "*"]),
    ("@yearly", ["0", "0", "1", "1", "*"]),
    ("@annually", ["0", "0", "1", "1", "*"]),
];

const FORM: &str = "write five fields (minute, hour, day of the month, month, day of the week), six with seconds in front, a name such as \
                    `@daily`, or an interval such as `every 15m`";

/// The years in which a day is looked for: the 29 February that is a Monday comes every 28 years.
const YEARS: std::ops::Range<i32> = 2000..2050;

/// A cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    pub(crate) seconds: Numbers,
    pub(crate) minutes: Numbers,
    pub(crate) hours: Numbers,
    pub(crate) days: Days,
    pub(crate) months: Numbers,
    pub(crate) weekdays: Weekdays,
    by_the_clock: bool,
}

impl Cron {
    pub(crate) fn read(fields: &[&str]) -> Result<Self, String> {
        match fields {
            [name, ..] if name.starts_with('@') => Self::named(fields),
            [minute, hour, day, month, weekday] => Self::of(&["0", minute, hour, day, month, weekday], 5),
            [second, minute, hour, day, month, weekday] => Self::of(&[second, minute, hour, day, month, weekday], 6),
            [_] => Err(format!("it has 1 field; {FORM}")),
            [_, _, _, _, _, _, _] => Err(format!("it has 7 fields; there is no field for years; {FORM}")),
            _ => Err(format!("it has {} fields; {FORM}", fields.len())),
        }
    }

    fn named(words: &[&str]) -> Result<Self, String> {
        if let ["@every", period] = words {
            return Err(format!("write `every {}` for an interval", shown(period)));
        }
        let known = NAMES.iter().find(|(name, _)| matches!(words, [word] if word.eq_ignore_ascii_case(name)));
        match known {
            Some((_, fields)) => Self::read(fields),
            None => Err(format!("the names are {}", NAMES.map(|(name, _)| name).join(", "))),
        }
    }

    fn of(fields: &[&str; 6], count: usize) -> Result<Self, String> {
        let [second, minute, hour, day, month, weekday] = fields;
        let in_field = |place: usize, field: &Field, text: &str, problem: String| {
            format!("field {} ({}) cannot be `{}`: {problem}", place + count - 5, field.what, shown(text))
        };
        let read = |place, field: Field, text: &str| field.read(text).map_err(|problem| in_field(place, &field, text, problem));
        let seconds = read(0, SECOND, second)?;
        let minutes = read(1, MINUTE, minute)?;
        let hours = read(2, HOUR, hour)?;
        let days = Days::read(day).map_err(|problem| in_field(3, &DAY, day, problem))?;
        let months = read(4, MONTH, month)?;
        let weekdays = Weekdays::read(weekday).map_err(|problem| in_field(5, &WEEKDAY, weekday, problem))?;
        if (*day, *weekday) == ("?", "?") {
            return Err("it has `?` in both fields of days; write `*` for every day".to_owned());
        }
        let by_the_clock = [seconds, minutes, hours].iter().any(|Reading { starred, .. }| *starred);
        let [seconds, minutes, hours, months] = [seconds, minutes, hours, months].map(|reading| reading.numbers);
        let cron = Self { seconds, minutes, hours, days, months, weekdays, by_the_clock };
        if cron.comes() { Ok(cron) } else { Err("its day never comes; change the day of the month or the month".to_owned()) }
    }

    fn comes(&self) -> bool {
        let months = YEARS.flat_map(|year| self.months.iter().map(move |month| (year, month)));
        months.into_iter().any(|(year, month)| (1..=days::last_day(year, month)).any(|day| self.matches_day(year, month, day)))
    }

    /// Whether a second of a minute fits.
    pub fn matches_second(&self, second: u32) -> bool {
        self.seconds.has(second)
    }

    /// Whether a minute of an hour fits.
    pub fn matches_minute(&self, minute: u32) -> bool {
        self.minutes.has(minute)
    }

    /// Whether an hour of a day fits.
    pub fn matches_hour(&self, hour: u32) -> bool {
        self.hours.has(hour)
    }

    /// Whether a day of the Gregorian calendar fits.
    pub fn matches_day(&self, year: i32, month: u32, day: u32) -> bool {
        self.months.has(month) && days::match_day(&self.days, &self.weekdays, Day::new(year, month, day))
    }

    /// Whether its seconds, minutes or hours have a `*`. Then its times follow the wall clock and are not fixed.
    pub fn is_by_the_clock(&self) -> bool {
        self.by_the_clock
    }

    pub(crate) fn describe(&self) -> String {
        describe::cron(self)
    }
}
