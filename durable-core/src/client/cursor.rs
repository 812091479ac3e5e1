//! The order of a list of executions, and the cursor at which a page of it ends.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;

/// The order of a list of executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SortBy {
    /// When they were started by a client.
    Created,
    /// When a worker first claimed them.
    Started,
    /// When they ended.
    Finished,
    /// When they will be woken at the latest, or may begin.
    Wakes,
    /// Their priority.
    Priority,
}

/// The direction of the order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortOrder {
    /// The least and the earliest first.
    Ascending,
    /// The greatest and the latest first.
    Descending,
}

/// The end of a page of a list, for the next page. It can be written as text and read back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cursor {
    pub(super) id: ExecutionId,
    pub(super) place: Option<Position>,
}

/// The place of an execution in a list that is ordered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Position {
    pub(super) sort: SortBy,
    pub(super) order: SortOrder,
    pub(super) value: f64,
}

impl SortBy {
    /// Everything that a list can be ordered by.
    pub const ALL: [Self; 5] = [Self::Created, Self::Started, Self::Finished, Self::Wakes, Self::Priority];

    /// The word used in SQL and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Started => "started",
            Self::Finished => "finished",
            Self::Wakes => "wakes",
            Self::Priority => "priority",
        }
    }
}

impl FromStr for SortBy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|sort| sort.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::of_kind(ErrorKind::Invalid, format!("executions are not sorted by `{text}`; choose from {known}"))
        })
    }
}

impl SortOrder {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ascending => "ascending",
            Self::Descending => "descending",
        }
    }
}

impl From<ExecutionId> for Cursor {
    fn from(id: ExecutionId) -> Self {
        Self { id, place: None }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)?;
        match self.place {
            Some(Position { sort, order, value }) => write!(f, ":{}:{}:{value}", sort.as_str(), order.as_str()),
            None => Ok(()),
        }
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some((id, place)) = text.split_once(':') else { return Ok(text.parse::<ExecutionId>()?.into()) };
        let unknown =
            || Error::of_kind(ErrorKind::Invalid, format!("`{text}` is no cursor; give the one that the page before ended with"));
        let [sort, order, value] = place.split(':').collect::<Vec<_>>()[..] else { return Err(unknown()) };
        let orders = [SortOrder::Ascending, SortOrder::Descending];
        let order = orders.into_iter().find(|known| known.as_str() == order).ok_or_else(unknown)?;
        let value = value.parse().map_err(|_| unknown())?;
        Ok(Self { id: id.parse()?, place: Some(Position { sort: sort.parse()?, order, value }) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_it_was_written() {
        for value in [-3.0, 0.1 + 0.2, 1_795_276_800.123_457, f64::INFINITY] {
            for (sort, order) in [(SortBy::Priority, SortOrder::Descending), (SortBy::Created, SortOrder::Ascending)] {
                let cursor = Cursor { id: ExecutionId::new(), place: Some(Position { sort, order, value }) };
                assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
            }
        }
        let plain = Cursor::from(ExecutionId::new());
        assert_eq!(plain.to_string().parse::<Cursor>().unwrap(), plain);
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let id = ExecutionId::new();
        for text in ["order-42", &format!("{id}:priority"), &format!("{id}:size:ascending:1"), &format!("{id}:priority:up:1")] {
            assert_eq!(text.parse::<Cursor>().unwrap_err().kind(), ErrorKind::Invalid, "{text}");
        }
    }
}
