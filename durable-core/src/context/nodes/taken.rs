//! The values that a node or its condition is called with.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::parameters::{Given, Latest, Settled};
use crate::error::{Error, ErrorKind, Failure, Result};
use crate::payload::{self, Json, Payload};

/// What a node takes: one slot for each edge, in the order of the edges.
///
/// Each accessor decodes the slot at a place; `name` names it in errors.
#[derive(Debug)]
pub struct Taken {
    slots: Vec<Slot>,
}

/// The state of a node that another one takes.
#[derive(Debug)]
pub(crate) enum Slot {
    /// It has a value.
    Ready { value: Payload, revision: u32, set_at: DateTime<Utc>, metadata: Option<Payload>, stale: bool },
    /// It has no value yet, or is an optional input without one.
    Nothing,
    /// It was skipped.
    Skipped,
    /// It has failed.
    Failed(Box<Failure>),
}

impl Taken {
    pub(crate) fn new(slots: Vec<Slot>) -> Self {
        Self { slots }
    }

    /// How many nodes are taken.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The value of a node that the caller waits for.
    ///
    /// # Errors
    /// `Payload` if the value does not decode to a `T`.
    pub fn needed<T: DeserializeOwned>(&self, place: usize, name: &str) -> Result<T> {
        self.value(place, name)?.ok_or_else(|| missing(name))
    }

    /// The value of a node that is settled; `None` if it has none.
    ///
    /// # Errors
    /// `Payload` if the value does not decode to a `T`.
    pub fn settled<T: DeserializeOwned>(&self, place: usize, name: &str) -> Result<Option<T>> {
        self.value(place, name)
    }

    /// The value that a node has now, if it has one.
    ///
    /// # Errors
    /// `Payload` if the value does not decode to a `T`.
    pub fn latest<T: DeserializeOwned>(&self, place: usize, name: &str) -> Result<Latest<T>> {
        self.value(place, name).map(Latest)
    }

    /// How a node has ended.
    ///
    /// # Errors
    /// `Payload` if the value does not decode to a `T`.
    pub fn outcome<T: DeserializeOwned>(&self, place: usize, name: &str) -> Result<Settled<T>> {
        if let Some(Slot::Failed(failure)) = self.slots.get(place) {
            return Ok(Settled::Failed((**failure).clone()));
        }
        Ok(self.value(place, name)?.map_or(Settled::Skipped, Settled::Ready))
    }

    /// The value of a node that the caller waits for, with its facts.
    ///
    /// # Errors
    /// `Payload` if the value does not decode to a `T`.
    pub fn given<T: DeserializeOwned>(&self, place: usize, name: &str) -> Result<Given<T>> {
        let Some(Slot::Ready { value, revision, set_at, metadata, stale }) = self.slots.get(place) else {
            return Err(missing(name));
        };
        let metadata = metadata.as_ref().map(|metadata| Json::of_text(metadata.as_str().to_owned())).transpose()?;
        Ok(Given { value: decode(name, value)?, revision: *revision, set_at: *set_at, metadata, stale: *stale })
    }

    /// The values as they are stored; `None` for a node without one.
    pub(crate) fn raw(&self) -> Result<Vec<Option<Box<RawValue>>>> {
        (0..self.slots.len()).map(|place| self.json(place).map(Payload::to_raw).transpose()).collect()
    }

    /// The value at a place, not decoded; `None` if the node has none.
    pub(crate) fn json(&self, place: usize) -> Option<&Payload> {
        match self.slots.get(place) {
            Some(Slot::Ready { value, .. }) => Some(value),
            _ => None,
        }
    }

    fn value<T: DeserializeOwned>(&self, place: usize, name: &str) -> Result<Option<T>> {
        self.json(place).map(|value| decode(name, value)).transpose()
    }
}

fn decode<T: DeserializeOwned>(name: &str, value: &Payload) -> Result<T> {
    payload::decode(format_args!("the value of `{name}`"), value.as_str())
}

fn missing(name: &str) -> Error {
    Error::of_kind(ErrorKind::Invalid, format!("a node runs before `{name}`, which it needs, has a value: report this as a bug"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(value: &str) -> Slot {
        let metadata = Some(Payload(r#"{"by":"Ada"}"#.into()));
        Slot::Ready { value: Payload(value.into()), revision: 7, set_at: DateTime::UNIX_EPOCH, metadata, stale: true }
    }

    fn taken() -> Taken {
        let failure = Failure::new(ErrorKind::Failed, "no stock".to_owned());
        Taken::new(vec![ready("3"), Slot::Nothing, Slot::Skipped, Slot::Failed(Box::new(failure))])
    }

    #[test]
    fn a_value_is_read_by_every_policy() {
        let taken = taken();
        assert_eq!(taken.needed::<u32>(0, "n").unwrap(), 3);
        assert_eq!(taken.settled::<u32>(0, "n").unwrap(), Some(3));
        assert_eq!(taken.latest::<u32>(0, "n").unwrap(), Latest(Some(3)));
        assert_eq!(taken.outcome::<u32>(0, "n").unwrap().ready(), Some(3));
    }

    #[test]
    fn a_given_value_has_its_revision_its_time_and_its_metadata() {
        let given = taken().given::<u32>(0, "n").unwrap();
        let metadata = Some(Json::from(serde_json::json!({"by": "Ada"})));
        assert_eq!(given, Given { value: 3, revision: 7, set_at: DateTime::UNIX_EPOCH, metadata, stale: true });
    }

    #[test]
    fn a_node_without_a_value_is_none_and_only_its_outcome_tells_why() {
        let taken = taken();
        for place in 1..4 {
            assert_eq!(taken.settled::<u32>(place, "n").unwrap(), None);
            assert_eq!(taken.latest::<u32>(place, "n").unwrap(), Latest(None));
        }
        assert!(taken.outcome::<u32>(1, "n").unwrap().is_skipped());
        assert!(taken.outcome::<u32>(2, "n").unwrap().is_skipped());
        assert_eq!(taken.outcome::<u32>(3, "n").unwrap().failure().unwrap().message, "no stock");
    }

    #[test]
    fn a_needed_value_that_is_missing_or_of_another_type_is_an_error_with_its_name() {
        let taken = taken();
        assert!(taken.needed::<u32>(2, "score").unwrap_err().to_string().contains("`score`"));
        assert!(taken.given::<u32>(1, "score").unwrap_err().to_string().contains("`score`"));
        let error = taken.settled::<String>(0, "score").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Payload);
        assert!(error.to_string().starts_with("the value of `score` does not decode"), "{error}");
    }

    #[test]
    fn a_value_that_is_null_is_not_a_missing_one() {
        let taken = Taken::new(vec![ready("null")]);
        assert_eq!(taken.settled::<Option<u32>>(0, "n").unwrap(), Some(None));
        assert_eq!(taken.needed::<Option<u32>>(0, "n").unwrap(), None);
    }

    #[test]
    fn a_borrowed_parameter_keeps_what_the_owned_one_says() {
        let given = taken().given::<u32>(0, "n").unwrap();
        assert_eq!(given.as_ref().map(|value| *value), given);
        assert_eq!(Latest(Some(3)).as_ref().map(|value: &i32| *value), Latest(Some(3)));
        let failed = taken().outcome::<u32>(3, "n").unwrap();
        assert_eq!(failed.as_ref().failure().map(|failure| failure.message.as_str()), Some("no stock"));
        assert_eq!(Settled::Ready(3).as_ref().map(|value| *value + 1).ready(), Some(4));
    }
}
