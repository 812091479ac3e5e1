//! The fields of a cron expression: numbers, names, ranges, steps and lists.

use crate::shown;

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The unit of a field, its range, and the names of its numbers.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) what: &'static str,
    pub(crate) least: u32,
    /// The last number that `*` and an open step reach.
    most: u32,
    /// The last number that can be written.
    highest: u32,
    names: &'static [&'static str],
    /// The unit of an interval with the same step.
    unit: Option<char>,
    /// The other allowed items, in words.
    more: &'static str,
}

const PLAIN: Field = Field { what: "second", least: 0, most: 59, highest: 59, names: &[], unit: Some('s'), more: "" };
pub(crate) const SECOND: Field = PLAIN;
pub(crate) const MINUTE: Field = Field { what: "minute", unit: Some('m'), ..PLAIN };
pub(crate) const HOUR: Field = Field { what: "hour", most: 23, highest: 23, unit: Some('h'), ..PLAIN };
pub(crate) const DAY: Field = Field {
    what: "day of the month",
    least: 1,
    most: 31,
    highest: 31,
    unit: Some('d'),
    more: ", or `L` (the last day), `L-3`, `15W` (the day from Monday to Friday nearest to the 15th), `LW` or `?`",
    ..PLAIN
};
pub(crate) const MONTH: Field = Field { what: "month", least: 1, most: 12, highest: 12, names: &MONTHS, unit: None, ..PLAIN };
/// 0 and 7 are Sunday.
pub(crate) const WEEKDAY: Field = Field {
    what: "day of the week",
    most: 6,
    highest: 7,
    names: &WEEKDAYS,
    unit: None,
    more: ", or `FRI#2` (the second Friday of the month), `FRIL` (the last), `+FRI` (only if the day of the month fits, too) or `?`",
    ..PLAIN
};

/// Numbers from 0 to 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn just(number: u32) -> Self {
        Self(1 << number)
    }

    pub(crate) fn has(self, number: u32) -> bool {
        number < 64 && self.0 >> number & 1 == 1
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = u32> {
        (0..64).filter(move |number| self.has(*number))
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl FromIterator<u32> for Numbers {
    fn from_iter<T: IntoIterator<Item = u32>>(numbers: T) -> Self {
        let mut all = Self::default();
        numbers.into_iter().for_each(|number| all.add(Self::just(number)));
        all
    }
}

/// What a field of numbers says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reading {
    pub(crate) numbers: Numbers,
    /// An item begins with `*`.
    pub(crate) starred: bool,
}

impl Field {
    /// Reads a list of items such as `*`, `5`, `10-20`, `*/15`; an error is what follows "cannot be `…`: ".
    pub(crate) fn read(&self, text: &str) -> Result<Reading, String> {
        self.items(text)?.into_iter().try_fold(Reading::default(), |mut all, item| {
            let reading = self.item(item)?;
            all.numbers.add(reading.numbers);
            all.starred |= reading.starred;
            Ok(all)
        })
    }

    /// The items of a list. No item is empty, and none makes the others redundant.
    pub(crate) fn items<'text>(&self, text: &'text str) -> Result<Vec<&'text str>, String> {
        let items: Vec<&str> = text.split(',').collect();
        let alone = items.len() == 1;
        match items.iter().find(|item| item.is_empty() || !alone && (**item == "*" || **item == "?")) {
            None => Ok(items),
            Some(&"*") => Err("`*` takes in everything else in the list; write it alone, or leave it out".to_owned()),
            Some(&"?") => Err("`?` cannot be in a list; write it alone, or leave it out".to_owned()),
            Some(_) => Err("an item of the list is empty; write no space after a comma".to_owned()),
        }
    }

    /// Reads `*`, `5`, `10-20`, `*/15`, `10-20/2` or `5/15`.
    pub(crate) fn item(&self, item: &str) -> Result<Reading, String> {
        let (range, step) = item.split_once('/').map_or((item, None), |(range, step)| (range, Some(step)));
        let starred = range == "*";
        let (first, last) = match range.split_once('-') {
            _ if starred => (self.least, self.most),
            Some((first, last)) => self.range(first, last)?,
            None => {
                let first = self.value(range)?;
                // With a step, from there on.
                (first, if step.is_some() { self.most.max(first) } else { first })
            }
        };
        let step = step.map_or(Ok(1), |step| self.step(item, step, last - first))?;
        let numbers = (first..=last).step_by(step as usize).map(|number| self.plain(number)).collect();
        Ok(Reading { numbers, starred })
    }

    /// A number or a name.
    pub(crate) fn value(&self, text: &str) -> Result<u32, String> {
        if let Some(number) = self.named(text) {
            return Ok(number);
        }
        number(text).filter(|number| (self.least..=self.highest).contains(number)).ok_or_else(|| self.allowed(text))
    }

    /// The number of a name; the last number if Sunday has two.
    fn named(&self, text: &str) -> Option<u32> {
        let place = self.names.iter().position(|name| name.eq_ignore_ascii_case(text))?;
        u32::try_from(place).ok().map(|place| place + self.least)
    }

    /// The single number of a value with two numbers: Sunday.
    pub(crate) fn plain(&self, number: u32) -> u32 {
        if number > self.most { self.least } else { number }
    }

    fn range(&self, first: &str, last: &str) -> Result<(u32, u32), String> {
        let (from, mut to) = (self.value(first)?, self.value(last)?);
        if to < from && self.plain(self.highest) == to {
            // A range up to Sunday by its name.
            to = if number(last).is_none() { self.highest } else { to };
        }
        if to < from {
            let (first, last) = (first.to_uppercase(), last.to_uppercase());
            let (least, most) = (self.least, self.most);
            let split = format!("write `{first}-{most},{least}-{last}` for both of its parts");
            return Err(format!("the range `{first}-{last}` runs backwards; {split}"));
        }
        Ok((from, to))
    }

    /// A step that reaches a second number.
    fn step(&self, item: &str, step: &str, longest: u32) -> Result<u32, String> {
        let longest = longest.max(1);
        match number(step) {
            Some(step) if (1..=longest).contains(&step) => Ok(step),
            Some(step) if step > longest => {
                let interval = self.unit.map(|unit| format!(", or an interval such as `every {step}{unit}`")).unwrap_or_default();
                Err(format!("a step of {step} goes beyond the range; write a step from 1 to {longest}{interval}"))
            }
            Some(_) => Err(format!("a step of 0 leads nowhere; write a step from 1 to {longest}")),
            None => Err(format!("`{}` needs a step from 1 to {longest} after the `/`", shown(item))),
        }
    }

    /// Says what is allowed in place of a wrong item, and in which field a name belongs.
    pub(crate) fn allowed(&self, text: &str) -> String {
        let Self { least, highest, names, more, .. } = self;
        let mut allowed = format!("write `*`, numbers from {least} to {highest}");
        if let [first, .., last] = names {
            allowed.push_str(&format!(", names from {first} to {last}"));
        }
        let (first, last) = (least + 1, least + 3);
        allowed
            .push_str(&format!(", ranges such as `{first}-{last}`, steps such as `*/2`, or a list of these with commas{more}"));
        let belongs = [MONTH, WEEKDAY].into_iter().find(|field| field.what != self.what && field.named(text).is_some());
        match belongs {
            Some(field) => format!("`{}` is a {}; {allowed}", text.to_uppercase(), field.what),
            None => allowed,
        }
    }
}

/// One or two digits; a third digit is always out of range.
fn number(text: &str) -> Option<u32> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 2 && text.starts_with('0');
    if digits && !padded { text.parse().ok() } else { None }
}
