//! The nodes of a graph, and for each node the nodes that take it.

use std::borrow::Cow;

use super::spec::{Edge, NodeKind, NodeSpec, Policy};
use super::state::State;

/// A graph, prepared for decisions about it.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) nodes: Vec<NodeSpec>,
    /// For each node its consumers, and how each takes it.
    consumers: Vec<Vec<Edge>>,
    /// For each node its place in an order in which every node comes after those that it takes.
    ranks: Vec<usize>,
    /// The nodes that end the execution.
    pub(super) ending: Vec<usize>,
}

impl Shape {
    /// Fails with the names of the nodes if they form a cycle.
    pub(crate) fn of(nodes: impl IntoIterator<Item = NodeSpec>) -> Result<Self, String> {
        let nodes: Vec<NodeSpec> = nodes.into_iter().collect();
        let mut consumers = vec![Vec::new(); nodes.len()];
        for (node, spec) in nodes.iter().enumerate() {
            for edge in spec.takes.iter().chain(spec.when) {
                consumers[edge.node].push(Edge { node, policy: edge.policy });
            }
        }
        let ending = (0..nodes.len()).filter(|node| nodes[*node].ends).collect();
        let ranks = ranks(&nodes, &consumers)?;
        Ok(Self { nodes, consumers, ranks, ending })
    }

    /// What the node takes, for its code and for its condition.
    pub(crate) fn edges(&self, node: usize) -> impl Iterator<Item = Edge> {
        self.nodes[node].takes.iter().chain(self.nodes[node].when).copied()
    }

    pub(super) fn consumers(&self, node: usize) -> &[Edge] {
        &self.consumers[node]
    }

    pub(super) fn rank(&self, node: usize) -> usize {
        self.ranks[node]
    }

    pub(crate) fn is_input(&self, node: usize) -> bool {
        matches!(self.nodes[node].kind, NodeKind::Input { .. })
    }

    pub(crate) fn is_optional(&self, node: usize) -> bool {
        self.nodes[node].kind == NodeKind::Input { optional: true }
    }

    /// What the node takes, in words that are stored: the name of each node, behind a mark for the policy, and behind a second mark if
    /// only its condition takes it.
    pub(crate) fn signature(&self, node: usize) -> Vec<Cow<'static, str>> {
        let spec = &self.nodes[node];
        let word = |edge: &Edge, place: &str| match (place, mark(edge.policy)) {
            ("", "") => Cow::Borrowed(self.nodes[edge.node].name),
            (place, mark) => Cow::Owned(format!("{place}{mark}{}", self.nodes[edge.node].name)),
        };
        let mut words: Vec<_> =
            spec.takes.iter().map(|edge| word(edge, "")).chain(spec.when.iter().map(|edge| word(edge, "@"))).collect();
        words.sort_unstable();
        words
    }

    /// Whether the node takes what it took when this was stored, under the present names.
    pub(crate) fn takes_the_same(&self, node: usize, stored: &[Cow<'static, str>]) -> bool {
        let renamed = |word: &Cow<'static, str>| {
            let (marks, name) = word.split_at(word.len() - word.trim_start_matches(MARKS).len());
            self.find(name).map(|node| format!("{marks}{}", self.nodes[node].name))
        };
        let stored: Option<Vec<String>> = stored.iter().map(renamed).collect();
        stored.is_some_and(|mut stored| {
            stored.sort_unstable();
            self.signature(node).iter().eq(&stored)
        })
    }

    /// The node with this name, or with this former name.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        let is_it = |spec: &NodeSpec| spec.name == name;
        let was_it = |spec: &NodeSpec| spec.was.contains(&name);
        self.nodes.iter().position(is_it).or_else(|| self.nodes.iter().position(was_it))
    }

    /// The inputs that must be given and have no value.
    pub(crate) fn missing_inputs<'all>(&'all self, state: &'all State) -> impl Iterator<Item = usize> + 'all {
        let required = |node: &usize| self.nodes[*node].kind == NodeKind::Input { optional: false };
        (0..self.nodes.len()).filter(required).filter(|node| state.node(*node).value().is_none())
    }

    /// The node whose value is the output of the execution.
    pub(crate) fn output(&self) -> Option<usize> {
        self.nodes.iter().position(|spec| spec.is_output)
    }

    /// The steps that no node takes.
    pub(crate) fn leaves(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(|node| !self.is_input(*node) && self.consumers[*node].is_empty())
    }
}

/// The marks before names in [`Shape::signature`]. No name of a method begins with one.
const MARKS: [char; 5] = ['@', '?', '*', '!', '~'];

fn mark(policy: Policy) -> &'static str {
    match policy {
        Policy::Needs => "",
        Policy::Settled => "?",
        Policy::Each => "*",
        Policy::SeesFailure => "!",
        Policy::Latest => "~",
    }
}

impl Policy {
    /// Whether the parameter waits until the other node is decided.
    pub(crate) fn gates(self) -> bool {
        self != Self::Latest
    }
}

fn ranks(nodes: &[NodeSpec], consumers: &[Vec<Edge>]) -> Result<Vec<usize>, String> {
    let mut open: Vec<usize> = nodes.iter().map(|spec| spec.takes.len() + spec.when.len()).collect();
    let mut order: Vec<usize> = (0..nodes.len()).filter(|node| open[*node] == 0).collect();
    let mut at = 0;
    while let Some(node) = order.get(at).copied() {
        at += 1;
        for edge in &consumers[node] {
            open[edge.node] -= 1;
            if open[edge.node] == 0 {
                order.push(edge.node);
            }
        }
    }
    if order.len() < nodes.len() {
        let left = (0..nodes.len()).filter(|node| open[*node] > 0).map(|node| nodes[node].name);
        return Err(format!("these nodes depend on each other: {}", left.collect::<Vec<_>>().join(", ")));
    }
    let mut ranks = vec![0; nodes.len()];
    order.iter().enumerate().for_each(|(rank, node)| ranks[*node] = rank);
    Ok(ranks)
}
