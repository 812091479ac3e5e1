//! What the clients of a simulated graph do: set and unset inputs, send what makes no sense, and end it.

use std::collections::BTreeMap;

use super::super::world::World;
use super::check::{graph_of, only_waits_for_changes, shape_of};
use super::{GRAPH, GRAPHS, SimulatedGraph, graph};
use crate::context::Workflow;
use crate::ids::ExecutionId;
use crate::model::WaitKind;
use crate::plan::graph::CHANGES;
use crate::plan::graph::reference::NAMES;
use crate::plan::graph::shape::Shape;
use crate::running::memory::{self, Message};

/// A change that the database has accepted. The graph may refuse it.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Accepted {
    set: BTreeMap<String, u64>,
    unset: Vec<String>,
    complete: bool,
    /// Whether an open graph receives it.
    is_open: bool,
}

impl Accepted {
    /// Whether the graph ends when it receives this.
    pub(super) fn ends(&self, _shape: &Shape) -> bool {
        self.complete && self.is_open
    }

    /// Changes the inputs, unless the graph refuses that.
    pub(super) fn apply(&self, inputs: &mut BTreeMap<String, u64>) {
        if self.complete || self.set.keys().any(|name| !NAMES.contains(&name.as_str())) {
            return;
        }
        inputs.extend(self.set.clone());
        inputs.retain(|name, _| !self.unset.contains(name));
    }

    fn payload(&self) -> String {
        if self.complete {
            return r#"{"complete": true}"#.to_owned();
        }
        serde_json::json!({ "set": self.set, "unset": self.unset }).to_string()
    }
}

impl World {
    /// Creates an execution of a random graph, with some of its inputs.
    pub(in super::super) fn create_graph(&mut self) {
        let id = ExecutionId::from(self.random.uuid());
        let number = self.random.index(GRAPHS);
        let shape = shape_of(graph(number));
        let mut inputs = BTreeMap::from([(GRAPH.to_owned(), number as u64)]);
        for node in (0..shape.nodes.len()).filter(|node| shape.is_input(*node)) {
            if self.random.one_in(2) {
                inputs.insert(NAMES[node].to_owned(), self.random.below(4));
            }
        }
        let input = serde_json::json!(inputs).to_string();
        let mut book = memory::lock(&self.book);
        book.create(id, &input, None);
        book.records.entry(id).and_modify(|record| record.workflow = SimulatedGraph::NAME.to_owned());
    }

    /// A client changes inputs of a graph, whether it waits for that or not.
    pub(in super::super) fn change_graph(&mut self) {
        let id = self.any_execution();
        let Some(graph) = self.graph(id) else { return };
        let shape = shape_of(graph);
        let inputs = (0..shape.nodes.len()).filter(|node| shape.is_input(*node)).count();
        let mut change = Accepted { is_open: graph.open, ..Accepted::default() };
        for _ in 0..=self.random.below(2) {
            let name = NAMES[self.random.index(inputs)].to_owned();
            let is_unset = change.unset.contains(&name);
            if self.random.one_in(4) && !change.set.contains_key(&name) {
                change.unset.extend(Some(name).filter(|_| !is_unset));
            } else if !is_unset {
                change.set.insert(name, self.random.below(4));
            }
        }
        if self.random.one_in(10) {
            change.set.insert("unknown".to_owned(), 1);
        }
        self.send_change(id, change);
        self.signal();
    }

    /// A client ends a graph. One that is not open refuses that.
    pub(in super::super) fn complete_graph(&mut self) {
        let id = self.any_execution();
        let Some(graph) = self.graph(id) else { return };
        self.send_change(id, Accepted { complete: true, is_open: graph.open, ..Accepted::default() });
        self.signal();
    }

    /// Sets every input that is missing, and ends open graphs that have nothing to do.
    pub(in super::super) fn finish_graphs(&mut self) {
        let ids: Vec<ExecutionId> = memory::lock(&self.book).records.keys().copied().collect();
        for id in ids {
            let Some(graph) = self.graph(id) else { continue };
            let change = {
                let book = memory::lock(&self.book);
                let Some(record) = book.records.get(&id).filter(|record| only_waits_for_changes(record)) else { continue };
                let shape = shape_of(graph);
                let is_missing = |node: &usize| {
                    let stored = record.nodes.get(NAMES[*node]);
                    shape.is_input(*node) && !shape.is_optional(*node) && !stored.is_some_and(|node| node.state.has_value())
                };
                let set: BTreeMap<String, u64> =
                    (0..shape.nodes.len()).filter(is_missing).map(|node| (NAMES[node].to_owned(), 1)).collect();
                Accepted { complete: set.is_empty(), set, is_open: graph.open, ..Accepted::default() }
            };
            self.send_change(id, change);
        }
    }

    fn graph(&self, id: ExecutionId) -> Option<&'static crate::context::nodes::node::Graph<SimulatedGraph>> {
        graph_of(memory::lock(&self.book).records.get(&id)?)
    }

    fn send_change(&mut self, id: ExecutionId, change: Accepted) {
        let now = self.now();
        let message = Message { change: Some(change.payload()), ..self.new_message(WaitKind::Event, CHANGES, true) };
        let mut book = memory::lock(&self.book);
        if !book.accepts(id, &message) {
            return;
        }
        let taken = book.send(id, message, now);
        drop(book);
        self.note(&format!("{id} is sent {}, taken {taken}", change.payload()));
        self.accepted.entry(id).or_default().push(change);
    }
}
