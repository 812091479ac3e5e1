//! What must be true of a graph: when a node begins, when the execution only waits for changes, and when it has ended.

use std::collections::BTreeMap;

use super::clients::Accepted;
use super::{GRAPH, SimulatedGraph, graph};
use crate::context::Workflow;
use crate::context::nodes::node::Graph;
use crate::ids::ExecutionId;
use crate::model::{ValueState, WaitKind};
use crate::plan::graph::CHANGES;
use crate::plan::graph::reference::{Is, Seen, model, seen as see, strict};
use crate::plan::graph::shape::Shape;
use crate::plan::graph::spec::OnFailure;
use crate::running::hold::Hold;
use crate::running::memory::{Book, REFUSED, Record, State};

/// The graph of this execution, if it runs one.
pub(super) fn graph_of(record: &Record) -> Option<&'static Graph<SimulatedGraph>> {
    if record.workflow != SimulatedGraph::NAME {
        return None;
    }
    let inputs: BTreeMap<String, u64> = serde_json::from_str(&record.first_input).unwrap_or_default();
    Some(graph(usize::try_from(*inputs.get(GRAPH)?).ok()?))
}

pub(super) fn shape_of(graph: &Graph<SimulatedGraph>) -> Shape {
    Shape::of(graph.nodes.iter().map(|node| node.spec)).expect("random graphs have no cycle")
}

/// What the nodes are on record.
fn real(shape: &Shape, record: &Record) -> Vec<Is> {
    let is = |node: usize| {
        let Some(stored) = record.nodes.get(shape.nodes[node].name) else { return ("unset", None) };
        let value = stored.state.has_value().then(|| stored.value.as_str().to_owned());
        let word = match stored.state {
            ValueState::Unset => "unset",
            ValueState::Ready => "ready",
            ValueState::Stale => "stale",
            ValueState::Skipped => "skipped",
            ValueState::Failed => "failed",
        };
        (word, value)
    };
    (0..shape.nodes.len()).map(is).collect()
}

/// What the model says of the inputs on record.
fn expected(shape: &Shape, real: &[Is]) -> Vec<Is> {
    model(shape, |node| real[node].1.clone())
}

/// A node takes what the model says for the inputs on record: it never sees two moments at once, and what it sees is committed.
pub(super) fn check_taken(book: &Book, (id, hold): (ExecutionId, Hold), node: usize, seen: &[Seen]) -> Vec<String> {
    let Some(record) = book.records.get(&id) else { return Vec::new() };
    // A process that has lost the execution may not know it yet. Nothing that it does counts.
    if record.worker != Some(hold.worker) || record.epoch != hold.epoch.0 || record.state != State::Running {
        return Vec::new();
    }
    let Some(graph) = graph_of(record).filter(|_| !was_refused(record)) else { return Vec::new() };
    let shape = shape_of(graph);
    let (is, strict) = (expected(&shape, &real(&shape, record)), strict(&shape));
    let mut wrong = Vec::new();
    for (edge, seen) in shape.nodes[node].takes.iter().zip(seen) {
        let should_see = see(&is, edge);
        if edge.policy.gates() && strict[edge.node] && *seen != should_see {
            wrong.push(format!("{id}: node n{node} takes {seen:?} from n{}, which is {should_see:?}", edge.node));
        }
    }
    wrong
}

/// What must be true of a graph on record at any time.
pub(in super::super) fn check_graph(record: &Record, accepted: &[Accepted]) -> Vec<String> {
    let Some(graph) = graph_of(record).filter(|_| only_waits_for_changes(record)) else { return Vec::new() };
    check_settled(&shape_of(graph), record, accepted)
}

/// Whether no node runs or will run by itself.
pub(super) fn only_waits_for_changes(record: &Record) -> bool {
    let open: Vec<_> = record.waits.values().filter(|wait| wait.outcome.is_none()).collect();
    let only_changes = matches!(open[..], [wait] if wait.kind == WaitKind::Event && wait.name == CHANGES);
    // A node that is to be tried again wakes the execution, and so does a deadline.
    let sleeps = record.state == State::Waiting && record.rollback.is_none() && record.wake_at.is_none();
    sleeps && only_changes && record.mailbox.is_empty()
}

/// Whether the database has refused what a node computed: it counts as failed, whatever the model says.
fn was_refused(record: &Record) -> bool {
    record.nodes.values().filter_map(|node| node.record.error.as_ref()).any(|error| error.message.contains(REFUSED))
}

/// Every accepted change was applied, each once and in order, and every node is what the model says.
fn check_settled(shape: &Shape, record: &Record, accepted: &[Accepted]) -> Vec<String> {
    let real = real(shape, record);
    let mut wrong = check_inputs(shape, record, &real, accepted);
    if was_refused(record) {
        return wrong;
    }
    let expected = expected(shape, &real);
    for (node, (real, expected)) in real.iter().zip(&expected).enumerate() {
        if real != expected {
            wrong.push(format!("is settled, and node n{node} is {real:?}, not {expected:?}"));
        }
        if shape.nodes[node].on_failure == OnFailure::Fail && ["failed", "stale"].contains(&real.0) {
            wrong.push(format!("goes on although node n{node} has failed"));
        }
    }
    wrong
}

fn check_inputs(shape: &Shape, record: &Record, real: &[Is], accepted: &[Accepted]) -> Vec<String> {
    let mut inputs: BTreeMap<String, u64> = serde_json::from_str(&record.first_input).unwrap_or_default();
    for change in accepted.iter().take_while(|change| !change.ends(shape)) {
        change.apply(&mut inputs);
    }
    let mut wrong = Vec::new();
    for node in (0..shape.nodes.len()).filter(|node| shape.is_input(*node)) {
        let expected = inputs.get(shape.nodes[node].name).map(u64::to_string);
        if real[node].1 != expected {
            wrong.push(format!("has applied its changes, and input n{node} is {:?}, not {expected:?}", real[node].1));
        }
    }
    wrong
}

/// What must be true of a graph that has just ended.
pub(in super::super) fn check_graph_end(record: &Record, accepted: &[Accepted]) -> Vec<String> {
    let Some(graph) = graph_of(record) else { return Vec::new() };
    let shape = shape_of(graph);
    let real = real(&shape, record);
    match record.state {
        // It ends as soon as it is told to: nodes that ran then may have no value.
        State::Completed if graph.open => check_inputs(&shape, record, &real, accepted),
        State::Completed => {
            let is_missing = |node: &usize| shape.is_input(*node) && !shape.is_optional(*node) && real[*node].1.is_none();
            let missing = (0..shape.nodes.len()).filter(is_missing).map(|node| format!("completed without the input n{node}"));
            let output: BTreeMap<String, u64> =
                record.end.as_deref().and_then(|end| serde_json::from_str(end).ok()).unwrap_or_default();
            let leaf = |node: usize| Some((shape.nodes[node].name.to_owned(), real[node].1.as_ref()?.parse().ok()?));
            let leaves: BTreeMap<String, u64> = shape.leaves().filter_map(leaf).collect();
            let other = (output != leaves).then(|| format!("has returned {output:?}, and its leaves are {leaves:?}"));
            check_settled(&shape, record, accepted).into_iter().chain(missing).chain(other).collect()
        }
        State::Failed if record.end.as_deref().is_some_and(|end| end.contains("no luck")) => check_failure(&shape, &real),
        _ => Vec::new(),
    }
}

/// A graph fails only with a node that fails for the present inputs.
fn check_failure(shape: &Shape, real: &[Is]) -> Vec<String> {
    let (expected, strict) = (expected(shape, real), strict(shape));
    let has_failed = |node: &usize| {
        let fails = |is: &Is| ["failed", "stale"].contains(&is.0);
        shape.nodes[*node].on_failure == OnFailure::Fail && fails(&real[*node]) && (!strict[*node] || fails(&expected[*node]))
    };
    let failed = (0..shape.nodes.len()).any(|node| has_failed(&node));
    (!failed).then(|| "failed, and no node fails for its inputs".to_owned()).into_iter().collect()
}
