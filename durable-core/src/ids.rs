//! Identifiers of executions and workers, and the epoch that fences writes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::{Error, ErrorKind};

pub use home::Home;

mod home;

/// The id of an execution: a UUIDv7, so ids sort by the time they were made.
///
/// ```text
/// 01989f2c-7b12-7c03-9e5a-4b1f60d2a000
/// └─────┬─────┘ │└────────┬────────┘└┴─ the home: the last twelve bits, three hexadecimal digits
///       │       │         └─ order within the millisecond, then chance
///       │       └─ the version, 7
///       └─ milliseconds since 1970
/// ```
///
/// The [`Home`] comes last, so it does not disturb the order. `durable.new_id()` in SQL makes ids of the same layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutionId(Uuid);

impl ExecutionId {
    /// Makes a new id in home 0.
    pub(crate) fn new() -> Self {
        Self::new_in(Home::default())
    }

    /// Makes a new id in a home. Ids of one process sort in the order in which it makes them, also across homes.
    pub fn new_in(home: Home) -> Self {
        Self(home.mark(Uuid::now_v7()))
    }

    /// The home that the id names. Of a UUID that Durable did not make, these twelve bits mean nothing.
    pub fn home(self) -> Home {
        Home::of(self.0)
    }

    /// The id as a UUID.
    pub fn as_uuid(self) -> Uuid {
        self.0
    }

    /// Whether [`derive`](Self::derive) may have made it. No execution that Durable starts has such an id.
    pub(crate) fn is_derived(self) -> bool {
        self.0.get_version_num() == 5
    }

    /// A UUID that is the same at every replay and different for every `name`: version 5, in the namespace of this execution.
    pub(crate) fn derive(self, name: &str) -> Uuid {
        Uuid::new_v5(&self.0, name.as_bytes())
    }
}

impl From<Uuid> for ExecutionId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl From<ExecutionId> for Uuid {
    fn from(id: ExecutionId) -> Self {
        id.0
    }
}

impl FromStr for ExecutionId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Uuid::parse_str(text).map(Self).map_err(|error| {
            Error::of_kind(ErrorKind::Invalid, format!("`{text}` is no execution id: {error}; give the UUID that start returned"))
        })
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The beginning of ids, to find executions by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdPrefix {
    first: u128,
    last: u128,
}

impl IdPrefix {
    /// The first id that begins so, and the last.
    pub(crate) fn range(self) -> (Uuid, Uuid) {
        (Uuid::from_u128(self.first), Uuid::from_u128(self.last))
    }
}

impl FromStr for IdPrefix {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        const DIGITS: usize = 32;
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let fits = (1..=DIGITS).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        let filled = |digit: &str| u128::from_str_radix(&format!("{digits}{}", digit.repeat(DIGITS - digits.len())), 16).ok();
        let range = if fits { filled("0").zip(filled("f")) } else { None };
        range.map(|(first, last)| Self { first, last }).ok_or_else(|| {
            let problem = format!("no execution id begins with `{text}`; give 1 to {DIGITS} hexadecimal digits");
            Error::of_kind(ErrorKind::Invalid, problem)
        })
    }
}

/// The id of a worker: a process that runs executions. A process that lost its lease continues as a new worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(pub(crate) Uuid);

impl WorkerId {
    pub(crate) fn new() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id as a UUID.
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for WorkerId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for WorkerId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Uuid::parse_str(text).map(Self).map_err(|error| {
            Error::of_kind(ErrorKind::Invalid, format!("`{text}` is no worker id: {error}; give a UUID from the list of workers"))
        })
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How often an execution was claimed; every write of a worker carries it, and one with an old epoch changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Epoch(pub(crate) i32);

impl Epoch {
    /// The epoch of an execution that is created as already claimed.
    pub(crate) const FIRST: Self = Self(1);

    /// The epoch before this one.
    pub(crate) fn before(self) -> Self {
        Self(self.0 - 1)
    }

    /// Whether no other claim can have held the execution between that epoch and this one.
    pub(crate) fn follows(self, earlier: Self) -> bool {
        self.0 == earlier.0 + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_id_is_in_home_0_unless_told_otherwise() {
        assert_eq!(ExecutionId::new().home(), Home::default());
        assert_eq!(Home::default().number(), 0);
        let last = Home::try_from(Home::COUNT - 1).unwrap();
        let id = ExecutionId::new_in(last);
        assert_eq!(id.home(), last);
        assert_eq!(id.as_uuid().get_version_num(), 7);
        assert!(id.to_string().ends_with("fff"), "{id}");
    }

    #[test]
    fn ids_sort_in_the_order_in_which_they_are_made_whatever_their_homes() {
        // Many in each millisecond, in homes of falling numbers.
        let homes = (0..Home::COUNT).rev().cycle().take(20_000);
        let ids: Vec<ExecutionId> = homes.map(|number| ExecutionId::new_in(Home::try_from(number).unwrap())).collect();
        assert!(ids.is_sorted());
        let distinct: std::collections::HashSet<_> = ids.iter().map(|id| id.as_uuid().as_u128() >> 12).collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn a_prefix_spans_the_ids_that_begin_so() {
        let range = |text: &str| text.parse::<IdPrefix>().map(IdPrefix::range);
        let id = |text: &str| Uuid::parse_str(text).unwrap();
        let spanned = (id("01989f2c-7b00-0000-0000-000000000000"), id("01989f2c-7bff-ffff-ffff-ffffffffffff"));
        assert_eq!(range("01989F2C-7b").unwrap(), spanned);
        let whole = "01989f2c-7b12-7000-8000-00000000002a";
        assert_eq!(range(whole).unwrap(), (id(whole), id(whole)));
        for wrong in ["", "-", "order", &format!("{whole}0")] {
            assert_eq!(range(wrong).unwrap_err().kind(), ErrorKind::Invalid, "{wrong}");
        }
    }
}
