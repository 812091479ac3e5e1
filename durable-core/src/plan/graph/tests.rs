//! Graphs in memory: the scenarios by name, and random graphs against a model that computes everything from scratch.

mod deciding;
mod model;
mod scenarios;
mod timers;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::reference::Seen;
use super::restored::{Restored, Stored};
use super::sets::values_for;
use super::shape::Shape;
use super::spec::{Edge, NodeKind, NodeSpec, OnFailure, Policy};
use super::state::{Change, NodeState, Standing, State};
use super::{Action, EndsWhen, next};
use crate::error::Failure;
use crate::payload::Payload;

/// What a node computes, or whether its condition holds.
type Compute<'test, T> = Box<dyn Fn(usize, &[Seen]) -> T + 'test>;

/// A graph with its code, run by hand.
struct Graph<'test> {
    shape: Shape,
    state: State,
    ends_when: EndsWhen,
    compute: Compute<'test, Result<String, String>>,
    holds: Compute<'test, bool>,
    /// The runs under way: what each has taken, by node and cause.
    running: BTreeMap<(usize, u32), Vec<Seen>>,
    /// Every run that began, in order.
    began: Vec<(usize, u32, Vec<Seen>)>,
    dropped: Vec<(usize, u32)>,
    ended: Option<Action>,
}

fn at() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH
}

fn json(text: &str) -> Payload {
    Payload(text.into())
}

fn failure(message: &str) -> Failure {
    Failure::new(crate::error::ErrorKind::Failed, message)
}

fn seen_of(node: &NodeState, policy: Policy) -> Seen {
    match (&node.standing, policy) {
        (_, Policy::SeesFailure) if node.failure().is_some() => Some(Err(())),
        (Standing::Ready { value, .. }, _) => Some(Ok(value.json.as_str().to_owned())),
        _ => None,
    }
}

fn seen(state: &State, edges: &[Edge]) -> Vec<Seen> {
    edges.iter().map(|edge| seen_of(state.node(edge.node), edge.policy)).collect()
}

impl<'test> Graph<'test> {
    fn new(
        nodes: Vec<NodeSpec>,
        ends_when: EndsWhen,
        compute: impl Fn(usize, &[Seen]) -> Result<String, String> + 'test,
        holds: impl Fn(usize, &[Seen]) -> bool + 'test,
    ) -> Self {
        let shape = Shape::of(nodes).expect("no cycle");
        let state = State::new(&shape);
        Self {
            shape,
            state,
            ends_when,
            compute: Box::new(compute),
            holds: Box::new(holds),
            running: BTreeMap::new(),
            began: Vec::new(),
            dropped: Vec::new(),
            ended: None,
        }
    }

    /// Carries out what follows from the last fact.
    fn follow(&mut self) {
        let Self { shape, state, holds, .. } = self;
        let holds = |state: &State, node: usize| Ok::<_, ()>(holds(node, &seen(state, shape.nodes[node].when)));
        for action in next(shape, state, self.ends_when, holds).expect("conditions do not fail") {
            match action {
                Action::Drop { node } => {
                    let run = *self.running.keys().find(|(running, _)| *running == node).expect("only what runs is dropped");
                    self.running.remove(&run);
                    self.dropped.push(run);
                }
                Action::Run { node, cause } => {
                    let taken = seen(&self.state, self.shape.nodes[node].takes);
                    self.began.push((node, cause, taken.clone()));
                    let before = self.running.insert((node, cause), taken);
                    assert!(before.is_none() && self.running.keys().filter(|(running, _)| *running == node).count() == 1);
                }
                Action::Fail { .. } | Action::Finish(_) => self.ended = Some(action),
            }
        }
    }

    fn begin(&mut self, given: Vec<(usize, Change)>) {
        self.state.begin(&self.shape, given, at());
        self.follow();
    }

    fn change(&mut self, changes: Vec<(usize, Change)>) -> bool {
        let is_different = self.state.apply_change(&self.shape, changes, at());
        self.follow();
        is_different
    }

    /// Ends a run. Returns whether its result counts.
    fn end(&mut self, run: (usize, u32), taken: &[Seen]) -> bool {
        self.running.remove(&run);
        let ended = (self.compute)(run.0, taken).map(|value| json(&value)).map_err(|message| Box::new(failure(&message)));
        let targets = self.shape.nodes[run.0].sets;
        let set = ended.as_ref().ok().filter(|_| !targets.is_empty()).map(|result| values_for(targets, result).expect("values"));
        let counts = self.state.run_ended(&self.shape, run, ended, at());
        if let Some(values) = set.filter(|_| counts) {
            self.state.set_targets(&self.shape, run.0, values, at());
        }
        self.follow();
        counts
    }

    /// Ends all runs, the one of the smallest node first.
    fn settle(&mut self) {
        while let Some((run, taken)) = self.running.first_key_value().map(|(run, taken)| (*run, taken.clone())) {
            assert!(self.end(run, &taken), "a run that was not dropped counts");
        }
    }

    /// The state as it is stored now.
    fn stored(&self) -> Restored {
        let stored = |node: usize| {
            let NodeState { standing, value_at, state_at, change_at, cause, timer, .. } = self.state.node(node).clone();
            Stored { node, standing, value_at, state_at, change_at, cause, timer, took_the_same: true }
        };
        let nodes: Vec<Stored> = (0..self.shape.nodes.len()).map(stored).collect();
        let newest = nodes.iter().map(|node| node.change_at.max(node.cause)).max().unwrap_or(0);
        Restored { nodes, newest, begun: self.running.keys().copied().collect() }
    }

    /// Loses everything that is not stored, as in a crash.
    fn crash(&mut self) {
        self.state = State::restored(&self.shape, self.stored());
        self.running.clear();
        self.follow();
    }

    /// Loses everything that is not stored, and goes on with other code. A node that takes other nodes now is known by that.
    fn crash_into(&mut self, nodes: Vec<NodeSpec>) {
        let takes = |spec: &NodeSpec| (spec.takes.to_vec(), spec.when.to_vec());
        let mut stored = self.stored();
        for node in &mut stored.nodes {
            node.took_the_same = takes(&self.shape.nodes[node.node]) == takes(&nodes[node.node]);
        }
        self.shape = Shape::of(nodes).expect("no cycle");
        self.state = State::restored(&self.shape, stored);
        self.running.clear();
        self.follow();
    }
}
