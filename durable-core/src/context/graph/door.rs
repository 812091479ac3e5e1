//! Judges changes of inputs: for clients before the changes are sent, and for the driver when they arrive.

use std::fmt;

use crate::context::nodes::node::Graph;
use crate::error::{Error, ErrorKind, Result};
use crate::payload::Payload;
use crate::plan::graph::changes::{self, InputChanges};
use crate::plan::graph::spec::{NodeKind, NodeSpec};
use crate::plan::graph::state::Change;
use crate::plan::question::Question;

/// What may be changed of a graph from outside.
pub(crate) struct Door {
    pub(crate) nodes: Vec<NodeSpec>,
    types: Vec<InputType>,
    pub(crate) is_open: bool,
}

/// The type of an input.
#[derive(Clone, Copy)]
struct InputType {
    schema: Option<fn() -> serde_json::Value>,
    check: Option<fn(&str) -> Result<()>>,
}

impl Door {
    pub(crate) fn of<W>(graph: &Graph<W>) -> Self {
        Self {
            nodes: graph.nodes.iter().map(|node| node.spec).collect(),
            types: graph.nodes.iter().map(|node| InputType { schema: node.schema, check: node.check }).collect(),
            is_open: graph.open,
        }
    }

    /// The name under which the question of this name, or of this former name, is answered; `None` if the graph has no such question.
    pub(crate) fn question(&self, name: &str) -> Option<&'static str> {
        let is_called = |spec: &&NodeSpec| spec.name == name || spec.was.contains(&name);
        self.nodes.iter().find(is_called).filter(|spec| spec.kind == NodeKind::Question).map(|spec| spec.name)
    }

    /// The changes by the places of the inputs.
    ///
    /// # Errors
    /// `Invalid` for an unknown input and for changes that make no sense, `Payload` for a value that does not fit.
    pub(crate) fn judge(&self, changes: &InputChanges) -> Result<Vec<(usize, Change)>> {
        if let Some(problem) = changes.contradiction() {
            return Err(invalid(format!("the change makes no sense: {problem}")));
        }
        // A recurring timer keeps a graph from completing by itself.
        let may_go_on = self.is_open || self.nodes.iter().any(|spec| spec.kind == NodeKind::Timer);
        if changes.complete && !may_go_on {
            let problem = "the graph is not open: it completes by itself when nothing in it can change any more";
            return Err(invalid(problem.to_owned()));
        }
        let find = |name: &String| changes::find_input(&self.nodes, name).map_err(invalid);
        let mut judged = Vec::new();
        for (name, value) in &changes.set {
            let place = find(name)?;
            self.types[place].judge(name, value.get())?;
            let metadata = changes.metadata.get(name).map(|metadata| Payload(metadata.get().into()));
            judged.push((place, Change::Set { json: Payload(value.get().into()), metadata }));
        }
        for name in &changes.unset {
            judged.push((find(name)?, Change::Unset));
        }
        Ok(judged)
    }
}

impl InputType {
    fn judge(self, name: &str, value: &str) -> Result<()> {
        let schema = self.schema.map(|schema| schema());
        // A schema that no validator can read is left to the type.
        let question = schema.and_then(|schema| Question::new(name, &schema).ok());
        let mismatch = question.and_then(|question| question.mismatch(value));
        let mismatch = mismatch.or_else(|| self.check.and_then(|check| check(value).err()).map(|error| error.to_string()));
        match mismatch {
            Some(mismatch) => Err(Error::of_kind(ErrorKind::Payload, format!("the input `{name}` does not fit: {mismatch}"))),
            None => Ok(()),
        }
    }
}

fn invalid(problem: String) -> Error {
    Error::of_kind(ErrorKind::Invalid, problem)
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("nodes", &self.nodes).field("is_open", &self.is_open).finish_non_exhaustive()
    }
}
