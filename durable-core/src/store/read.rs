//! Reads columns so that an odd value spoils its own row and nothing else.
//!
//! Postgres holds values that Rust does not: times beyond the year 262142, JSON with lone surrogates or numbers beyond a double,
//! words of a later release. sqlx panics over such a time, so every time is read here.

use std::cell::RefCell;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::DeserializeOwned;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgRow, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Postgres, Row, Type};

use super::look::word;
use crate::model::{ExecutionState, Tags};
use crate::payload::Json;

/// A time as Postgres holds it. A time that Rust cannot hold becomes the nearest that it can: `infinity` is never due, and
/// `-infinity` is long past.
#[derive(Debug, Clone, Copy)]
struct Time {
    at: DateTime<Utc>,
    is_exact: bool,
}

impl Type<Postgres> for Time {
    fn type_info() -> PgTypeInfo {
        <DateTime<Utc> as Type<Postgres>>::type_info()
    }
}

impl<'row> Decode<'row, Postgres> for Time {
    fn decode(value: PgValueRef<'row>) -> Result<Self, BoxDynError> {
        // Microseconds since the year 2000, as the statements of the engine always get them.
        let micros = <i64 as Decode<Postgres>>::decode(value)?;
        Ok(from_micros(micros))
    }
}

/// Seconds from 1970 to 2000, where Postgres counts from.
const SECONDS_TO_2000: i64 = 946_684_800;

fn from_micros(micros: i64) -> Time {
    let exact =
        DateTime::from_timestamp(SECONDS_TO_2000, 0).and_then(|epoch| epoch.checked_add_signed(TimeDelta::microseconds(micros)));
    let nearest = if micros < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    Time { at: exact.unwrap_or(nearest), is_exact: exact.is_some() }
}

/// A time of a row.
pub(super) fn time(row: &PgRow, column: &str) -> Result<DateTime<Utc>, sqlx::Error> {
    row.try_get::<Time, _>(column).map(|time| time.at)
}

/// A time of a row that may have none.
pub(super) fn time_if(row: &PgRow, column: &str) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    row.try_get::<Option<Time>, _>(column).map(|time| time.map(|time| time.at))
}

/// A row that is shown to people: unreadable columns are left out and noted.
#[derive(Debug)]
pub(super) struct Lenient<'row> {
    row: &'row PgRow,
    unreadable: RefCell<Vec<String>>,
}

impl<'row> Lenient<'row> {
    pub(super) fn new(row: &'row PgRow) -> Self {
        Self { row, unreadable: RefCell::default() }
    }

    /// The columns that could not be read, and why; `None` if all could be read.
    pub(super) fn unreadable(self) -> Option<String> {
        let unreadable = self.unreadable.into_inner();
        (!unreadable.is_empty()).then(|| unreadable.join("; "))
    }

    /// A value, or the default of its type.
    pub(super) fn get<T: Decode<'row, Postgres> + Type<Postgres> + Default>(&self, column: &str) -> T {
        self.row.try_get(column).unwrap_or_else(|error| {
            self.note(column, error);
            T::default()
        })
    }

    /// A count, never negative.
    pub(super) fn count(&self, column: &str) -> u32 {
        self.count_if(column).unwrap_or_default()
    }

    pub(super) fn count_if(&self, column: &str) -> Option<u32> {
        let number: i32 = self.get::<Option<i32>>(column)?;
        u32::try_from(number).map_err(|_| self.note(column, format!("{number} is negative"))).ok()
    }

    /// A time span in seconds.
    pub(super) fn seconds_if(&self, column: &str) -> Option<Duration> {
        let seconds: f64 = self.get::<Option<f64>>(column)?;
        Duration::try_from_secs_f64(seconds).map_err(|error| self.note(column, error)).ok()
    }

    pub(super) fn time(&self, column: &str) -> DateTime<Utc> {
        self.time_if(column).unwrap_or(DateTime::UNIX_EPOCH)
    }

    pub(super) fn time_if(&self, column: &str) -> Option<DateTime<Utc>> {
        let time = self.row.try_get::<Option<Time>, _>(column).unwrap_or_else(|error| {
            self.note(column, error);
            None
        })?;
        if !time.is_exact {
            self.note(column, "the time is beyond what can be shown");
        }
        Some(time.at)
    }

    /// JSON; a text that does not decode is left out.
    pub(super) fn json(&self, column: &str) -> Option<Json> {
        let text = self.json_text(column)?;
        let readable = serde_json::from_str::<serde_json::Value>(text).and_then(|_| Json::of_text(text.to_owned()));
        readable.map_err(|error| self.note(column, format!("not JSON that can be read: {error}"))).ok()
    }

    /// Tags, an object of texts; none for null.
    pub(super) fn tags(&self, column: &str) -> Tags {
        let text = self.json_text(column);
        let tags = text.map(serde_json::from_str).transpose();
        tags.map_err(|error| self.note(column, format!("not an object of texts: {error}"))).ok().flatten().unwrap_or_default()
    }

    /// An enum value by its word, if the column has one.
    pub(super) fn word_if<T: DeserializeOwned>(&self, column: &str) -> Option<T> {
        let text: &str = self.get::<Option<&str>>(column)?;
        word(text).map_err(|_| self.note(column, format!("`{text}` is not known here"))).ok()
    }

    /// An enum value by its word, or the fallback for unknown words.
    pub(super) fn word<T: DeserializeOwned>(&self, column: &str, instead: T) -> T {
        self.word_if(column).unwrap_or(instead)
    }

    pub(super) fn state(&self, column: &str) -> ExecutionState {
        self.word(column, ExecutionState::Unknown)
    }

    pub(super) fn failure(&self, column: &str) -> Option<crate::error::Failure> {
        self.json_text(column).map(super::journal::failure)
    }

    /// The text of a column of the type `json`, or of one that a statement casts to `text`: sqlx gets the same bytes for both.
    fn json_text(&self, column: &str) -> Option<&'row str> {
        self.row.try_get_unchecked(column).unwrap_or_else(|error| {
            self.note(column, error);
            None
        })
    }

    pub(super) fn note(&self, column: &str, why: impl std::fmt::Display) {
        self.unreadable.borrow_mut().push(format!("`{column}`: {why}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_rust_cannot_hold_is_read_as_the_nearest_that_it_can() {
        let utc = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(from_micros(0).at, utc("2000-01-01T00:00:00Z"));
        assert_eq!(from_micros(-1).at, utc("1999-12-31T23:59:59.999999Z"));
        assert!(from_micros(0).is_exact);
        assert_eq!(from_micros(i64::MAX).at, DateTime::<Utc>::MAX_UTC);
        assert_eq!(from_micros(i64::MIN).at, DateTime::<Utc>::MIN_UTC);
        assert!(!from_micros(i64::MAX).is_exact);
    }
}
