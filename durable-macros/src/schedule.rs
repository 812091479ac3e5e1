//! Reads the schedule of a workflow, as far as its text tells: what is obviously wrong is an error at the token. Days that never
//! come and zones that nobody knows are found when the worker starts.

use crate::duration;
use crate::errors::Errors;
use crate::options::{self, Options, Written};
use proc_macro2::Ident;
use std::time::Duration;
use syn::parse::{Parse, ParseStream};
use syn::{LitStr, Token};

/// What may be said of a schedule, besides when it is due.
const DETAILS: [&str; 5] = ["timezone", "missed", "overlap", "jitter", "max_failures"];
const FORM: &str = "five fields (minute, hour, day of the month, month, day of the week), six with seconds in front, a name such as \
                    `@daily`, or an interval such as `every 15m`";
const NAMES: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// When a workflow starts by itself.
pub(crate) struct Schedule {
    pub(crate) rule: LitStr,
    pub(crate) timezone: Option<LitStr>,
    pub(crate) missed: Missed,
    /// The policy, as the runtime spells it.
    pub(crate) overlap: &'static str,
    pub(crate) jitter: Duration,
    pub(crate) max_failures: Option<u32>,
}

/// What becomes of missed due times.
pub(crate) enum Missed {
    /// A policy, as the runtime spells it.
    Policy(&'static str),
    Window(Duration),
}

/// A field of a cron expression: what it is called, what it counts, and the names that may stand for its numbers.
struct Field {
    what: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
    /// What else may be written: such values are left to the runtime.
    special: &'static [char],
}

const fn field(what: &'static str, least: u32, most: u32) -> Field {
    Field { what, least, most, names: &[], special: &[] }
}

const FIELDS: [Field; 6] = [
    field("second", 0, 59),
    field("minute", 0, 59),
    field("hour", 0, 23),
    Field { special: &['L', 'W', '?'], ..field("day of the month", 1, 31) },
    Field { names: &MONTHS, ..field("month", 1, 12) },
    Field { names: &WEEKDAYS, special: &['L', '#', '+', '?'], ..field("day of the week", 0, 7) },
];

/// Reads the schedule, if one is written; what is said of a schedule that there is not is reported.
pub(crate) fn read(options: &mut Options, errors: &mut Errors) -> Option<Schedule> {
    if !options.has("schedule") {
        for detail in DETAILS.iter().filter_map(|name| options.name(name)) {
            let message = format!(
                "`{detail}` is said of a schedule, and there is none: write `schedule = \"0 9 * * *\"`, too, or remove it"
            );
            errors.at(detail, message);
        }
        return None;
    }
    let rule = options.take("schedule", rule, errors);
    let timezone = options.take("timezone", timezone, errors);
    let missed = options.take("missed", missed, errors);
    let overlap = options.take("overlap", overlap, errors);
    let jitter = options.take("jitter", options::duration, errors);
    let max_failures = options.take("max_failures", |option| options::whole_number(option, 1, u32::MAX / 2), errors);
    Some(Schedule {
        rule: rule?,
        timezone,
        missed: missed.unwrap_or(Missed::Policy("One")),
        overlap: overlap.unwrap_or("Allow"),
        jitter: jitter.map_or(Duration::ZERO, |(jitter, _)| jitter),
        max_failures,
    })
}

fn rule(option: &Written) -> syn::Result<LitStr> {
    let text = options::text(option)?;
    check(&text.value()).map_err(|problem| syn::Error::new(text.span(), problem))?;
    Ok(text)
}

fn timezone(option: &Written) -> syn::Result<LitStr> {
    let text = options::text(option)?;
    let name = text.value();
    let in_names = |letter: char| letter.is_ascii_alphanumeric() || "/_-+".contains(letter);
    if name.is_empty() || !name.chars().all(in_names) {
        let problem = format!("`{name}` is no time zone: write a name of the IANA database, such as `Europe/Berlin` or `UTC`");
        return Err(syn::Error::new(text.span(), problem));
    }
    Ok(text)
}

fn overlap(option: &Written) -> syn::Result<&'static str> {
    let form = "`allow`, `skip`, `queue` or `cancel`";
    let word: Ident = options::syntax(option, form)?;
    match word.to_string().as_str() {
        "allow" => Ok("Allow"),
        "skip" => Ok("Skip"),
        "queue" => Ok("Queue"),
        "cancel" => Ok("Cancel"),
        _ => Err(option.wants(form)),
    }
}

fn missed(option: &Written) -> syn::Result<Missed> {
    let form = "`skip`, `one`, `all` or `window(\"2h\")`";
    let Policy { word, window } = options::syntax(option, form)?;
    match (word.to_string().as_str(), window) {
        ("skip", None) => Ok(Missed::Policy("Skip")),
        ("one", None) => Ok(Missed::Policy("One")),
        ("all", None) => Ok(Missed::Policy("All")),
        ("window", Some(window)) => match duration::parse(&window.value()) {
            Ok(duration) => Ok(Missed::Window(duration)),
            Err(problem) => Err(syn::Error::new(window.span(), problem)),
        },
        _ => Err(option.wants(form)),
    }
}

/// A word, and perhaps a text in parentheses.
struct Policy {
    word: Ident,
    window: Option<LitStr>,
}

impl Parse for Policy {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let word = input.parse()?;
        if !input.peek(syn::token::Paren) {
            return Ok(Self { word, window: None });
        }
        let list;
        syn::parenthesized!(list in input);
        let window = Some(list.parse()?);
        list.parse::<Option<Token![,]>>()?;
        Ok(Self { word, window })
    }
}

/// A sentence about what is wrong with a rule, if anything is.
fn check(rule: &str) -> Result<(), String> {
    let text = rule.trim();
    if let Some(interval) = text.strip_prefix("every") {
        return match duration::parse(interval.trim()) {
            Ok(period) if period.subsec_millis() == 0 => Ok(()),
            Ok(_) => Err(format!("`{rule}` is due more than once a second: write whole seconds")),
            Err(problem) => Err(format!("`{rule}` is no interval, such as `every 15m`: {problem}")),
        };
    }
    if text.starts_with('@') {
        let known = NAMES.iter().any(|name| text.eq_ignore_ascii_case(name));
        return if known { Ok(()) } else { Err(format!("`{text}` names no schedule: the names are {}", NAMES.join(", "))) };
    }
    let values: Vec<&str> = text.split_whitespace().collect();
    let fields = match values.len() {
        5 => &FIELDS[1..],
        6 => &FIELDS[..],
        count => return Err(format!("`{rule}` has {count} fields: write {FORM}")),
    };
    fields.iter().zip(values).try_for_each(|(field, value)| value.split(',').try_for_each(|part| field.check(part)))
}

impl Field {
    /// Checks one part of a list: `*`, `5`, `MON-FRI`, `*/15`, `10-20/2`.
    fn check(&self, part: &str) -> Result<(), String> {
        let upper = part.to_uppercase();
        let plain = WEEKDAYS.iter().chain(&MONTHS).fold(upper.clone(), |text, name| text.replace(name, ""));
        if plain.contains(self.special) {
            return Ok(());
        }
        let (range, step) = upper.split_once('/').map_or((upper.as_str(), None), |(range, step)| (range, Some(step)));
        let step_counts = step.is_none_or(|step| step.parse::<u32>().is_ok_and(|step| step > 0));
        let known = |value: &str| {
            let number = value.parse::<u32>().is_ok_and(|number| (self.least..=self.most).contains(&number));
            number || self.names.contains(&value)
        };
        if step_counts && (range == "*" || range.splitn(2, '-').all(known)) {
            return Ok(());
        }
        let Self { what, least, most, names, .. } = self;
        let names = if names.is_empty() { String::new() } else { format!(", or {} to {}", names[0], names[names.len() - 1]) };
        Err(format!(
            "`{part}` is no {what}: write `*`, or numbers from {least} to {most}{names}, such as `{least}-{most}` or `*/{}`",
            least + 2
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn rules_that_can_be_meant_pass() {
        for rule in [
            "* * * * *",
            "0 9 * * MON-FRI",
            "0,30 1-5/2 1,15 jan-mar *",
            "*/10 * * * * *",
            "0 0 L * *",
            "0 0 15W,LW * ?",
            "0 0 * * FRI#2",
            "0 0 * * 5L",
            "0 0 13 * +FRI",
            "@daily",
            " @Hourly ",
            "every 15m",
            "every 1h30m",
            "0 0 * * 7",
        ] {
            assert_eq!(check(rule), Ok(()), "{rule}");
        }
    }

    #[test]
    fn rules_that_cannot_be_meant_are_refused_with_the_reason() {
        for (rule, reason) in [
            ("", "has 0 fields"),
            ("0 9 * *", "has 4 fields"),
            ("0 9 * * * * 2026", "has 7 fields"),
            ("60 * * * *", "`60` is no minute"),
            ("0 24 * * *", "`24` is no hour"),
            ("0 9 0 * *", "`0` is no day of the month"),
            ("0 9 * 13 *", "`13` is no month: write `*`, or numbers from 1 to 12, or JAN to DEC"),
            ("0 9 * * MOON", "`MOON` is no day of the week"),
            ("0 9 * * 8", "`8` is no day of the week"),
            ("*/0 * * * *", "`*/0` is no minute"),
            ("a * * * *", "`a` is no minute"),
            ("@fortnightly", "names no schedule"),
            ("every", "is no interval"),
            ("every 15", "has no unit"),
            ("every 500ms", "more than once a second"),
        ] {
            let message = check(rule).unwrap_err();
            assert!(message.contains(reason), "{rule}: {message}");
        }
    }
}
