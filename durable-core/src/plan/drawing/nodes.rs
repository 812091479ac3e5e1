//! Finds what an execution did at each node of a graph without `run`: its runs by their names, and the values that it has.

use super::calls::{Call, Scope};
use super::path::Visits;
use crate::model::{EdgeKind, ExecutionDetails, ExecutionGraph, Graph, NodeKind, NodeRun, NodeState};

/// Whether the nodes are inputs and steps that take each other's values.
pub(super) fn are_drawn(graph: &Graph) -> bool {
    !graph.nodes.is_empty() && graph.edges.iter().all(|edge| edge.kind == EdgeKind::Dependency)
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
            // A question is journalled as the wait for its answer.
            let kind = if node.kind == NodeKind::Question { NodeKind::Input } else { NodeKind::Step };
            let is_run = |call: &&Call| call.kind == kind && call.name == name;
            scope.calls.iter().filter(is_run).for_each(|call| visits.visit(call));
            let is_given = node.kind == NodeKind::Input && details.values.iter().any(|value| value.name == name);
            if is_given { NodeRun { state: NodeState::Done, times: 1, ..NodeRun::default() } } else { visits.run }
        })
        .collect();
    let taken = |from: u32| nodes.get(from as usize).is_some_and(|run| run.state == NodeState::Done);
    let edges = graph.edges.iter().map(|edge| u32::from(taken(edge.from))).collect();
    ExecutionGraph { execution_id: details.execution.id, state: details.execution.state, graph: graph.clone(), nodes, edges }
}
