//! Says in a sentence when a cron expression is due. A sentence is made of the numbers that fit, not of how they are written.

use crate::cron::Cron;
use crate::days::{self, Days, Weekdays};
use crate::field::Numbers;

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const COUNTS: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

/// Most times of a day that are listed one by one.
const MOST_TIMES: usize = 6;

pub(crate) fn cron(cron: &Cron) -> String {
    let mut sentence = times(cron);
    if let Some(days) = all_days(&cron.days, &cron.weekdays) {
        sentence.push_str(&format!(", on {days}"));
    }
    if cron.months != (1..=12).collect() {
        let months = cron.months.iter().map(|month| MONTHS[month as usize - 1]);
        sentence.push_str(&format!(", in {}", listed(&runs(cron.months, months.map(str::to_owned).collect()), "and")));
    }
    sentence.push('.');
    sentence
}

/// The times of a day.
fn times(cron: &Cron) -> String {
    let zero = Numbers::just(0);
    let Cron { seconds, minutes, hours, .. } = *cron;
    let full_minutes = minutes == (0..60).collect();
    let full_hours = hours == (0..24).collect();
    let count = seconds.iter().count() * minutes.iter().count() * hours.iter().count();
    if count <= MOST_TIMES {
        return format!("At {}", listed(&clock_times(cron), "and"));
    }
    if let (Some(step), true) = (steps(hours, 24), (seconds, minutes) == (zero, zero)) {
        return format!("Every {step} hours");
    }
    let mut sentence = if seconds == zero {
        each(minutes, "minute", full_hours)
    } else {
        let mut sentence = each(seconds, "second", full_minutes);
        if !full_minutes {
            sentence.push_str(&format!(" of {}", counted("minute", minutes)));
            if full_hours {
                sentence.push_str(" of every hour");
            }
        }
        sentence
    };
    if !full_hours {
        sentence.push_str(&format!(" in {}", counted("hour", hours)));
    }
    sentence
}

fn clock_times(cron: &Cron) -> Vec<String> {
    let mut times = Vec::new();
    for hour in cron.hours.iter() {
        for minute in cron.minutes.iter() {
            for second in cron.seconds.iter() {
                let seconds = if cron.seconds == Numbers::just(0) { String::new() } else { format!(":{second:02}") };
                times.push(format!("{hour:02}:{minute:02}{seconds}"));
            }
        }
    }
    times
}

/// `Every minute`, `Every 15 minutes`, or `At minutes 5 and 20`, with the larger unit unless another part names it.
fn each(numbers: Numbers, unit: &str, of_all: bool) -> String {
    if numbers == (0..60).collect() {
        return format!("Every {unit}");
    }
    if let Some(step) = steps(numbers, 60) {
        return format!("Every {step} {unit}s");
    }
    let larger = if unit == "second" { "minute" } else { "hour" };
    let of_all = if of_all { format!(" of every {larger}") } else { String::new() };
    format!("At {}{of_all}", counted(unit, numbers))
}

/// The step, if the numbers are evenly spaced from 0 all the way round.
fn steps(numbers: Numbers, whole: u32) -> Option<u32> {
    let step = numbers.iter().nth(1)?;
    let even = step > 1 && whole.is_multiple_of(step) && numbers == (0..whole).step_by(step as usize).collect();
    even.then_some(step)
}

/// `minute 5`, or `minutes 5, 10 and 20 to 30`.
fn counted(unit: &str, numbers: Numbers) -> String {
    let plural = if numbers.iter().count() == 1 { "" } else { "s" };
    let texts = numbers.iter().map(|number| number.to_string()).collect();
    format!("{unit}{plural} {}", listed(&runs(numbers, texts), "and"))
}

/// The days; empty if every day is due.
fn all_days(days: &Days, weekdays: &Weekdays) -> Option<String> {
    let of_month = (!days.is_any()).then(|| of_month(days));
    let of_week = |and| (!weekdays.is_any()).then(|| of_week(weekdays, and));
    match (of_month, of_week("and")) {
        (Some(of_month), Some(of_week)) if days::either_decides(days, weekdays) => Some(format!("{of_month} or on {of_week}")),
        (Some(of_month), Some(_)) => Some(format!("{of_month} when that is {}", of_week("or").unwrap_or_default())),
        (of_month, of_week) => of_month.or(of_week),
    }
}

fn of_month(days: &Days) -> String {
    let mut parts = Vec::new();
    if !days.numbers.is_empty() {
        parts.push(format!("{} of the month", counted("day", days.numbers)));
    }
    for day in days.nearest.iter() {
        parts.push(format!("the day from Monday to Friday nearest to day {day} of the month"));
    }
    for before in days.before_last.iter() {
        parts.push(match before {
            0 => "the last day of the month".to_owned(),
            1 => "the day before the last of the month".to_owned(),
            _ => format!("the day {before} days before the last of the month"),
        });
    }
    if days.last_weekday {
        parts.push("the last day from Monday to Friday of the month".to_owned());
    }
    listed(&parts, "and")
}

fn of_week(weekdays: &Weekdays, and: &str) -> String {
    // A week as people write it, from Monday to Sunday.
    let from_monday: Numbers = weekdays.numbers.iter().map(|day| if day == 0 { 7 } else { day }).collect();
    let names = from_monday.iter().map(|day| WEEKDAYS[day as usize % 7].to_owned()).collect();
    let mut parts = runs(from_monday, names);
    for (count, counted) in COUNTS.iter().zip(weekdays.counted) {
        parts.extend(counted.iter().map(|day| format!("the {count} {} of the month", WEEKDAYS[day as usize])));
    }
    parts.extend(weekdays.last.iter().map(|day| format!("the last {} of the month", WEEKDAYS[day as usize])));
    listed(&parts, and)
}

/// The texts of numbers; three or more consecutive numbers become `first to last`.
fn runs(numbers: Numbers, texts: Vec<String>) -> Vec<String> {
    let mut runs: Vec<Vec<(u32, String)>> = Vec::new();
    for (number, text) in numbers.iter().zip(texts) {
        match runs.last_mut().filter(|run| run.last().is_some_and(|(before, _)| before + 1 == number)) {
            Some(run) => run.push((number, text)),
            None => runs.push(vec![(number, text)]),
        }
    }
    let texts = runs.into_iter().map(|run| match run.as_slice() {
        [(_, first), _, .., (_, last)] => vec![format!("{first} to {last}")],
        _ => run.into_iter().map(|(_, text)| text).collect(),
    });
    texts.flatten().collect()
}

/// `a`, `a and b`, or `a, b and c`.
fn listed(parts: &[String], and: &str) -> String {
    match parts {
        [first @ .., before, last] => {
            let first: String = first.iter().map(|part| format!("{part}, ")).collect();
            format!("{first}{before} {and} {last}")
        }
        _ => parts.concat(),
    }
}
