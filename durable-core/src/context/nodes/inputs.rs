//! The inputs of a start as one JSON object, without the inputs that are not given.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::node::InputValue;
use crate::error::Result;
use crate::payload;

/// The inputs of one workflow, as its expansion lists them.
pub trait Inputs: Sized {
    /// The name of the type.
    const NAME: &'static str;

    /// Adds those that are given.
    fn write<M: SerializeMap>(&self, inputs: &mut M) -> std::result::Result<(), M::Error>;

    /// Takes those that are given.
    fn read(inputs: &mut GivenInputs) -> Result<Self>;
}

/// The inputs that were given, not decoded yet.
#[derive(Debug)]
pub struct GivenInputs(BTreeMap<String, Box<RawValue>>);

impl GivenInputs {
    /// Takes an input under its name, or under a name that it had before. `null` is a value here, so an input without a value is
    /// left out instead.
    pub fn take<T: InputValue>(&mut self, name: &str, was: &[&str]) -> Result<Option<T>> {
        let value = std::iter::once(&name).chain(was).find_map(|name| self.0.remove(*name));
        value.map(|value| payload::decode(format_args!("the input `{name}`"), value.get())).transpose()
    }
}

/// Adds an input if it is given.
pub fn add<M: SerializeMap, T: InputValue>(
    inputs: &mut M,
    name: &'static str,
    value: Option<&T>,
) -> std::result::Result<(), M::Error> {
    value.map_or(Ok(()), |value| inputs.serialize_entry(name, value))
}

/// Writes the inputs as one object.
pub fn serialize<I: Inputs, S: Serializer>(inputs: &I, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    inputs.write(&mut map)?;
    map.end()
}

/// Reads the inputs from one object. `null` is an object without inputs.
pub fn deserialize<'de, I: Inputs, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<I, D::Error> {
    let given = Option::<BTreeMap<String, Box<RawValue>>>::deserialize(deserializer)?;
    I::read(&mut GivenInputs(given.unwrap_or_default())).map_err(D::Error::custom)
}

/// Shows the inputs as JSON behind the name of their type.
pub fn show<I: Inputs + Serialize>(inputs: &I, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = serde_json::to_string(inputs).map_err(|_| fmt::Error)?;
    write!(f, "{} {text}", I::NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{decode, encode_for_replay};

    #[derive(Default, PartialEq)]
    struct Loan {
        applicant: Option<String>,
        spouse: Option<Option<String>>,
    }

    impl Inputs for Loan {
        const NAME: &'static str = "LoanInputs";

        fn write<M: SerializeMap>(&self, inputs: &mut M) -> std::result::Result<(), M::Error> {
            add(inputs, "applicant", self.applicant.as_ref())?;
            add(inputs, "spouse", self.spouse.as_ref())
        }

        fn read(inputs: &mut GivenInputs) -> Result<Self> {
            Ok(Self { applicant: inputs.take("applicant", &["name"])?, spouse: inputs.take("spouse", &[])? })
        }
    }

    impl Serialize for Loan {
        fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
            serialize(self, serializer)
        }
    }

    impl<'de> Deserialize<'de> for Loan {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
            deserialize(deserializer)
        }
    }

    impl fmt::Debug for Loan {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            show(self, f)
        }
    }

    #[test]
    fn an_input_that_is_not_given_is_left_out_and_null_is_a_value() {
        let inputs = Loan { spouse: Some(None), ..Loan::default() };
        let payload = encode_for_replay("the input", &inputs).unwrap();
        assert_eq!(payload.as_str(), r#"{"spouse":null}"#);
        assert_eq!(decode::<Loan>("the input", payload.as_str()).unwrap(), inputs);
        assert_eq!(format!("{inputs:?}"), r#"LoanInputs {"spouse":null}"#);
    }

    #[test]
    fn nothing_an_unknown_name_and_an_old_name_are_read() {
        assert_eq!(decode::<Loan>("the input", "null").unwrap(), Loan::default());
        assert_eq!(decode::<Loan>("the input", r#"{"gone":1}"#).unwrap(), Loan::default());
        let named = decode::<Loan>("the input", r#"{"name":"Ada"}"#).unwrap();
        assert_eq!(named.applicant.as_deref(), Some("Ada"));
    }

    #[test]
    fn an_input_of_another_type_is_refused_with_its_name() {
        let error = decode::<Loan>("the input", r#"{"applicant":1}"#).unwrap_err().to_string();
        assert!(error.contains("the input `applicant` does not decode"), "{error}");
    }
}
