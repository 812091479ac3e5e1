//! The days of a cron expression: which days of a month, and which days of the week.

use crate::field::{DAY, Numbers, WEEKDAY};

/// A day that exists in the calendar.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Day {
    pub(crate) number: u32,
    /// From Sunday, which is 0.
    pub(crate) weekday: u32,
    /// The last day of its month.
    pub(crate) last: u32,
}

/// What the field of the days of the month says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Days {
    pub(crate) numbers: Numbers,
    /// How many days before the last of the month, for each `L`.
    pub(crate) before_last: Numbers,
    /// For each, the nearest day from Monday to Friday is due.
    pub(crate) nearest: Numbers,
    /// The last day from Monday to Friday.
    pub(crate) last_weekday: bool,
    pub(crate) starred: bool,
}

/// What the field of the days of the week says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Weekdays {
    pub(crate) numbers: Numbers,
    /// The first to fifth of the month: for each, days of the week.
    pub(crate) counted: [Numbers; 5],
    pub(crate) last: Numbers,
    pub(crate) starred: bool,
    /// The day of the month must fit, too.
    pub(crate) both: bool,
}

impl Day {
    pub(crate) fn new(year: i32, month: u32, number: u32) -> Self {
        Self { number, weekday: weekday(year, month, number), last: last_day(year, month) }
    }

    fn is_weekday_at(self, number: u32) -> bool {
        // Monday to Friday.
        (1..=5).contains(&((self.weekday + 35 + number - self.number) % 7))
    }

    /// The day from Monday to Friday that is nearest to a day of this month.
    fn nearest(self, number: u32) -> Option<u32> {
        let in_month = |day: &u32| (1..=self.last).contains(day);
        // At most two days apart: Saturday the 1st moves to Monday the 3rd.
        let candidates = [number, number.wrapping_sub(1), number + 1, number.wrapping_sub(2), number + 2];
        candidates.into_iter().filter(in_month).find(|day| self.is_weekday_at(*day)).filter(|_| in_month(&number))
    }

    fn last_weekday(self) -> Option<u32> {
        (1..=self.last).rev().find(|day| self.is_weekday_at(*day))
    }
}

impl Days {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        if text == "?" {
            return Self::read("*");
        }
        let mut days = Self::default();
        for item in DAY.items(text)? {
            days.add(item)?;
        }
        Ok(days)
    }

    fn add(&mut self, item: &str) -> Result<(), String> {
        let upper = item.to_ascii_uppercase();
        if upper == "LW" {
            self.last_weekday = true;
        } else if upper == "L" {
            self.before_last.add(Numbers::just(0));
        } else if let Some(before) = upper.strip_prefix("L-") {
            let before = DAY.value(before).ok().filter(|before| *before < 31).ok_or_else(|| DAY.allowed(item))?;
            self.before_last.add(Numbers::just(before));
        } else if let Some(day) = upper.strip_suffix('W') {
            self.nearest.add(Numbers::just(DAY.value(day).map_err(|_| DAY.allowed(item))?));
        } else {
            let reading = DAY.item(item)?;
            self.numbers.add(reading.numbers);
            self.starred |= reading.starred;
        }
        Ok(())
    }

    fn matches(&self, day: Day) -> bool {
        self.numbers.has(day.number)
            || self.before_last.has(day.last - day.number)
            || self.last_weekday && day.last_weekday() == Some(day.number)
            || self.nearest.iter().any(|wanted| day.nearest(wanted) == Some(day.number))
    }

    /// Every day fits, and `*` says so.
    pub(crate) fn is_any(&self) -> bool {
        self.starred && self.numbers == (1..=31).collect()
    }
}

impl Weekdays {
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        if text == "?" {
            return Self::read("*");
        }
        let (both, list) = text.strip_prefix('+').map_or((false, text), |list| (true, list));
        let mut weekdays = Self { both, ..Self::default() };
        for item in WEEKDAY.items(list)? {
            weekdays.add(item)?;
        }
        if both && weekdays.starred {
            return Err("`+` needs days of the week, such as `+FRI`".to_owned());
        }
        Ok(weekdays)
    }

    fn add(&mut self, item: &str) -> Result<(), String> {
        let day =
            |text: &str| WEEKDAY.value(text).map(|day| Numbers::just(WEEKDAY.plain(day))).map_err(|_| WEEKDAY.allowed(item));
        if let Some((weekday, count)) = item.split_once('#') {
            let count = ["1", "2", "3", "4", "5"].iter().position(|known| *known == count);
            let counted = count.and_then(|count| self.counted.get_mut(count)).ok_or_else(|| WEEKDAY.allowed(item))?;
            counted.add(day(weekday)?);
        } else if let Some(weekday) = item.strip_suffix(['L', 'l']) {
            self.last.add(day(weekday)?);
        } else {
            let reading = WEEKDAY.item(item)?;
            self.numbers.add(reading.numbers);
            self.starred |= reading.starred;
        }
        Ok(())
    }

    fn matches(&self, day: Day) -> bool {
        let count = (day.number - 1) / 7;
        self.numbers.has(day.weekday)
            || self.counted.get(count as usize).is_some_and(|counted| counted.has(day.weekday))
            || self.last.has(day.weekday) && day.number + 7 > day.last
    }

    /// Every day fits, and `*` says so.
    pub(crate) fn is_any(&self) -> bool {
        self.starred && self.numbers == (0..=6).collect()
    }
}

/// Whether a day fits both fields. As in cron(5): if both are restricted, a day that fits either is due; a field with `*` is
/// not restricted.
pub(crate) fn match_day(days: &Days, weekdays: &Weekdays, day: Day) -> bool {
    if either_decides(days, weekdays) {
        days.matches(day) || weekdays.matches(day)
    } else {
        days.matches(day) && weekdays.matches(day)
    }
}

pub(crate) fn either_decides(days: &Days, weekdays: &Weekdays) -> bool {
    !days.starred && !weekdays.starred && !weekdays.both
}

pub(crate) fn last_day(year: i32, month: u32) -> u32 {
    let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// The day of the week in the Gregorian calendar, from Sunday (0) on.
fn weekday(year: i32, month: u32, day: u32) -> u32 {
    // The calendar repeats after 400 years. A year begins in March here, so that a leap day is its last.
    let year = year.rem_euclid(400).cast_unsigned() + 400 - u32::from(month < 3);
    let days_before = [0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4];
    let before = days_before.get(month as usize - 1).copied().unwrap_or_default();
    (year + year / 4 - year / 100 + year / 400 + before + day) % 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_week_follow_each_other_over_every_leap_year() {
        // The first day of 1970 was a Thursday.
        let mut expected = 4;
        for year in 1970..2401 {
            for month in 1..=12 {
                for day in 1..=last_day(year, month) {
                    assert_eq!(weekday(year, month, day), expected, "{year}-{month}-{day}");
                    expected = (expected + 1) % 7;
                }
            }
        }
        // A Saturday, in a year that a calendar without a year 0 does not have.
        assert_eq!((weekday(2000, 1, 1), weekday(0, 1, 1), weekday(-400, 1, 1)), (6, 6, 6));
    }
}
