//! Judges changes of inputs: for clients before the changes are sent, and for the driver when they arrive.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use serde_json::value::RawValue;

use crate::context::door::Context;
use crate::context::nodes::node::Graph;
use crate::error::{Error, ErrorKind, Result};
use crate::payload::{self, Payload};
use crate::plan::graph::INPUTS;
use crate::plan::graph::changes::{self, InputChanges};
use crate::plan::graph::spec::{NodeKind, NodeSpec};
use crate::plan::graph::state::Change;
use crate::plan::journal_key;
use crate::plan::question::Question;

/// What may be changed of a graph from outside.
pub(crate) struct Door {
    pub(crate) nodes: Vec<NodeSpec>,
    types: Vec<InputType>,
    pub(crate) is_open: bool,
}

/// The type of an input.
struct InputType {
    schema: Option<fn() -> serde_json::Value>,
    check: Option<fn(&str) -> Result<()>>,
    /// Made of the schema when it is asked first. `None` for a schema that no validator can read, which is left to the type.
    question: OnceLock<Option<Question>>,
}

impl Door {
    pub(crate) fn of<W>(graph: &Graph<W>) -> Self {
        Self {
            nodes: graph.nodes.iter().map(|node| node.spec).collect(),
            types: graph
                .nodes
                .iter()
                .map(|node| InputType { schema: node.schema, check: node.check, question: OnceLock::new() })
                .collect(),
            is_open: graph.open,
        }
    }

    /// The name under which the question of this name, or of this former name, is answered; `None` if the graph has no such question.
    pub(crate) fn question(&self, name: &str) -> Option<&'static str> {
        let is_called = |spec: &&NodeSpec| spec.name == name || spec.was.contains(&name);
        self.nodes.iter().find(is_called).filter(|spec| spec.kind == NodeKind::Question).map(|spec| spec.name)
    }

    /// Whether a flow of the graph may ask a question of this name.
    pub(crate) fn may_ask(&self, name: &str) -> bool {
        let is_called = |spec: &NodeSpec| spec.name == name || spec.was.contains(&name);
        self.nodes.iter().any(|spec| spec.kind == NodeKind::Flow) && !self.nodes.iter().any(is_called)
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
        self.refuse_two_names(&judged, changes.set.keys().chain(&changes.unset))?;
        Ok(judged)
    }

    /// The inputs of a start by their places. `null` is a start without inputs.
    ///
    /// # Errors
    /// As for [`judge`](Self::judge). A start that gives nothing is not an error.
    pub(crate) fn judge_start(&self, inputs: &Payload) -> Result<Vec<(usize, Change)>> {
        let given: Option<BTreeMap<String, Box<RawValue>>> = payload::decode("the inputs of a graph", inputs.as_str())?;
        let set = given.unwrap_or_default();
        if set.is_empty() {
            return Ok(Vec::new());
        }
        self.judge(&InputChanges { set, ..InputChanges::default() })
    }

    /// Refuses a change that names one input by two of its names: only one of the values would count.
    fn refuse_two_names<'name>(&self, judged: &[(usize, Change)], names: impl Iterator<Item = &'name String>) -> Result<()> {
        let mut named: BTreeMap<usize, &str> = BTreeMap::new();
        for ((place, _), name) in judged.iter().zip(names) {
            if let Some(other) = named.insert(*place, name) {
                let now = self.nodes[*place].name;
                return Err(invalid(format!(
                    "`{other}` and `{name}` are names of one input, which is called `{now}` now: give it once"
                )));
            }
        }
        Ok(())
    }
}

/// What a graph is called with: the inputs of its start, if they are all right, and nothing if it has begun, because it goes on from its
/// values. So an input that new code no longer has, or has with another type, does no harm to it.
///
/// # Errors
/// As for [`Door::judge_start`].
pub(crate) fn inputs_of_start(door: &Door, cx: &Context, inputs: Payload) -> Result<Payload> {
    if cx.root.run.only_reads() || cx.root.run.has_recorded_or_continued(&journal_key::occurrence(journal_key::SET, INPUTS, 1)) {
        return Ok(Payload("{}".into()));
    }
    let refused = |error: Error| Error::permanent(format!("the execution was started with inputs that do not fit: {error}"));
    door.judge_start(&inputs).map_err(refused)?;
    Ok(inputs)
}

impl InputType {
    fn judge(&self, name: &str, value: &str) -> Result<()> {
        let question = self.question.get_or_init(|| Question::new(name, &self.schema?()).ok());
        let mismatch = question.as_ref().and_then(|question| question.mismatch(value));
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
