//! Values in arguments: JSON, durations, times.

use std::io::Read;
use std::time::Duration;

use durable::chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::value::RawValue;

use crate::failure::Failure;

/// Units of durations, with their seconds.
const UNITS: [(&str, u64); 5] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800)];

/// JSON as it was written, digit for digit: `text`, the contents of the file for `@file`, or standard input for `-`.
pub(crate) fn json(argument: &str) -> Result<Box<RawValue>, Failure> {
    let text = match argument.strip_prefix('@') {
        Some(file) => {
            std::fs::read_to_string(file).map_err(|error| Failure::usage(format!("cannot read the file `{file}`: {error}")))?
        }
        None if argument == "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text)?;
            text
        }
        None => argument.to_owned(),
    };
    RawValue::from_string(text.trim().to_owned()).map_err(|error| {
        Failure::usage(format!("`{argument}` is no JSON: {error}; a text needs quotes of its own, as in '\"Ada\"'"))
    })
}

/// A duration such as `90s`, `1h30m` or `30d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write 90s, 1h30m or 30d, with the units s, m, h, d and w");
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|letter: char| letter.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let (_, length) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let part = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*length));
        seconds = part.and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
        rest = after;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(Duration::from_secs(seconds)) }
}

/// So many in every period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) executions: u32,
    pub(crate) period: Duration,
}

/// A rate such as `5/1s` or `100/1m`.
pub(crate) fn rate(text: &str) -> Result<Rate, String> {
    let wrong = || format!("`{text}` is no rate; write 5/1s for five a second, or 100/1m");
    let (executions, period) = text.split_once('/').ok_or_else(wrong)?;
    Ok(Rate { executions: executions.parse().map_err(|_| wrong())?, period: duration(period)? })
}

/// A time such as `2026-11-21T14:00:00Z`, or the beginning of a day in UTC, such as `2026-11-21`.
pub(crate) fn time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Ok(day.and_time(NaiveTime::MIN).and_utc());
    }
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    time.map_err(|_| {
        format!("`{text}` is not a time; write 2026-11-21T14:00:00Z, or 2026-11-21 for the beginning of that day in UTC")
    })
}

/// A tag such as `tenant=acme`.
pub(crate) fn tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not a tag; write its name and its value, as in tenant=acme")),
    }
}

/// A name and what it is set to, such as `amount=42`.
pub(crate) fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` sets nothing; write a name and a value, as in amount=42")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_sums_of_numbers_with_units() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(duration("30d"), Ok(Duration::from_secs(30 * 86_400)));
        for wrong in ["", "30", "d", "1x", "-1d", "99999999999999999999d", "1.5h"] {
            assert!(duration(wrong).unwrap_err().contains("is no duration"), "{wrong}");
        }
    }

    #[test]
    fn rates_are_numbers_in_a_period() {
        assert_eq!(rate("5/1m"), Ok(Rate { executions: 5, period: Duration::from_secs(60) }));
        for wrong in ["5", "x/1m", "-1/1m", "5/m"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_instants_or_days() {
        assert_eq!(time("2026-11-21").unwrap().to_rfc3339(), "2026-11-21T00:00:00+00:00");
        assert_eq!(time("2026-11-21T14:00:00+02:00").unwrap().to_rfc3339(), "2026-11-21T12:00:00+00:00");
        assert!(time("yesterday").unwrap_err().contains("is not a time"));
    }

    #[test]
    fn a_tag_is_a_name_and_a_value_which_may_hold_an_equals_sign() {
        assert_eq!(tag("tenant=acme"), Ok(("tenant".to_owned(), "acme".to_owned())));
        assert_eq!(tag("rule=a=b"), Ok(("rule".to_owned(), "a=b".to_owned())));
        for wrong in ["tenant", "=acme", ""] {
            assert!(tag(wrong).unwrap_err().contains("is not a tag"), "{wrong}");
        }
    }

    #[test]
    fn json_is_kept_digit_for_digit() {
        assert_eq!(json(" 12345678901234567890.10 ").unwrap().get(), "12345678901234567890.10");
        assert!(json("Ada").is_err());
        assert!(json("@/no/such/file").is_err());
    }
}
