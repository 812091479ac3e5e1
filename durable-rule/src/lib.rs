//! The grammar of schedules: one reader for the attribute macro, the engine and the command line.
//!
//! It knows numbers and names of fields, not time zones: the engine decides at which instants a rule is due. A rule that could be read in two
//! ways, or that contains something without effect, is refused.
//!
//! ```
//! use durable_rule::Rule;
//!
//! let rule = Rule::read("0 9 * * MON-FRI")?;
//! assert_eq!(rule.describe(), "At 09:00, on Monday to Friday.");
//! assert!(Rule::read("0 9 MON-FRI * *").is_err());
//! # Ok::<(), durable_rule::Refusal>(())
//! ```

mod cron;
mod days;
mod describe;
mod field;
mod interval;

use std::fmt;

pub use cron::Cron;
pub use interval::Interval;

/// Most characters of a rule or of an item that a refusal shows.
const SHOWN: usize = 60;

/// When a schedule is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// At times of the calendar.
    Cron(Box<Cron>),
    /// Again and again, a fixed time apart.
    Every(Interval),
}

/// Why a text is not a rule: what is wrong, where, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(String);

impl Rule {
    /// Reads a rule: a cron expression of five or six fields, a name such as `@daily`, or an interval such as `every 15m`.
    ///
    /// # Errors
    /// A [`Refusal`] for every other text, and for an expression whose day never comes.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let refuse = |problem: String| Refusal(format!("`{}` is not a schedule: {problem}", shown(text)));
        if let Some(odd) =
            text.chars().find(|letter| *letter != '\t' && *letter != ' ' && (letter.is_whitespace() || letter.is_control()))
        {
            return Err(refuse(format!("it has the character U+{:04X}; separate its fields with spaces", u32::from(odd))));
        }
        let fields: Vec<&str> = text.split([' ', '\t']).filter(|field| !field.is_empty()).collect();
        match fields.split_first() {
            Some((&"every", period)) => Interval::read(period).map(Self::Every).map_err(refuse),
            _ => Cron::read(&fields).map(|cron| Self::Cron(Box::new(cron))).map_err(refuse),
        }
    }

    /// The rule in a sentence. Rules with one sentence are due at the same times.
    pub fn describe(&self) -> String {
        match self {
            Self::Cron(cron) => cron.describe(),
            Self::Every(interval) => interval.describe(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// A part of a rule as a refusal shows it: on one line, and shortened if it is long.
fn shown(text: &str) -> String {
    let escaped: String = text.escape_debug().take(SHOWN + 1).collect();
    match escaped.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &escaped[..end]),
        None => escaped,
    }
}
