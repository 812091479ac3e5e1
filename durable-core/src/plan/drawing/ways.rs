//! The ways through a graph: which recorded calls may come after a node, and over which edges.

use std::collections::VecDeque;

use crate::model::{EdgeKind, Graph, GraphBranch, GraphNode, NodeKind};

/// One part of a way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Part {
    Edge(usize),
    /// From a fork to the node where its branches meet.
    Over(usize),
}

/// A node that a way leads to.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) to: usize,
    pub(super) parts: Vec<Part>,
}

#[derive(Debug)]
pub(super) struct Ways<'graph> {
    graph: &'graph Graph,
    /// The edges that leave each node, apart from those to compensations.
    out: Vec<Vec<usize>>,
    /// The node where the branches of each fork meet.
    merges: Vec<Option<usize>>,
}

impl<'graph> Ways<'graph> {
    pub(super) fn of(graph: &'graph Graph) -> Self {
        let count = graph.nodes.len();
        let mut out = vec![Vec::new(); count];
        for (place, edge) in graph.edges.iter().enumerate() {
            let follows = matches!(edge.kind, EdgeKind::Next | EdgeKind::Back);
            if follows
                && (edge.to as usize) < count
                && let Some(out) = out.get_mut(edge.from as usize)
            {
                out.push(place);
            }
        }
        let mut ways = Self { graph, out, merges: vec![None; count] };
        for fork in graph.nodes.iter().filter(|node| node.kind.is_fork()) {
            ways.merges[fork.id as usize] = ways.find_merge(fork);
        }
        ways
    }

    /// The node behind the branches of a fork. Every edge out of them leads there.
    fn find_merge(&self, fork: &GraphNode) -> Option<usize> {
        let is_inside = |node: &GraphNode| node.branch.is_some_and(|branch| branch.fork == fork.id);
        let inside = self.graph.nodes.iter().filter(|node| node.id == fork.id || is_inside(node));
        let targets = inside.flat_map(|node| self.targets(node.id as usize)).map(|(_, to)| to);
        targets
            .into_iter()
            .find(|to| self.graph.nodes[*to].kind == NodeKind::Merge && self.graph.nodes[*to].branch == fork.branch)
    }

    fn targets(&self, node: usize) -> impl Iterator<Item = (usize, usize)> {
        self.out[node].iter().map(|edge| (*edge, self.graph.edges[*edge].to as usize))
    }

    pub(super) fn edge_target(&self, edge: usize) -> usize {
        self.graph.edges[edge].to as usize
    }

    pub(super) fn node(&self, node: usize) -> &'graph GraphNode {
        &self.graph.nodes[node]
    }

    /// The nodes of a branch, or of `run`.
    pub(super) fn nodes_in(&self, branch: Option<GraphBranch>) -> impl Iterator<Item = usize> {
        self.graph.nodes.iter().filter(move |node| node.branch == branch).map(|node| node.id as usize)
    }

    /// What may come next in a branch, nearest first: recorded calls, opaque code and the end. At the fork of the branch, what it
    /// begins with.
    pub(super) fn from(&self, node: usize, branch: Option<GraphBranch>) -> Vec<Way> {
        let mut found: Vec<Way> = Vec::new();
        let mut seen = vec![false; self.graph.nodes.len()];
        let mut waiting: VecDeque<Way> = self.beyond(node, branch, &[]).into();
        while let Some(way) = waiting.pop_front() {
            if std::mem::replace(&mut seen[way.to], true) {
                continue;
            }
            let kind = self.graph.nodes[way.to].kind;
            let stops = kind.is_recorded() || matches!(kind, NodeKind::Opaque | NodeKind::End);
            if !stops || kind.may_leave_nothing() || kind == NodeKind::Opaque {
                waiting.extend(self.beyond(way.to, branch, &way.parts));
            }
            if stops {
                found.push(way);
            }
        }
        found
    }

    /// The way out of a branch, to the node where it meets the others.
    pub(super) fn out_of(&self, node: usize, branch: GraphBranch) -> Option<Way> {
        let merge = self.merges[branch.fork as usize]?;
        let mut seen = vec![false; self.graph.nodes.len()];
        let mut waiting: VecDeque<Way> = [Way { to: node, parts: Vec::new() }].into();
        while let Some(way) = waiting.pop_front() {
            if std::mem::replace(&mut seen[way.to], true) {
                continue;
            }
            if let Some((edge, _)) = self.targets(way.to).find(|(_, to)| *to == merge) {
                return Some(Way { to: merge, parts: [&way.parts[..], &[Part::Edge(edge)]].concat() });
            }
            let kind = self.graph.nodes[way.to].kind;
            if way.parts.is_empty() || !kind.is_recorded() || kind.may_leave_nothing() {
                waiting.extend(self.beyond(way.to, Some(branch), &way.parts));
            }
        }
        None
    }

    /// One part farther: over an edge, or over the branches of a fork.
    fn beyond(&self, node: usize, branch: Option<GraphBranch>, parts: &[Part]) -> Vec<Way> {
        let farther = |to, part| Way { to, parts: [parts, &[part]].concat() };
        let begins = branch.is_some_and(|branch| branch.fork as usize == node);
        if let Some(merge) = self.merges[node].filter(|_| !begins) {
            return vec![farther(merge, Part::Over(merge))];
        }
        // The journal of the run before is gone.
        if self.graph.nodes[node].kind == NodeKind::ContinueAsNew {
            return Vec::new();
        }
        let inside = self.targets(node).filter(|(_, to)| self.graph.nodes[*to].branch == branch);
        inside.map(|(edge, to)| farther(to, Part::Edge(edge))).collect()
    }
}
