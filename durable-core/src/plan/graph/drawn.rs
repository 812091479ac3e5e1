//! A graph as plain data, to be drawn.

use super::spec::{Edge, NodeKind, NodeSpec, Policy};
use crate::model::{self, EdgeKind, Graph, GraphEdge, GraphForm, GraphNode};

/// The nodes in the order of the block, and an edge for each value that a node takes.
pub(crate) fn drawn(workflow: &str, version: u32, nodes: impl Iterator<Item = NodeSpec>) -> Graph {
    let mut graph =
        Graph { workflow: workflow.to_owned(), version, form: GraphForm::Graph, nodes: Vec::new(), edges: Vec::new() };
    for (id, spec) in (0..).zip(nodes) {
        let kind = match spec.kind {
            NodeKind::Input { .. } => model::NodeKind::Input,
            NodeKind::Step => model::NodeKind::Step,
            NodeKind::Flow => model::NodeKind::Flow,
            NodeKind::Question => model::NodeKind::Question,
            NodeKind::Timer => model::NodeKind::Timer,
        };
        let name = spec.name.to_owned();
        let was = spec.was.iter().map(|was| (*was).to_owned()).collect();
        graph.nodes.push(GraphNode { id, kind, label: name.clone(), name: Some(name), was, branch: None });
        let edge = |edge: &Edge, label: Option<&str>| GraphEdge {
            from: u32::try_from(edge.node).unwrap_or(u32::MAX),
            to: id,
            kind: EdgeKind::Dependency,
            label: label.map(str::to_owned),
        };
        graph.edges.extend(spec.takes.iter().map(|taken| edge(taken, label(taken.policy))));
        graph.edges.extend(spec.when.iter().map(|taken| edge(taken, Some("when"))));
        // What is set silently leads to no run.
        let sets = spec.sets.iter().filter(|target| !target.silently);
        graph.edges.extend(sets.map(|target| GraphEdge {
            from: id,
            to: u32::try_from(target.node).unwrap_or(u32::MAX),
            kind: EdgeKind::Dependency,
            label: Some("sets".to_owned()),
        }));
    }
    graph.edges.sort_by_key(|edge| edge.from);
    graph
}

/// The policy, unless the value is simply needed.
fn label(policy: Policy) -> Option<&'static str> {
    match policy {
        Policy::Needs => None,
        Policy::Settled => Some("if any"),
        Policy::Each => Some("each"),
        Policy::SeesFailure => Some("settled"),
        Policy::Latest => Some("latest"),
    }
}
