//! Intervals: `every 15m`.

use crate::shown;

/// Every unit with its length in seconds, largest first, which is also the order they are written in.
const UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A century: beyond any real interval, and far from the limits of the calendar.
const LONGEST: u64 = 100 * 365 * 86_400;

/// A fixed time between due times, whatever clocks on the wall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    seconds: u64,
}

impl Interval {
    /// Reads what follows `every`.
    pub(crate) fn read(words: &[&str]) -> Result<Self, String> {
        let text = words.join(" ");
        period(&text).map(|seconds| Self { seconds }).ok_or_else(|| {
            format!(
                "`{}` is not an interval; write `every` and whole numbers with a unit (w, d, h, m, s), largest first, such as `every 15m` \
                 or `every 1h30m`, from a second to a hundred years",
                shown(&text)
            )
        })
    }

    /// Its length in seconds: at least one, at most a century.
    pub fn seconds(&self) -> u64 {
        self.seconds
    }

    pub(crate) fn describe(&self) -> String {
        let mut left = self.seconds;
        let mut text = "every ".to_owned();
        for (unit, length) in UNITS {
            if left >= length {
                text.push_str(&format!("{}{unit}", left / length));
                left %= length;
            }
        }
        text
    }
}

fn period(text: &str) -> Option<u64> {
    let mut units = UNITS.iter();
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, behind) = rest.split_at(end);
        let unit = behind.chars().next()?;
        let (_, length) = units.find(|(name, _)| *name == unit)?;
        seconds = number.parse::<u64>().ok()?.checked_mul(*length)?.checked_add(seconds)?;
        rest = &behind[unit.len_utf8()..];
    }
    (1..=LONGEST).contains(&seconds).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_the_sum_of_its_parts() {
        for (text, seconds) in [("15m", 900), ("1h30m", 5400), ("1w2d", 777_600), ("1s", 1), ("0h90m", 5400), ("36500d", LONGEST)]
        {
            assert_eq!(period(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn an_interval_describes_itself_with_its_largest_units() {
        assert_eq!(Interval { seconds: 5400 }.describe(), "every 1h30m");
        assert_eq!(Interval { seconds: 1 }.describe(), "every 1s");
    }
}
