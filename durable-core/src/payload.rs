//! Values to JSON and back: a value that could not be read back is refused when it is written.

mod inspect;
mod json;
mod schema;

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{Error, ErrorKind, Result};

pub use inspect::{CalledWith, Digest};
pub use json::Json;
pub(crate) use schema::schema_of;

/// Largest value that is stored, in bytes of JSON: beyond it, rows become slow to read and write. The SQL verbs have the same limit.
pub const PAYLOAD_LIMIT: usize = 4 * 1024 * 1024;

/// A value as JSON text that is known to be storable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Payload(pub(crate) Arc<str>);

impl Payload {
    pub(crate) fn null() -> Self {
        Self("null".into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text as part of another value.
    pub(crate) fn to_raw(&self) -> Result<Box<RawValue>> {
        Ok(RawValue::from_string(self.0.as_ref().to_owned())?)
    }
}

/// Encodes a value, or says why it could not be stored or read back; `what` names it in the error.
pub(crate) fn encode<T: Serialize + ?Sized>(what: impl fmt::Display, value: &T) -> Result<Payload> {
    inspect::check(value).map_err(|refusal| refuse(format!("{what} cannot be stored: {refusal}")))?;
    let text =
        serde_json::to_string(value).map_err(|error| refuse(format!("{what} cannot be stored: {}", placed(value, &error))))?;
    storable(what, text)
}

/// The list of these values, or says why it could not be stored; `what` names it in the error.
pub(crate) fn list<'value>(what: impl fmt::Display, values: impl Iterator<Item = &'value Payload> + Clone) -> Result<Payload> {
    let length: usize = values.clone().map(|value| value.as_str().len() + 1).sum();
    let mut text = String::with_capacity(length + 2);
    text.push('[');
    for (place, value) in values.enumerate() {
        if place > 0 {
            text.push(',');
        }
        text.push_str(value.as_str());
    }
    text.push(']');
    storable(what, text)
}

fn storable(what: impl fmt::Display, text: String) -> Result<Payload> {
    if text.len() > PAYLOAD_LIMIT {
        return Err(refuse(format!(
            "{what} is {} bytes of JSON, over the limit of {PAYLOAD_LIMIT}; store the data elsewhere and pass a reference to it",
            text.len()
        )));
    }
    Ok(Payload(text.into()))
}

/// Encodes a value and reads it back. Returns the record and the value that every replay gets from it. Workflow code gets this
/// value and never the encoded one, because JSON may round or drop parts of it.
pub(crate) fn record<T: Serialize + DeserializeOwned>(what: impl fmt::Display, value: &T) -> Result<(Payload, T)> {
    record_as(what, value)
}

/// Like [`record`], for a value that is read back as another type, such as an argument passed by reference.
pub(crate) fn record_as<T: DeserializeOwned>(what: impl fmt::Display, value: &(impl Serialize + ?Sized)) -> Result<(Payload, T)> {
    let payload = encode(&what, value)?;
    let read =
        decode(&what, payload.as_str()).map_err(|error| refuse(format!("{what} does not survive being stored: {error}")))?;
    Ok((payload, read))
}

/// Like [`record`], for a value that is read later or elsewhere: refuses a value that could not be read there.
pub(crate) fn encode_for_replay<T: Serialize + DeserializeOwned>(what: impl fmt::Display, value: &T) -> Result<Payload> {
    record(what, value).map(|(payload, _)| payload)
}

/// Decodes a value. The error says which field is wrong, and why.
pub(crate) fn decode<T: DeserializeOwned>(what: impl fmt::Display, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| refuse(format!("{what} does not decode: {}", located::<T>(text, &error))))
}

/// Longest text in an index, in bytes: an index row is limited to a third of a page.
const INDEXED_LIMIT: usize = 1000;

/// Refuses a key, a queue or a correlation that Postgres could not index, or that would break the line it is shown in; `what` names
/// it in the error. `check_name.sql` has the same rule.
pub(crate) fn check_indexed(what: impl fmt::Display, text: &str) -> Result<()> {
    if text.is_empty() || text.len() > INDEXED_LIMIT || text.contains(char::is_control) {
        let problem =
            format!("{what} has 1 to {INDEXED_LIMIT} bytes and no control characters; put what is long into the payload");
        return Err(Error::of_kind(ErrorKind::Invalid, problem).into_permanent());
    }
    Ok(())
}

/// The encoding error with the path of the field; found in a second pass, because the path costs time.
fn placed<T: Serialize + ?Sized>(value: &T, error: &serde_json::Error) -> String {
    match serde_path_to_error::serialize(value, &mut serde_json::Serializer::new(std::io::sink())) {
        Err(placed) if placed.path().iter().next().is_some() => format!("{}: {}", placed.path(), placed.inner()),
        _ => error.to_string(),
    }
}

/// The decoding error with the path of the field; found in a second pass, because the path costs time.
fn located<T: DeserializeOwned>(text: &str, error: &serde_json::Error) -> String {
    match serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_str(text)) {
        Err(located) if located.path().iter().next().is_some() => format!("field `{}`: {}", located.path(), located.inner()),
        _ => error.to_string(),
    }
}

fn refuse(message: String) -> Error {
    Error::of_kind(ErrorKind::Payload, message).into_permanent()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::inspect::digest;
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Item {
        price: f64,
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Order {
        items: Vec<Item>,
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Lossy {
        #[serde(skip_serializing)]
        kept: u32,
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Nested(Option<Box<Nested>>, u8);

    fn nested(levels: usize) -> Nested {
        (1..levels).fold(Nested(None, 0), |inner, _| Nested(Some(Box::new(inner)), 0))
    }

    #[test]
    fn a_number_that_json_cannot_hold_is_refused_with_its_path() {
        let error = encode("the output", &Order { items: vec![Item { price: 1.0 }, Item { price: f64::NAN }] }).unwrap_err();
        assert_eq!(error.to_string(), "the output cannot be stored: items[1].price is NaN, which JSON cannot hold");
        assert!(encode("x", &Some(f64::INFINITY)).is_err());
    }

    #[test]
    fn a_nul_character_is_refused_wherever_it_stands() {
        assert!(encode("x", "a\0b").is_err());
        assert!(encode("x", &'\0').is_err());
        assert!(encode("x", &HashMap::from([("a\0", 1)])).is_err());
    }

    #[test]
    fn text_that_is_json_already_is_looked_into_and_kept_as_it_is() {
        let raw = |text: &str| serde_json::value::RawValue::from_string(text.to_owned()).unwrap();
        let exact = r#"{"id":123456789012345678901234567890}"#;
        assert_eq!(encode("x", &raw(exact)).unwrap().as_str(), exact);
        let error = encode("the input", &raw(r#"{"name":["a\u0000b"]}"#)).unwrap_err();
        assert!(error.to_string().contains("[0] contains the character \\u0000"), "{error}");
        assert!(encode("x", &raw(&format!("{}{}", "[".repeat(126), "]".repeat(126)))).is_ok());
        assert!(encode("x", &raw(&format!("{}{}", "[".repeat(127), "]".repeat(127)))).is_err());
        assert_eq!(digest(&raw(r#"{"a":[1,2]}"#)), digest(&serde_json::json!({"a": [1, 2]})));
    }

    #[test]
    fn what_could_not_be_decoded_again_is_refused() {
        assert!(encode_for_replay("x", &nested(126)).is_ok());
        assert!(encode_for_replay("x", &nested(127)).is_err());
        let lossy = Lossy { kept: 1 };
        let error = encode_for_replay("the output", &lossy).unwrap_err();
        assert_eq!(lossy.kept, 1);
        assert!(error.to_string().contains("does not survive being stored"), "{error}");
    }

    #[test]
    fn a_map_with_keys_that_json_does_not_have_is_refused_with_its_path() {
        #[derive(Serialize)]
        struct Seats {
            taken: HashMap<(u8, u8), bool>,
        }
        let error = encode("the output", &Seats { taken: HashMap::from([((1, 2), true)]) }).unwrap_err();
        assert_eq!(error.to_string(), "the output cannot be stored: taken: key must be a string");
    }

    #[test]
    fn what_is_given_is_what_was_read_back() {
        let given = |value: Option<Option<()>>| record("x", &value).unwrap().1;
        assert_eq!((given(Some(Some(()))), given(Some(None)), given(None)), (None, None, None));
        assert_eq!(record("x", &Some(serde_json::Value::Null)).unwrap().1, None);
    }

    proptest! {
        #[test]
        fn a_finite_float_is_read_back_bit_for_bit(double in any::<u64>().prop_map(f64::from_bits), single in any::<u32>().prop_map(f32::from_bits)) {
            match record("x", &double) {
                Ok((_, read)) => prop_assert_eq!(read.to_bits(), double.to_bits()),
                Err(_) => prop_assert!(!double.is_finite()),
            }
            match record("x", &single) {
                Ok((_, read)) => prop_assert_eq!(read.to_bits(), single.to_bits()),
                Err(_) => prop_assert!(!single.is_finite()),
            }
        }

        #[test]
        fn an_integer_of_128_bits_is_read_back_whole(signed in any::<i128>(), unsigned in any::<u128>(), keyed in any::<HashMap<i64, u128>>()) {
            prop_assert_eq!(record("x", &signed).unwrap().1, signed);
            prop_assert_eq!(record("x", &unsigned).unwrap().1, unsigned);
            prop_assert_eq!(record("x", &keyed).unwrap().1, keyed);
        }

        #[test]
        fn text_is_read_back_whole_unless_postgres_cannot_hold_it(text in any::<String>(), character in any::<char>()) {
            prop_assert_eq!(record("x", &text).map(|(_, read)| read).ok(), (!text.contains('\0')).then_some(text));
            prop_assert_eq!(record("x", &character).map(|(_, read)| read).ok(), (character != '\0').then_some(character));
        }
    }

    #[test]
    fn a_list_is_made_of_its_values_and_has_the_limit_of_any_payload() {
        let values = |json: &[&str]| json.iter().map(|json| Payload((*json).into())).collect::<Vec<_>>();
        assert_eq!(list("it", values(&[]).iter()).unwrap().as_str(), "[]");
        assert_eq!(list("it", values(&["1", "\"a\""]).iter()).unwrap().as_str(), "[1,\"a\"]");
        let half = format!("\"{}\"", "a".repeat(PAYLOAD_LIMIT / 2));
        let error = list("it", values(&[&half, &half]).iter()).unwrap_err().to_string();
        assert!(error.starts_with("it is 4194311 bytes of JSON, over the limit of 4194304"), "{error}");
    }

    #[test]
    fn a_payload_over_the_limit_is_refused_with_both_sizes() {
        assert!(encode("x", &"a".repeat(PAYLOAD_LIMIT - 2)).is_ok());
        let error = encode("x", &"a".repeat(PAYLOAD_LIMIT)).unwrap_err();
        assert!(error.to_string().contains("4194306 bytes"), "{error}");
    }

    #[test]
    fn a_decoding_error_names_the_field() {
        let error = decode::<Order>("the input", r#"{"items":[{"price":"high"}]}"#).unwrap_err();
        assert!(error.to_string().contains("field `items[0].price`"), "{error}");
        assert!(error.to_string().contains("f64"), "{error}");
    }

    #[test]
    fn an_empty_option_changes_a_digest_only_before_other_arguments() {
        let of = |arguments: &[&dyn Fn() -> u64]| {
            let mut digest = Digest::default();
            arguments.iter().for_each(|argument| digest.add(argument()));
            digest.called_with().digest
        };
        let (one, none) = (|| digest(&1), || digest(&None::<u32>));
        assert_eq!(of(&[&one]), of(&[&one, &none, &none]));
        assert_ne!(of(&[&one, &one]), of(&[&one, &none, &one]));
        assert_ne!(of(&[&one]), of(&[&none, &one]));
    }

    #[test]
    fn a_digest_tells_values_apart_but_not_the_order_of_a_map() {
        let one = HashMap::from([("a", 1), ("b", 2)]);
        let other = std::collections::BTreeMap::from([("b", 2), ("a", 1)]);
        assert_eq!(digest(&one), digest(&other));
        assert_ne!(digest(&one), digest(&HashMap::from([("a", 2), ("b", 1)])));
        assert_ne!(digest(&1), digest(&2));
        assert_ne!(digest("order-1"), digest("order-2"));
    }

    #[test]
    fn a_digest_sees_the_order_of_sequences_and_tuples_but_not_that_of_hash_sets() {
        assert_ne!(digest(&(1, 2)), digest(&(2, 1)));
        assert_ne!(digest(&["a", "b"]), digest(&["b", "a"]));
        assert_ne!(digest(&[0, 0]), digest(&[0]));
        assert_ne!(digest(&[[1, 2], [3, 4]]), digest(&[[1, 3], [2, 4]]));
        assert_ne!(digest(&[(1, "x"), (2, "y")]), digest(&[(2, "x"), (1, "y")]));
        let set = |numbers: &[u32]| numbers.iter().copied().collect::<std::collections::HashSet<u32>>();
        let up: Vec<u32> = (1..100).collect();
        let down: Vec<u32> = (1..100).rev().collect();
        assert_eq!(digest(&set(&up)), digest(&set(&down)));
        assert_eq!(digest(&Some(Box::new(set(&up)))), digest(&Some(Box::new(set(&down)))));
        assert_eq!(digest(&(1, &set(&up))), digest(&(1, &set(&down))));
    }

    #[test]
    fn a_new_field_with_an_empty_default_and_a_flattened_struct_leave_the_digest_alone() {
        #[derive(Serialize)]
        struct Before {
            id: u32,
            city: &'static str,
            street: &'static str,
        }
        #[derive(Serialize)]
        struct Address {
            city: &'static str,
            street: &'static str,
        }
        #[derive(Serialize)]
        struct After {
            id: u32,
            #[serde(flatten)]
            address: Address,
            urgent: bool,
            tries: u64,
            note: String,
            tags: Vec<String>,
            nested: Option<Option<u32>>,
        }
        let before = Before { id: 7, city: "Rome", street: "Via Appia" };
        let after = |urgent| After {
            id: 7,
            address: Address { city: "Rome", street: "Via Appia" },
            urgent,
            tries: 0,
            note: String::new(),
            tags: Vec::new(),
            nested: None,
        };
        assert_eq!(digest(&before), digest(&after(false)));
        assert_ne!(digest(&before), digest(&after(true)));
    }

    #[test]
    fn a_new_optional_field_that_is_empty_leaves_the_digest_alone() {
        #[derive(Serialize)]
        struct Before {
            id: u32,
        }
        #[derive(Serialize)]
        struct After {
            id: u32,
            note: Option<String>,
        }
        assert_eq!(digest(&Before { id: 7 }), digest(&After { id: 7, note: None }));
        assert_ne!(digest(&Before { id: 7 }), digest(&After { id: 7, note: Some("x".to_owned()) }));
    }
}
