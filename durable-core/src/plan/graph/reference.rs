//! The reference for tests: random graphs, what their nodes compute, and a model that computes everything from scratch.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::shape::Shape;
use super::spec::{Edge, NodeKind, NodeSpec, OnFailure, Policy};

/// Most nodes of a random graph.
pub(crate) const MOST_NODES: usize = 30;

/// The names of the nodes, by their places.
pub(crate) const NAMES: [&str; MOST_NODES] = [
    "n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "n10", "n11", "n12", "n13", "n14", "n15", "n16", "n17", "n18",
    "n19", "n20", "n21", "n22", "n23", "n24", "n25", "n26", "n27", "n28", "n29",
];

/// What a node sees of another: `None` for no value, `Err` for a failure.
pub(crate) type Seen = Option<Result<String, ()>>;

/// What a node has come to, and its value.
pub(crate) type Is = (&'static str, Option<String>);

pub(crate) fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Few different values, so that equal ones are common; some nodes fail for some of what they take.
pub(crate) fn compute(node: usize, taken: &[Seen]) -> Result<String, String> {
    let hash = hash((node, taken));
    if node % 3 == 1 && hash.is_multiple_of(5) { Err("no luck".to_owned()) } else { Ok((hash % 3).to_string()) }
}

pub(crate) fn holds(node: usize, taken: &[Seen]) -> bool {
    !hash(("when", node, taken)).is_multiple_of(3)
}

/// A graph of up to thirty nodes, in which every node takes nodes before it by one of these policies. `below` returns a random number
/// below another.
pub(crate) fn random_nodes(mut below: impl FnMut(usize) -> usize, policies: &[Policy]) -> Vec<NodeSpec> {
    let (inputs, steps) = (1 + below(4), 1 + below(MOST_NODES - 4));
    let mut nodes = Vec::new();
    for (node, name) in NAMES.iter().enumerate().take(inputs + steps) {
        let is_input = node < inputs;
        let mut edges = |counts: &[usize]| -> &'static [Edge] {
            let count = counts[below(counts.len())];
            (0..count).map(|_| Edge { node: below(node), policy: policies[below(policies.len())] }).collect::<Vec<_>>().leak()
        };
        let (takes, when) = if is_input { (&[][..], &[][..]) } else { (edges(&[1, 1, 2, 3]), edges(&[0, 0, 0, 0, 0, 0, 1, 1])) };
        let kind = if is_input { NodeKind::Input { optional: below(3) == 0 } } else { NodeKind::Step };
        nodes.push(NodeSpec { name, kind, takes, when, on_failure: OnFailure::Skip, ..NodeSpec::PLAIN });
    }
    nodes
}

/// What every node is for the present inputs, computed in one go. `kept` is the value that a node has: an input's, and the one that
/// a node keeps if it fails.
pub(crate) fn model(shape: &Shape, kept: impl Fn(usize) -> Option<String>) -> Vec<Is> {
    let mut are: Vec<Is> = Vec::new();
    // Random graphs take only nodes before them.
    for node in 0..shape.nodes.len() {
        are.push(decide(shape, node, &are, kept(node)));
    }
    are
}

fn decide(shape: &Shape, node: usize, are: &[Is], kept: Option<String>) -> Is {
    let spec = &shape.nodes[node];
    if shape.is_input(node) {
        return (if kept.is_some() { "ready" } else { "unset" }, kept);
    }
    let see = |edges: &[Edge]| edges.iter().map(|edge| seen(are, edge)).collect::<Vec<_>>();
    let edges: Vec<Edge> = shape.edges(node).collect();
    let is = |edge: &Edge| are[edge.node].0;
    let gated = |edges: &[Edge]| {
        edges.iter().any(|edge| match edge.policy {
            Policy::Latest => false,
            Policy::Needs => is(edge) == "unset",
            _ => is(edge) == "unset" && !shape.is_optional(edge.node),
        })
    };
    let cascades = |edge: &Edge| edge.policy == Policy::Needs && ["skipped", "failed"].contains(&is(edge));
    let only_latest = !edges.is_empty() && edges.iter().all(|edge| edge.policy == Policy::Latest);
    if edges.iter().any(cascades) {
        ("skipped", None)
    } else if only_latest && edges.iter().all(|edge| are[edge.node].1.is_none()) {
        ("unset", None)
    } else if !spec.when.is_empty() && !gated(spec.when) && !holds(node, &see(spec.when)) {
        ("skipped", None)
    } else if gated(&edges) {
        ("unset", None)
    } else {
        match (compute(node, &see(spec.takes)), kept) {
            (Ok(value), _) => ("ready", Some(value)),
            (Err(_), Some(kept)) => ("stale", Some(kept)),
            (Err(_), None) => ("failed", None),
        }
    }
}

/// What a node sees along this edge, if the others are this.
pub(crate) fn seen(are: &[Is], edge: &Edge) -> Seen {
    match &are[edge.node] {
        ("failed" | "stale", _) if edge.policy == Policy::SeesFailure => Some(Err(())),
        (_, value) => value.clone().map(Ok),
    }
}

/// The nodes for which no node before them takes the latest of another.
pub(crate) fn strict(shape: &Shape) -> Vec<bool> {
    let mut strict: Vec<bool> = Vec::new();
    for node in 0..shape.nodes.len() {
        let is_strict = shape.edges(node).all(|edge| edge.policy != Policy::Latest && strict[edge.node]);
        strict.push(is_strict);
    }
    strict
}
