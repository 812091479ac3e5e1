//! Finds what an execution did at each node of a graph without `run`: its runs by their names, and the values that it has.

use super::calls::{Call, Scope};
use super::path::Visits;
use crate::model::{ExecutionDetails, ExecutionGraph, Graph, GraphForm, NodeKind, NodeRun, NodeState};

/// Whether the nodes are inputs and steps that take each other's values.
pub(super) fn are_drawn(graph: &Graph) -> bool {
    graph.form == GraphForm::Graph
}

/// The calls of a node: its own, those for the items of a list, and its delay while that is not over. A question is journalled as
/// the wait for its answer.
fn runs<'all>(scope: &'all Scope, node: NodeKind, name: &'all str) -> impl Iterator<Item = &'all Call> {
    let own = if node == NodeKind::Question { NodeKind::Input } else { NodeKind::Step };
    let called = |kind: NodeKind| scope.calls.iter().filter(move |call| call.kind == kind && call.name == name);
    let of_items = called(NodeKind::Map).flat_map(|map| map.branches.values()).flat_map(|item| &item.calls);
    let delays = called(NodeKind::Sleep).filter(|delay| delay.state() == NodeState::Waiting);
    called(own).chain(of_items).chain(delays)
}

/// The graph with the runs of each step, and the inputs that were given.
pub(super) fn draw(graph: &Graph, details: &ExecutionDetails) -> ExecutionGraph {
    let scope = Scope::of(details);
    let nodes: Vec<NodeRun> = graph
        .nodes
        .iter()
        .map(|node| {
            let name = node.name.as_deref().unwrap_or(&node.label);
            let mut visits = Visits::default();
            runs(&scope, node.kind, name).for_each(|call| visits.visit(call));
            let is_given = node.kind == NodeKind::Input && details.values.iter().any(|value| value.name == name);
            if is_given { NodeRun { state: NodeState::Done, times: 1, ..NodeRun::default() } } else { visits.run }
        })
        .collect();
    let taken = |from: u32| nodes.get(from as usize).is_some_and(|run| run.state == NodeState::Done);
    let edges = graph.edges.iter().map(|edge| u32::from(taken(edge.from))).collect();
    ExecutionGraph { execution_id: details.execution.id, state: details.execution.state, graph: graph.clone(), nodes, edges }
}
