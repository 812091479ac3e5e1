//! Finds the path of an execution through the graph of its workflow.

use std::collections::HashMap;
use std::time::Duration;

use super::calls::{Call, Record, Scope};
use super::ways::{Part, Way, Ways};
use crate::model::{
    EdgeKind, ExecutionDetails, ExecutionGraph, ExecutionState, Graph, GraphBranch, GraphEdge, GraphNode, NodeKind, NodeRun,
    NodeState,
};
use crate::plan::journal_key;

/// Most calls that are added to a graph; the others are one node. A name may be another one at each call.
const MOST_ADDED: usize = 100;

/// How many calls a call may move before.
const FARTHEST_MOVE: usize = 8;

/// The label of that node.
const OTHERS: &str = "others";

/// The graph is one whose ids are places among its nodes.
pub(super) fn draw(graph: &Graph, details: &ExecutionDetails) -> ExecutionGraph {
    let mut path = Path {
        ways: Ways::of(graph),
        nodes: vec![Visits::default(); graph.nodes.len()],
        edges: vec![0; graph.edges.len()],
        added: Vec::new(),
        landed: HashMap::new(),
    };
    let state = details.execution.state;
    path.begin_and_end(graph, details);
    path.scope(&Scope::of(details), 0, None, state == ExecutionState::Completed);
    path.compensations(graph, details);
    path.finish(graph, details)
}

/// The path as far as it is found.
struct Path<'graph> {
    ways: Ways<'graph>,
    nodes: Vec<Visits>,
    edges: Vec<u32>,
    /// Calls that the graph lacks, with the node that made them.
    added: Vec<Added>,
    /// Where each call landed.
    landed: HashMap<String, usize>,
}

/// What is known about the visits of one node.
#[derive(Debug, Clone, Default)]
pub(super) struct Visits {
    pub(super) run: NodeRun,
    last: Option<chrono::DateTime<chrono::Utc>>,
}

struct Added {
    /// `None` if no opaque node is near.
    host: Option<usize>,
    kind: NodeKind,
    name: String,
    visits: Visits,
}

/// Where a call may have been made.
#[derive(Debug, Clone)]
struct State {
    node: usize,
    is_made_here: bool,
    /// The state that it follows, by its place among those of the call before.
    before: usize,
    parts: Vec<Part>,
}

impl Path<'_> {
    fn begin_and_end(&mut self, graph: &Graph, details: &ExecutionDetails) {
        let execution = &details.execution;
        let end = match execution.state {
            ExecutionState::Completed => NodeState::Done,
            ExecutionState::Failed | ExecutionState::CompensationFailed => NodeState::Failed,
            ExecutionState::Compensated => NodeState::Compensated,
            state if state.is_finished() => NodeState::Dropped,
            _ => NodeState::NotReached,
        };
        for node in &graph.nodes {
            let (state, at) = match node.kind {
                NodeKind::Start if execution.started_at.is_some() => (NodeState::Done, execution.started_at),
                NodeKind::End => (end, execution.finished_at),
                _ => continue,
            };
            let run = &mut self.nodes[node.id as usize].run;
            let times = u32::from(state != NodeState::NotReached);
            *run = NodeRun { state, times, first_started_at: at, ..NodeRun::default() };
        }
    }

    /// Finds the path through one scope, from a node on. Returns the node it ends at.
    fn scope(&mut self, scope: &Scope, from: usize, branch: Option<GraphBranch>, completed: bool) -> usize {
        if self.nodes.is_empty() {
            scope.calls.iter().for_each(|call| self.add_all(call, None));
            return from;
        }
        let (order, layers) = self.layers(scope, from, branch);
        let end = layers.last().map_or(0, |layer| self.best_end(layer, branch, completed));
        let path = way_to(end, &layers);
        let last = path.last().map_or(from, |state| state.node);
        let to_end =
            self.ways.from(last, branch).into_iter().find(|way| completed && self.ways.node(way.to).kind == NodeKind::End);
        for (place, (state, call)) in path.iter().zip(&order).enumerate() {
            self.follow(&state.parts);
            let next = path.get(place + 1).map(|next| &next.parts).or(to_end.as_ref().map(|way| &way.parts));
            let passed = next.is_some_and(|parts| matches!(parts.first(), Some(Part::Over(_)))) || branch.is_some() && completed;
            self.land(call, state, passed);
        }
        if let Some(Way { parts, .. }) = to_end {
            self.follow(&parts);
        }
        last
    }

    /// For each call, the states in which the code may have been when it made the call. A call may move before others if the graph
    /// has them in that order: the times of calls are not exact.
    fn layers<'scope>(
        &self,
        scope: &'scope Scope,
        from: usize,
        branch: Option<GraphBranch>,
    ) -> (Vec<&'scope Call>, Vec<Vec<State>>) {
        let mut known: HashMap<usize, Vec<Way>> = HashMap::new();
        let mut order: Vec<&Call> =
            scope.calls.iter().filter(|call| call.kind != NodeKind::Other && call.kind != NodeKind::Version).collect();
        let mut layers: Vec<Vec<State>> = Vec::new();
        let start = vec![State { node: from, is_made_here: true, before: 0, parts: Vec::new() }];
        for place in 0..order.len() {
            let before = layers.last().unwrap_or(&start);
            let mut states = self.reachable(before, order[place], branch, &mut known);
            for later in (place + 1..order.len()).take(if states.is_empty() { FARTHEST_MOVE } else { 0 }) {
                let first = self.reachable(before, order[later], branch, &mut known);
                if !first.is_empty() && !self.reachable(&first, order[place], branch, &mut known).is_empty() {
                    order[place..=later].rotate_right(1);
                    states = first;
                    break;
                }
            }
            if states.is_empty() {
                states = self.elsewhere(before, order[place], branch, &mut known);
            }
            layers.push(states);
        }
        (order, layers)
    }

    /// The nodes of the call that a way leads to.
    fn reachable(
        &self,
        before: &[State],
        call: &Call,
        branch: Option<GraphBranch>,
        known: &mut HashMap<usize, Vec<Way>>,
    ) -> Vec<State> {
        let mut exact = Vec::new();
        let mut likely = Vec::new();
        for (place, state) in before.iter().enumerate() {
            for way in known.entry(state.node).or_insert_with(|| self.ways.from(state.node, branch)) {
                let list = match self.ways.node(way.to).fits(call) {
                    Some(Fit::Exact) => &mut exact,
                    Some(Fit::Likely) => &mut likely,
                    None => continue,
                };
                if !list.iter().any(|state: &State| state.node == way.to) {
                    list.push(State { node: way.to, is_made_here: true, before: place, parts: way.parts.clone() });
                }
            }
        }
        if exact.is_empty() { likely } else { exact }
    }

    /// Where a call was made that no way leads to: in opaque code nearby, or else at a node of its name, or else somewhere unknown.
    fn elsewhere(
        &self,
        before: &[State],
        call: &Call,
        branch: Option<GraphBranch>,
        known: &mut HashMap<usize, Vec<Way>>,
    ) -> Vec<State> {
        for (place, state) in before.iter().enumerate() {
            if self.ways.node(state.node).kind == NodeKind::Opaque {
                return vec![State { node: state.node, is_made_here: false, before: place, parts: Vec::new() }];
            }
            let ways = known.entry(state.node).or_insert_with(|| self.ways.from(state.node, branch));
            if let Some(way) = ways.iter().find(|way| self.ways.node(way.to).kind == NodeKind::Opaque) {
                return vec![State { node: way.to, is_made_here: false, before: place, parts: way.parts.clone() }];
            }
        }
        let there = self.ways.nodes_in(branch).filter(|node| self.ways.node(*node).fits(call) == Some(Fit::Exact));
        let there: Vec<State> = there.map(|node| State { node, is_made_here: true, before: 0, parts: Vec::new() }).collect();
        if !there.is_empty() {
            return there;
        }
        let stays =
            |(place, state): (usize, &State)| State { node: state.node, is_made_here: false, before: place, parts: Vec::new() };
        before.iter().enumerate().map(stays).collect()
    }

    /// The state from which the execution could end as it did.
    fn best_end(&self, layer: &[State], branch: Option<GraphBranch>, completed: bool) -> usize {
        let ends =
            |state: &State| self.ways.from(state.node, branch).iter().any(|way| self.ways.node(way.to).kind == NodeKind::End);
        let leaves = |state: &State| branch.is_some_and(|branch| self.ways.out_of(state.node, branch).is_some());
        layer.iter().position(|state| completed && (ends(state) || leaves(state))).unwrap_or(0)
    }

    /// Notes the edges of a way, and the nodes between its ends.
    fn follow(&mut self, parts: &[Part]) {
        for (place, part) in parts.iter().enumerate() {
            let to = match *part {
                Part::Edge(edge) => {
                    self.edges[edge] += 1;
                    self.ways.edge_target(edge)
                }
                Part::Over(merge) => merge,
            };
            let between = place + 1 < parts.len();
            if between || self.ways.node(to).kind == NodeKind::Opaque {
                self.pass(to);
            }
        }
    }

    fn pass(&mut self, node: usize) {
        // The end has its own state.
        if self.ways.node(node).kind != NodeKind::End {
            let run = &mut self.nodes[node].run;
            run.times += 1;
            if run.state == NodeState::NotReached {
                run.state = NodeState::Done;
            }
        }
    }

    fn land(&mut self, call: &Call, state: &State, passed: bool) {
        if !state.is_made_here {
            let host = Some(state.node).filter(|node| self.ways.node(*node).kind == NodeKind::Opaque);
            self.add_all(call, host);
            return;
        }
        self.landed.insert(call.key.clone(), state.node);
        self.nodes[state.node].visit(call);
        for (number, scope) in &call.branches {
            self.branch(call, state.node, *number, scope, passed);
        }
    }

    /// Finds the path through one branch of a call.
    fn branch(&mut self, call: &Call, fork: usize, number: usize, scope: &Scope, passed: bool) {
        let in_graph = if call.kind == NodeKind::Map { 0 } else { number };
        let branch = GraphBranch { fork: u32_of(fork), number: u32_of(in_graph) };
        let has_decided = call.decided.is_none_or(|decided| decided == number);
        let dropped = scope.calls.iter().any(|call| call.state() == NodeState::Dropped);
        let completed = passed && has_decided && !dropped;
        let last = self.scope(scope, fork, Some(branch), completed);
        if completed && let Some(way) = self.ways.out_of(last, branch) {
            self.follow(&way.parts);
        }
    }

    /// Adds a call that the graph lacks, and those in its branches.
    fn add_all(&mut self, call: &Call, host: Option<usize>) {
        if call.kind.is_fork() {
            call.branches.values().flat_map(|scope| &scope.calls).for_each(|inner| self.add_all(inner, host));
        } else if call.kind.is_recorded() {
            self.add(host, call.kind, &call.name).visit(call);
        }
    }

    fn add(&mut self, host: Option<usize>, kind: NodeKind, name: &str) -> &mut Visits {
        let is_same = |added: &Added, kind, name| added.host == host && added.kind == kind && added.name == name;
        let find = |kind, name| self.added.iter().position(|added| is_same(added, kind, name));
        let (mut kind, mut name, mut found) = (kind, name, find(kind, name));
        if found.is_none() && self.added.len() >= MOST_ADDED {
            (kind, name, found) = (NodeKind::Other, OTHERS, find(NodeKind::Other, OTHERS));
        }
        let place = found.unwrap_or_else(|| {
            self.added.push(Added { host, kind, name: name.to_owned(), visits: Visits::default() });
            self.added.len() - 1
        });
        &mut self.added[place].visits
    }

    /// Draws what was undone.
    fn compensations(&mut self, graph: &Graph, details: &ExecutionDetails) {
        for compensation in &details.compensations {
            let name = journal_key::step_name(&compensation.step);
            let named = || graph.nodes.iter().find(|node| node.kind == NodeKind::Step && node.name.as_deref() == name.as_deref());
            let step = self.landed.get(&compensation.step).copied().or_else(|| Some(named()?.id as usize));
            let record = Record::of_compensation(compensation);
            if let Some(step) = step.filter(|_| record.state == NodeState::Done) {
                self.nodes[step].run.state = NodeState::Compensated;
            }
            let undo = graph.edges.iter().position(|edge| edge.kind == EdgeKind::Undo && step == Some(edge.from as usize));
            match undo {
                Some(edge) => {
                    self.edges[edge] += 1;
                    self.nodes[graph.edges[edge].to as usize].record(&record);
                }
                None => self.add(step, NodeKind::Compensation, name.as_deref().unwrap_or("child")).record(&record),
            }
        }
    }

    /// Adds the calls that the graph lacks to it.
    fn finish(self, graph: &Graph, details: &ExecutionDetails) -> ExecutionGraph {
        let mut graph = graph.clone();
        let mut nodes: Vec<NodeRun> = self.nodes.into_iter().map(|visits| visits.run).collect();
        let mut edges = self.edges;
        for Added { host, kind, name, visits } in self.added {
            let id = u32_of(graph.nodes.len());
            let label = if name.is_empty() { kind.as_str().to_owned() } else { name.clone() };
            graph.nodes.push(GraphNode {
                id,
                kind,
                label,
                name: Some(name).filter(|name| !name.is_empty()),
                was: Vec::new(),
                branch: None,
            });
            if let Some(host) = host {
                graph.edges.push(GraphEdge { from: u32_of(host), to: id, kind: EdgeKind::Seen, label: None });
                edges.push(visits.run.times);
            }
            nodes.push(NodeRun { seen_only: true, ..visits.run });
        }
        ExecutionGraph { execution_id: details.execution.id, state: details.execution.state, graph, nodes, edges }
    }
}

impl Visits {
    pub(super) fn visit(&mut self, call: &Call) {
        if call.kind.is_fork() || call.records.is_empty() {
            let record =
                Record { state: call.state(), started_at: call.started_at(), finished_at: None, attempts: 0, child: None };
            self.record(&record);
            return;
        }
        call.records.iter().for_each(|record| self.record(record));
        self.run.times -= u32_of(call.records.len() - 1);
    }

    fn record(&mut self, record: &Record) {
        let run = &mut self.run;
        run.times += 1;
        run.attempts += record.attempts;
        run.first_started_at = [run.first_started_at, record.started_at].into_iter().flatten().min();
        if let Some(took) = record.took() {
            run.took = Some(run.took.unwrap_or(Duration::ZERO) + took);
        }
        run.children.extend(record.child);
        let rank = |state| match state {
            NodeState::Running => 3,
            NodeState::Waiting => 2,
            NodeState::Dropped => 0,
            _ => 1,
        };
        let at = record.finished_at.or(record.started_at);
        if run.state == NodeState::NotReached || (rank(record.state), at) >= (rank(run.state), self.last) {
            (run.state, self.last) = (record.state, at);
        }
    }
}

/// The states that lead to this one of the last layer.
fn way_to(mut place: usize, layers: &[Vec<State>]) -> Vec<&State> {
    let mut path: Vec<&State> = Vec::with_capacity(layers.len());
    for layer in layers.iter().rev() {
        let state = &layer[place];
        path.push(state);
        place = state.before;
    }
    path.reverse();
    path
}

/// How well a call fits a node.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fit {
    Exact,
    /// The name of the node is only known when it runs.
    Likely,
}

impl GraphNode {
    fn fits(&self, call: &Call) -> Option<Fit> {
        if self.kind != call.kind {
            return None;
        }
        match self.name.as_deref() {
            Some(name) => (name == call.name).then_some(Fit::Exact),
            None if call.name.is_empty() => Some(Fit::Exact),
            None => Some(Fit::Likely),
        }
    }
}

fn u32_of(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
