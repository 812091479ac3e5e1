//! The JSON Schema of an input, for types that have one.
//!
//! The inherent constant of [`Schema`] exists for types with a schema and comes before the constant of [`WithoutSchema`], which
//! exists for all types.

use std::fmt;
use std::marker::PhantomData;

use schemars::JsonSchema;

use crate::payload::schema_of;

/// Knows whether `T` has a JSON Schema.
pub struct Schema<T>(PhantomData<T>);

impl<T: JsonSchema> Schema<T> {
    /// Makes the schema.
    pub const MAKE: Option<fn() -> serde_json::Value> = Some(schema_of::<T>);
}

/// The answer for types without a schema.
pub trait WithoutSchema {
    /// No schema.
    const MAKE: Option<fn() -> serde_json::Value> = None;
}

impl<T> WithoutSchema for Schema<T> {}

impl<T> fmt::Debug for Schema<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Schema")
    }
}
