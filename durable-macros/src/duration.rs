//! Reads durations such as `30s` and `1h30m`, at compile time, so that a bad one never reaches a worker.

use std::time::Duration;

/// Every unit with its length in milliseconds, largest first, which is also the order they are written in.
const UNITS: [(&str, u64); 6] = [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A century: longer than any real deadline; a date plus a century still fits a database timestamp.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 86_400);

/// What the messages show as a correct duration.
pub(crate) const EXAMPLES: &str = "a whole number and a unit (ms, s, m, h, d, w), largest first, such as `30s` or `1h30m`";

/// The duration that `text` spells, or a sentence about what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut milliseconds: u64 = 0;
    let mut allowed = &UNITS[..];
    let malformed = || format!("`{text}` is not a duration: write {EXAMPLES}");
    while !rest.is_empty() {
        let number = take_while(&mut rest, |letter| letter.is_ascii_digit());
        let unit = take_while(&mut rest, |letter| !letter.is_ascii_digit());
        if unit.is_empty() && !number.is_empty() {
            return Err(format!("`{number}` has no unit: write `{number}s` for seconds, or another of ms, s, m, h, d, w"));
        }
        let place = allowed.iter().position(|(name, _)| *name == unit).ok_or_else(malformed)?;
        let amount = number.parse::<u64>().ok().filter(|_| !number.is_empty());
        let amount = amount.and_then(|amount| amount.checked_mul(allowed[place].1));
        milliseconds = match amount.and_then(|amount| amount.checked_add(milliseconds)) {
            Some(sum) => sum,
            None if number.is_empty() => return Err(malformed()),
            None => return Err(too_long(text)),
        };
        allowed = &allowed[place + 1..];
    }
    match Duration::from_millis(milliseconds) {
        _ if text.is_empty() => Err(malformed()),
        Duration::ZERO => Err(format!("`{text}` is no time at all: leave the option out, or write a duration above zero")),
        duration if duration > LONGEST => Err(too_long(text)),
        duration => Ok(duration),
    }
}

fn take_while<'text>(rest: &mut &'text str, wanted: impl Fn(char) -> bool) -> &'text str {
    let end = rest.find(|letter| !wanted(letter)).unwrap_or(rest.len());
    let (taken, left) = rest.split_at(end);
    *rest = left;
    taken
}

fn too_long(text: &str) -> String {
    format!("`{text}` is too long: the longest duration is a hundred years (`36500d`)")
}

#[cfg(test)]
mod tests {
    use super::parse;
    use std::time::Duration;

    #[test]
    fn each_unit_and_sums_of_them_are_read() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("1w", 604_800_000),
            ("1h30m", 5_400_000),
            ("1w2d3h4m5s6ms", 788_645_006),
            ("36500d", 3_153_600_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "is not a duration"),
            ("s", "is not a duration"),
            ("1.5h", "is not a duration"),
            ("-1s", "is not a duration"),
            ("1h 30m", "is not a duration"),
            ("30m1h", "is not a duration"),
            ("1h1h", "is not a duration"),
            ("1y", "is not a duration"),
            ("1µs", "is not a duration"),
            ("30", "has no unit"),
            ("1h30", "has no unit"),
            ("0s", "no time at all"),
            ("36501d", "too long"),
            ("18446744073709551615w", "too long"),
            ("99999999999999999999s", "too long"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }
}
