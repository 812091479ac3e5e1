//! The state of a graph's nodes, and how facts change it.

mod timers;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::shape::Shape;
use super::spec::{Edge, OnFailure, Policy};
use crate::error::Failure;
use crate::model::Timer;
use crate::payload::Payload;
use crate::plan::spoil::{Spoil, is_spoiled};

/// The value of a node.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) json: Payload,
    pub(crate) metadata: Option<Payload>,
    pub(crate) set_at: DateTime<Utc>,
}

/// What a node has come to.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    /// Nothing yet, or nothing any more.
    Unset,
    Ready {
        value: Value,
        /// Why the value could not be computed anew; `None` if it is up to date.
        stale: Option<Box<Failure>>,
    },
    Skipped,
    Failed(Box<Failure>),
}

/// One node: what it has come to, and since which revision.
#[derive(Debug, Clone)]
pub(crate) struct NodeState {
    pub(crate) standing: Standing,
    /// The revision of the value: it stays the same when an equal value is computed or set.
    pub(crate) value_at: u32,
    /// The revision since which the node has the value, is skipped, or has nothing.
    pub(crate) state_at: u32,
    /// The revision of the last change, failures included.
    pub(crate) change_at: u32,
    /// The state in which the node was last decided; 0 if it never was. Always 0 for an input.
    pub(crate) cause: u32,
    /// The smallest cause that it can have. See [`State::cause_of`].
    pub(super) floor: u32,
    /// The cause of the run that is under way.
    pub(crate) running: Option<u32>,
    /// When it fires next, if it is a timer that waits.
    pub(crate) timer: Option<Timer>,
    /// How many of its gating edges come from nodes that are not current.
    pub(super) waits_for: u32,
    /// Whether the node, and every node before it that gates it, is decided for the present inputs.
    pub(super) is_current: bool,
}

/// A change of one input.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Set { json: Payload, metadata: Option<Payload> },
    Unset,
}

/// The state of all nodes of one execution.
#[derive(Debug)]
pub(crate) struct State {
    /// The newest revision.
    pub(super) revision: u32,
    pub(super) nodes: Vec<NodeState>,
    /// The nodes that can be decided, by rank: a node is decided after those before it.
    pub(super) undecided: BTreeSet<(usize, usize)>,
    /// How many nodes are not current.
    pub(super) unsettled: usize,
    /// Nodes whose run no longer counts.
    pub(super) superseded: Vec<usize>,
    /// Timers that have fired under an earlier claim, and fire again.
    pub(super) resumed: Vec<usize>,
    /// Nodes that are to be stored.
    pub(super) unstored: BTreeSet<usize>,
    /// A node whose failure fails the execution.
    pub(super) failed: Option<usize>,
}

impl State {
    pub(crate) fn node(&self, node: usize) -> &NodeState {
        &self.nodes[node]
    }

    /// Whether anything was given yet, even if that was nothing.
    #[cfg(test)]
    pub(super) fn has_begun(&self) -> bool {
        self.revision > 0
    }

    /// Whether the node is decided for the present inputs.
    pub(crate) fn is_current(&self, node: usize) -> bool {
        self.nodes[node].is_current
    }

    /// Whether every node is decided for the present inputs, so that none runs or can run.
    pub(crate) fn is_settled(&self) -> bool {
        self.unsettled == 0 && !self.has_ticking()
    }

    /// Begins with these inputs, under the first revision, which they take also if there are none: so every cause is above 0.
    pub(crate) fn begin(&mut self, shape: &Shape, given: Vec<(usize, Change)>, at: DateTime<Utc>) {
        self.revision = 1;
        self.set(shape, given, 1, at);
    }

    /// Changes inputs, all under one revision. Returns whether anything is different now.
    pub(crate) fn apply_change(&mut self, shape: &Shape, changes: Vec<(usize, Change)>, at: DateTime<Utc>) -> bool {
        let revision = self.revision + 1;
        let is_different = self.set(shape, changes, revision, at);
        if is_different {
            self.revision = revision;
        }
        is_different
    }

    fn set(&mut self, shape: &Shape, changes: Vec<(usize, Change)>, revision: u32, at: DateTime<Utc>) -> bool {
        let mut is_different = false;
        for (node, change) in changes {
            let standing = match change {
                Change::Set { json, metadata } => Standing::Ready { value: Value { json, metadata, set_at: at }, stale: None },
                Change::Unset => Standing::Unset,
            };
            is_different |= self.put(shape, node, standing, revision);
        }
        is_different
    }

    /// Notes the end of a run. Returns `false` if it no longer counts.
    pub(crate) fn run_ended(
        &mut self,
        shape: &Shape,
        (node, cause): (usize, u32),
        ended: Result<Payload, Box<Failure>>,
        at: DateTime<Utc>,
    ) -> bool {
        let it = &mut self.nodes[node];
        if it.running != Some(cause) {
            return false;
        }
        (it.running, it.timer) = (None, None);
        let standing = match (ended, &it.standing) {
            (Ok(json), _) => Standing::Ready { value: Value { json, metadata: None, set_at: at }, stale: None },
            (Err(failure), Standing::Ready { value, .. }) => Standing::Ready { value: value.clone(), stale: Some(failure) },
            (Err(failure), _) => Standing::Failed(failure),
        };
        self.settle(shape, node, standing, cause);
        true
    }

    /// The state that a node runs in, of all that it takes: the newest revision in it. Every change has a revision of its own, so no
    /// other state has the same.
    ///
    /// This holds while the code takes the same nodes in the same way. New code may take fewer of them, or see less of them, and
    /// then the newest revision in what it takes may be one under which the node has run before. Such a node is decided under a fresh
    /// revision, which is the smallest cause that it has from then on, its `floor`. The same happens if new code takes other nodes
    /// and none of them has changed since the node was decided. So a node never has a cause under which the journal has a run that
    /// took something else.
    pub(super) fn cause_of(&self, shape: &Shape, node: usize) -> u32 {
        self.cause_of_edges(shape, node).max(self.nodes[node].floor)
    }

    pub(super) fn cause_of_edges(&self, shape: &Shape, node: usize) -> u32 {
        shape.edges(node).map(|edge| self.nodes[edge.node].revision_for(edge.policy)).max().unwrap_or(0).max(1)
    }

    /// The node to decide next.
    pub(super) fn take_undecided(&mut self, shape: &Shape) -> Option<usize> {
        loop {
            let (_, node) = self.undecided.pop_first()?;
            let it = &self.nodes[node];
            if !it.is_current && (it.waits_for == 0 || is_spoiled(Spoil::MixRevisions)) && !it.is_computing() {
                return Some(node);
            }
            debug_assert!(!shape.is_input(node), "an input is never undecided");
        }
    }

    pub(super) fn begin_run(&mut self, node: usize, cause: u32) {
        self.nodes[node].running = Some(cause);
    }

    /// Notes that the node stays as it is.
    pub(super) fn keep(&mut self, shape: &Shape, node: usize) {
        self.make_current(shape, node);
    }

    /// Notes what the node has come to in the state of this cause.
    pub(super) fn settle(&mut self, shape: &Shape, node: usize, standing: Standing, cause: u32) {
        self.nodes[node].cause = cause;
        self.unstored.insert(node);
        if self.put(shape, node, standing, self.revision + 1) {
            self.revision += 1;
        }
        if self.nodes[node].waits_for == 0 {
            self.make_current(shape, node);
        }
    }

    /// Puts the new standing in place, under this revision if it is different. Returns whether it is.
    fn put(&mut self, shape: &Shape, node: usize, standing: Standing, revision: u32) -> bool {
        let it = &mut self.nodes[node];
        let difference = it.standing.difference(&standing);
        if difference == Difference::None {
            return false;
        }
        self.unstored.insert(node);
        it.change_at = revision;
        if difference >= Difference::State {
            it.state_at = revision;
        }
        if difference >= Difference::Value {
            it.value_at = revision;
            it.standing = standing;
        } else {
            it.standing.take_over(standing);
        }
        for edge in shape.consumers(node) {
            if difference >= Difference::seen_by(edge.policy) {
                self.supersede(shape, edge.node);
            }
        }
        true
    }

    /// Notes that something the node takes is different.
    fn supersede(&mut self, shape: &Shape, node: usize) {
        if !is_spoiled(Spoil::KeepSuperseded) && self.nodes[node].running.take().is_some() {
            self.superseded.push(node);
        }
        self.unsettle(shape, node);
        if self.nodes[node].waits_for == 0 || is_spoiled(Spoil::MixRevisions) {
            self.undecided.insert((shape.rank(node), node));
        }
    }

    /// Notes that the node, and all that wait for it, are no longer current.
    fn unsettle(&mut self, shape: &Shape, node: usize) {
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            if !std::mem::take(&mut self.nodes[node].is_current) {
                continue;
            }
            self.unsettled += 1;
            self.failed.take_if(|failed| *failed == node);
            for edge in shape.consumers(node).iter().filter(|edge| edge.policy.gates()) {
                self.nodes[edge.node].waits_for += 1;
                stack.push(edge.node);
            }
        }
    }

    fn make_current(&mut self, shape: &Shape, node: usize) {
        if std::mem::replace(&mut self.nodes[node].is_current, true) {
            return;
        }
        self.unsettled -= 1;
        // The failure of a run counts only if what the node takes is not about to change.
        let fails = self.nodes[node].failure().is_some() && shape.nodes[node].on_failure == OnFailure::Fail;
        if fails && !is_spoiled(Spoil::ForgetFailures) {
            self.failed = Some(node);
        }
        for Edge { node: consumer, .. } in shape.consumers(node).iter().filter(|edge| edge.policy.gates()) {
            let it = &mut self.nodes[*consumer];
            it.waits_for -= 1;
            if it.waits_for == 0 && !it.is_computing() {
                self.undecided.insert((shape.rank(*consumer), *consumer));
            }
        }
    }

    /// The nodes whose runs no longer count, each once.
    pub(super) fn take_superseded(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.superseded)
    }

    /// The node whose failure fails the execution.
    pub(super) fn failed(&self, shape: &Shape) -> Option<usize> {
        self.failed.filter(|node| shape.nodes[*node].on_failure == OnFailure::Fail)
    }

    /// The nodes that are to be stored, in order.
    pub(crate) fn take_unstored(&mut self) -> BTreeSet<usize> {
        std::mem::take(&mut self.unstored)
    }
}

impl NodeState {
    pub(crate) fn value(&self) -> Option<&Value> {
        if let Standing::Ready { value, .. } = &self.standing { Some(value) } else { None }
    }

    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.standing.failure()
    }

    /// The revision of what a consumer with this policy sees of the node.
    fn revision_for(&self, policy: Policy) -> u32 {
        match policy {
            Policy::Latest => self.value_at,
            Policy::Needs | Policy::Settled | Policy::Each => self.state_at,
            Policy::SeesFailure => self.change_at,
        }
    }
}

/// How much of a node is different, from nothing to its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    None,
    /// Whether and how it failed.
    Failure,
    /// Whether it is settled without a value.
    State,
    Value,
}

impl Difference {
    /// The smallest difference that a consumer with this policy sees.
    fn seen_by(policy: Policy) -> Self {
        match policy {
            Policy::Latest => Self::Value,
            Policy::Needs | Policy::Settled | Policy::Each => Self::State,
            Policy::SeesFailure => Self::Failure,
        }
    }
}

impl Standing {
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) | Self::Ready { stale: Some(failure), .. } => Some(failure),
            _ => None,
        }
    }

    fn difference(&self, new: &Self) -> Difference {
        let is_same = match (self, new) {
            (Self::Ready { value: old, .. }, Self::Ready { value: new, .. }) => old.is_same(new),
            (Self::Ready { .. }, _) | (_, Self::Ready { .. }) => false,
            (old, new) if matches!(old, Self::Unset) != matches!(new, Self::Unset) => return Difference::State,
            _ => true,
        };
        if !is_same {
            Difference::Value
        } else if self.failure().is_some() || new.failure().is_some() {
            Difference::Failure
        } else {
            Difference::None
        }
    }

    /// Becomes the new standing, but keeps the value that it has if the new one has an equal value.
    fn take_over(&mut self, new: Self) {
        match (&mut *self, new) {
            (Self::Ready { stale, .. }, Self::Ready { stale: new, .. }) => *stale = new,
            (_, new) => *self = new,
        }
    }
}

impl Value {
    /// Whether both are the same JSON, however it is written, with the same metadata.
    fn is_same(&self, other: &Self) -> bool {
        self.has_same_json(&other.json)
            && match (&self.metadata, &other.metadata) {
                (Some(one), Some(other)) => is_same_json(one, other),
                (one, other) => one.is_none() && other.is_none(),
            }
    }

    /// Whether the value is the same JSON, whatever was said about it.
    pub(super) fn has_same_json(&self, json: &Payload) -> bool {
        is_same_json(&self.json, json)
    }
}

fn is_same_json(one: &Payload, other: &Payload) -> bool {
    let parsed = |payload: &Payload| serde_json::from_str::<serde_json::Value>(payload.as_str()).ok();
    // A parsed number has no more digits than a double.
    one == other || numbers(one.as_str()) == numbers(other.as_str()) && parsed(one).is_some_and(|one| Some(one) == parsed(other))
}

/// The numbers of a JSON text with all their digits, sorted.
fn numbers(json: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), json);
    while let Some(start) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        rest = &rest[start..];
        let end = if rest.starts_with('"') {
            end_of_string(rest)
        } else {
            let end = rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E')).unwrap_or(rest.len());
            found.push(&rest[..end]);
            end
        };
        rest = &rest[end..];
    }
    found.sort_unstable();
    found
}

/// Where the string ends that the text begins with.
fn end_of_string(json: &str) -> usize {
    let mut is_escaped = false;
    let end = json.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or(json.len(), |end| end + 2)
}
