//! A JSON value as its stored text, for people and programs that look at executions.

use std::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Payload, decode};
use crate::error::Result;

/// A JSON value exactly as it is stored: numbers keep all their digits, and `1.10` stays `1.10`.
///
/// [`as_str`](Self::as_str) and `Display` give the text, [`decode`](Self::decode) the value. It is equal to a `serde_json::Value` that its text
/// decodes to.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Box<RawValue>);

impl Json {
    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// The value, as a type of yours.
    ///
    /// # Errors
    /// `Payload` when the text does not decode to it.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        decode("the value", self.as_str())
    }

    /// Wraps JSON text.
    pub(crate) fn of_text(text: String) -> serde_json::Result<Self> {
        RawValue::from_string(text).map(Self)
    }

    /// The value to write to the database; it came from there.
    pub(crate) fn to_payload(&self) -> Payload {
        Payload(self.as_str().into())
    }
}

impl Default for Json {
    /// `null`.
    fn default() -> Self {
        Self(RawValue::NULL.to_owned())
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        // A `Value` is always written as JSON.
        Self::of_text(value.to_string()).unwrap_or_default()
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for Json {
    /// Texts are compared, not values: `1.0` is not `1.00`.
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

impl PartialEq<Value> for Json {
    fn eq(&self, other: &Value) -> bool {
        serde_json::from_str::<Value>(self.as_str()).is_ok_and(|value| value == *other)
    }
}
