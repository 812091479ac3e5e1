//! A value that an execution has set under a name, and a node of a graph, which is stored like one.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{NodeDetails, Timer};
use crate::error::{Failure, Result};
use crate::payload::{self, Json, Payload};

/// A value that a workflow has set with [`cx.set`](crate::context::Context::set), such as its progress, or the value of a node of
/// a graph. Only the newest value of a name is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExecutionValue<T = Json> {
    /// Its name.
    pub name: String,
    /// How often the execution has set this name so far, from 1. In a retry or a fork it may begin at 1 again. In a graph, the
    /// changes of all nodes are counted together: the revision is that of the change which gave the node this value.
    pub revision: u32,
    /// When it was set, by the database's clock.
    pub set_at: DateTime<Utc>,
    /// The value itself.
    pub value: T,
    /// What the workflow says about the value.
    pub metadata: Option<Json>,
    /// Whether it is the value of a node whose recomputation has failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stale: bool,
}

impl ExecutionValue {
    /// The same with the value as a type of yours.
    ///
    /// # Errors
    /// `Payload` if the value does not decode to it.
    pub fn decode<T: DeserializeOwned>(self) -> Result<ExecutionValue<T>> {
        let Self { name, revision, set_at, value, metadata, stale } = self;
        let value = payload::decode(format_args!("the value `{name}`"), value.as_str())?;
        Ok(ExecutionValue { name, revision, set_at, value, metadata, stale })
    }
}

/// A value to be written together with the checkpoint of the call that sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewValue {
    pub(crate) name: String,
    pub(crate) value: Payload,
    pub(crate) metadata: Option<Payload>,
    /// What a graph records besides, if it is a node of one.
    pub(crate) node: Option<NewNode>,
}

impl NewValue {
    /// Its size in a statement, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.name.len()
            + self.value.as_str().len()
            + self.metadata.as_ref().map_or(0, |metadata| metadata.as_str().len())
            + self.node.as_ref().map_or(0, |node| node.record.as_str().len())
    }
}

/// What a node of a graph has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ValueState {
    /// It has no value: an input that was not given or was unset, or a node that misses what it needs.
    Unset,
    /// It has a value.
    Ready,
    /// It has a value, and its recomputation has failed.
    Stale,
    /// Its condition does not hold, or a node that it needs was skipped.
    Skipped,
    /// It has failed, and had no value before.
    Failed,
}

impl ValueState {
    const ALL: [Self; 5] = [Self::Unset, Self::Ready, Self::Stale, Self::Skipped, Self::Failed];

    /// The word in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ready => "ready",
            Self::Stale => "stale",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether the node has a value.
    pub fn has_value(self) -> bool {
        matches!(self, Self::Ready | Self::Stale)
    }
}

/// A node of a graph as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewNode {
    pub(crate) state: ValueState,
    pub(crate) revision: u32,
    /// When it got its value; the time of the write if it has none.
    pub(crate) set_at: Option<DateTime<Utc>>,
    /// A [`NodeRecord`] as JSON.
    pub(crate) record: Payload,
    /// How many of its newest values are kept, if this is one to keep.
    pub(crate) history: Option<u32>,
}

/// What a graph knows of a node besides its state and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeRecord {
    /// The state of the execution in which the node was decided: the newest revision of what it takes. 0 for an input.
    pub(crate) cause: u32,
    /// The revision since which it has its value, is skipped, or has nothing; `None` for the revision of its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) state_revision: Option<u32>,
    /// The revision of its last change, failures included; `None` for the revision of its state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) change_revision: Option<u32>,
    /// What it took when it was decided, as `Shape::signature` writes it. Empty for an input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) takes: Vec<Cow<'static, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Box<Failure>>,
    /// When it fires next, if it is a timer that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timer: Option<Timer>,
}

/// A node of a graph as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredNode {
    pub(crate) name: String,
    pub(crate) state: ValueState,
    pub(crate) revision: u32,
    pub(crate) set_at: DateTime<Utc>,
    pub(crate) record: NodeRecord,
    /// `null` without one.
    pub(crate) value: Payload,
    pub(crate) metadata: Option<Payload>,
}

impl From<StoredNode> for NodeDetails {
    fn from(StoredNode { name, state, revision, set_at, record, .. }: StoredNode) -> Self {
        let error = record.error.map(|error| *error);
        Self { name, state, revision, since: Some(set_at), error, is_outstanding: false, waits_for: None, unmet: Vec::new() }
    }
}
