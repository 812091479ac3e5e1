//! The state of a graph as a claim finds it: what is stored of its nodes, under code that may be newer.

use std::collections::BTreeSet;

use super::shape::Shape;
use super::spec::OnFailure;
use super::state::{NodeState, Standing, State};
use crate::model::Timer;

/// A node as it was stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) node: usize,
    pub(crate) standing: Standing,
    pub(crate) value_at: u32,
    pub(crate) state_at: u32,
    pub(crate) change_at: u32,
    pub(crate) cause: u32,
    pub(crate) timer: Option<Timer>,
    /// Whether it was decided by what it takes now. `false` if the code of the node took other nodes then, or took them otherwise.
    pub(crate) took_the_same: bool,
}

/// What an earlier claim has left of a graph.
#[derive(Debug, Default)]
pub(crate) struct Restored {
    pub(crate) nodes: Vec<Stored>,
    /// The newest revision of all that is stored, also of nodes that the code no longer has.
    pub(crate) newest: u32,
    /// The runs that are in the journal: for each its node and its cause.
    pub(crate) begun: Vec<(usize, u32)>,
}

impl State {
    /// The state before anything is given.
    #[cfg(test)]
    pub(super) fn new(shape: &Shape) -> Self {
        Self { revision: 0, ..Self::restored(shape, Restored::default()) }
    }

    /// The state that an earlier claim has stored.
    pub(crate) fn restored(shape: &Shape, restored: Restored) -> Self {
        let Restored { nodes, newest, begun } = restored;
        // The start has the first revision, also if it gave nothing and nothing is stored yet: the next change has a later one.
        let newest = newest.max(1);
        let empty = |node| NodeState {
            standing: Standing::Unset,
            value_at: 0,
            state_at: 0,
            change_at: 0,
            cause: 0,
            floor: 0,
            running: None,
            timer: None,
            waits_for: 0,
            is_current: shape.is_input(node),
        };
        let newest_begun = begun.iter().map(|(_, cause)| *cause).max().unwrap_or(0);
        let mut state = Self {
            revision: newest.max(newest_begun),
            nodes: (0..shape.nodes.len()).map(empty).collect(),
            undecided: BTreeSet::new(),
            unsettled: 0,
            superseded: Vec::new(),
            resumed: Vec::new(),
            unstored: BTreeSet::new(),
            failed: None,
        };
        // A run under a fresh revision that a crash has interrupted goes on: nothing is stored under its revision.
        let fresh = if newest_begun > newest { newest_begun } else { newest + 1 };
        let mut begun_at = vec![0; shape.nodes.len()];
        begun.into_iter().for_each(|(node, cause)| begun_at[node] = cause.max(begun_at[node]));
        let mut took_others = vec![false; shape.nodes.len()];
        for Stored { node, standing, value_at, state_at, change_at, cause, timer, took_the_same } in nodes {
            let kept = state.nodes[node].clone();
            state.nodes[node] = NodeState { standing, value_at, state_at, change_at, cause, floor: cause, timer, ..kept };
            took_others[node] = !took_the_same;
        }
        for node in (0..shape.nodes.len()).filter(|node| !shape.is_input(*node)) {
            let (of_edges, cause) = (state.cause_of_edges(shape, node), state.nodes[node].cause);
            let is_decided = !took_others[node] && of_edges <= cause;
            let ran_before = of_edges < begun_at[node] || took_others[node] && of_edges <= cause.max(begun_at[node]);
            if ran_before && !is_decided {
                state.nodes[node].floor = fresh;
                state.revision = state.revision.max(fresh);
            }
        }
        let mut order: Vec<usize> = (0..shape.nodes.len()).collect();
        order.sort_unstable_by_key(|node| shape.rank(*node));
        for node in order.into_iter().filter(|node| !shape.is_input(*node)) {
            state.find_out(shape, node);
        }
        state
    }

    /// Finds out whether a restored node is current; those before it are known.
    fn find_out(&mut self, shape: &Shape, node: usize) {
        let open = shape.edges(node).filter(|edge| edge.policy.gates() && !self.nodes[edge.node].is_current).count();
        let is_same = self.nodes[node].cause == self.cause_of(shape, node);
        let is_current = open == 0 && is_same;
        let it = &mut self.nodes[node];
        it.waits_for = u32::try_from(open).unwrap_or(u32::MAX);
        it.is_current = is_current;
        if it.failure().is_some() && is_current && shape.nodes[node].on_failure == OnFailure::Fail {
            self.failed = Some(node);
        }
        if !is_current {
            self.unsettled += 1;
        } else if it.ticks().is_some() {
            self.resumed.push(node);
        }
        if open == 0 && !is_same {
            self.undecided.insert((shape.rank(node), node));
        }
    }
}
