//! A value that an execution has set under a name.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::payload::{self, Json, Payload};

/// A value that a workflow has set with [`cx.set`](crate::context::Context::set), such as its progress. Only the newest value
/// of a name is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExecutionValue<T = Json> {
    /// Its name.
    pub name: String,
    /// How often the execution has set this name so far, from 1. In a retry or a fork it may begin at 1 again.
    pub revision: u32,
    /// When it was set, by the database's clock.
    pub set_at: DateTime<Utc>,
    /// The value itself.
    pub value: T,
    /// What the workflow says about the value.
    pub metadata: Option<Json>,
}

impl ExecutionValue {
    /// The same with the value as a type of yours.
    ///
    /// # Errors
    /// `Payload` if the value does not decode to it.
    pub fn decode<T: DeserializeOwned>(self) -> Result<ExecutionValue<T>> {
        let Self { name, revision, set_at, value, metadata } = self;
        let value = payload::decode(format_args!("the value `{name}`"), value.as_str())?;
        Ok(ExecutionValue { name, revision, set_at, value, metadata })
    }
}

/// A value to be written together with the checkpoint of the call that sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewValue {
    pub(crate) name: String,
    pub(crate) value: Payload,
    pub(crate) metadata: Option<Payload>,
}

impl NewValue {
    /// Its size in a statement, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.name.len() + self.value.as_str().len() + self.metadata.as_ref().map_or(0, |metadata| metadata.as_str().len())
    }
}
