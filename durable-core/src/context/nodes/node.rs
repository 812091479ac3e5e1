//! A node as the expansion describes it: its place in the graph, and the code that computes it.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::result::{StepError, StepResult};
use super::taken::Taken;
use crate::error::{Error, Result};
use crate::payload::{self, Payload};
use crate::plan::graph::spec::NodeSpec;
use crate::running::BoxFuture;

/// A workflow in the graph form.
pub struct Graph<W: 'static> {
    /// Its nodes, in the order written.
    pub nodes: &'static [Node<W>],
    /// Whether an execution stays open when everything is settled.
    pub open: bool,
}

/// Calls the step of a node with what it takes.
pub(crate) type Call<W> = for<'run> fn(&'run W, &'run Taken) -> BoxFuture<'run, Result<Computed>>;

/// A node of a graph.
pub struct Node<W: 'static> {
    /// What the macro knows of it.
    pub spec: NodeSpec,
    /// Calls the step with what it takes; `None` for an input.
    pub run: Option<Call<W>>,
    /// Evaluates the condition with what it takes; `None` if it has none.
    pub when: Option<fn(&Taken) -> Result<bool>>,
    /// The JSON Schema of an input, if its type has one.
    pub schema: Option<fn() -> serde_json::Value>,
    /// Refuses JSON text that does not decode to the type of an input; `None` for a step.
    pub check: Option<fn(&str) -> Result<()>>,
}

impl<W> Node<W> {
    /// A node without code. A description names what is different.
    pub const PLAIN: Self = Self { spec: NodeSpec::PLAIN, run: None, when: None, schema: None, check: None };
}

impl<W> fmt::Debug for Graph<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Graph").field("nodes", &self.nodes).field("open", &self.open).finish()
    }
}

impl<W> fmt::Debug for Node<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("spec", &self.spec).finish_non_exhaustive()
    }
}

/// What a node has computed, as it is recorded.
#[derive(Debug, Clone)]
pub struct Computed {
    value: Payload,
    /// How many entries it has in the journal.
    entries: usize,
}

impl Computed {
    /// A value that is one entry of the journal.
    pub(crate) fn of(value: Payload) -> Self {
        Self { value, entries: 1 }
    }

    /// The list of what was computed for each item.
    pub(crate) fn of_items(items: &[Self]) -> Result<Self> {
        let value = payload::list("the value of the node", items.iter().map(|item| &item.value))?;
        Ok(Self { value, entries: 1 + items.len() })
    }

    pub(crate) fn entries(&self) -> usize {
        self.entries
    }

    pub(crate) fn as_payload(&self) -> &Payload {
        &self.value
    }

    pub(crate) fn into_payload(self) -> Payload {
        self.value
    }
}

/// What a step has returned, as the value of its node.
pub fn computed<R: StepResult>(result: R) -> Result<Computed> {
    let value = result.into_result().map_err(|error| Error::advised(error.to_failure(), error.advice()))?;
    payload::encode("the value of the node", &value).map(Computed::of)
}

/// A type that an input may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the type of an input",
    label = "must be written as JSON and read back",
    note = "derive `serde::Serialize` and `serde::Deserialize` for it"
)]
pub trait InputValue: Serialize + DeserializeOwned + Send {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send> InputValue for T {}

/// Refuses JSON text that does not decode to a `T`.
pub fn check<T: InputValue>(value: &str) -> Result<()> {
    payload::decode::<T>("the value", value).map(drop)
}
