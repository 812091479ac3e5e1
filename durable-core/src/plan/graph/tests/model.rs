//! Random graphs with random inputs, failures, late answers and crashes, compared with a model that computes everything from scratch.

use std::collections::HashMap;

use super::super::reference::{self, Is, compute, holds, strict};
use super::*;

/// Enough for every pair of policies to meet in small graphs, within two seconds.
const SEEDS: u64 = 3000;

/// Numbers that look random and are the same for one seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit
    }
}

fn random_nodes(random: &mut Random) -> Vec<NodeSpec> {
    let policies = [Policy::Needs, Policy::Needs, Policy::Settled, Policy::Each, Policy::SeesFailure, Policy::Latest];
    reference::random_nodes(|limit| random.below(limit), &policies)
}

fn model(graph: &Graph<'_>) -> Vec<Is> {
    reference::model(&graph.shape, |node| graph.state.node(node).value().map(|value| value.json.as_str().to_owned()))
}

fn real(graph: &Graph<'_>) -> Vec<Is> {
    let real = |node: usize| match &graph.state.node(node).standing {
        Standing::Unset => ("unset", None),
        Standing::Skipped => ("skipped", None),
        Standing::Failed(_) => ("failed", None),
        Standing::Ready { value, stale } => {
            (if stale.is_some() { "stale" } else { "ready" }, Some(value.json.as_str().to_owned()))
        }
    };
    (0..graph.shape.nodes.len()).map(real).collect()
}

/// The nodes that depend on these.
fn cone(shape: &Shape, of: &[usize]) -> Vec<bool> {
    let mut inside: Vec<bool> = Vec::new();
    for node in 0..shape.nodes.len() {
        let is_inside = of.contains(&node) || shape.edges(node).any(|edge| inside[edge.node]);
        inside.push(is_inside);
    }
    inside
}

fn random_changes(random: &mut Random, shape: &Shape) -> Vec<(usize, Change)> {
    let inputs: Vec<usize> = (0..shape.nodes.len()).filter(|node| shape.is_input(*node)).collect();
    let mut changes = BTreeMap::new();
    for _ in 0..1 + random.below(3) {
        let change = match random.below(4) {
            0 => Change::Unset,
            value => Change::Set { json: json(&value.to_string()), metadata: None },
        };
        changes.insert(inputs[random.below(inputs.len())], change);
    }
    changes.into_iter().collect()
}

/// No run sees values that belong to different inputs: what gates it is what the model says for the present inputs.
fn check_new_runs(graph: &Graph<'_>, from: usize, strict: &[bool], seed: u64) {
    let model = model(graph);
    for (node, _, taken) in &graph.began[from..] {
        for (edge, seen) in graph.shape.nodes[*node].takes.iter().zip(taken) {
            if edge.policy.gates() && strict[edge.node] {
                assert_eq!(
                    *seen,
                    reference::seen(&model, edge),
                    "seed {seed}: node {node} takes node {} of another state",
                    edge.node
                );
            }
        }
    }
}

fn check_settled(graph: &Graph<'_>, seed: u64) {
    assert!(graph.running.is_empty() && graph.state.is_settled(), "seed {seed}: nothing runs and something is undecided");
    assert_eq!(real(graph), model(graph), "seed {seed}");
}

/// From a settled state, one change lets each node of its cone run at most once, and no other node.
fn check_one_change(graph: &mut Graph<'_>, random: &mut Random, strict: &[bool], seed: u64) {
    let changes = random_changes(random, &graph.shape);
    let inside = cone(&graph.shape, &changes.iter().map(|(node, _)| *node).collect::<Vec<_>>());
    let (from, dropped) = (graph.began.len(), graph.dropped.len());
    let before: Vec<Vec<Seen>> = all_seen(graph);
    graph.change(changes);
    while let Some((run, taken)) = any_run(graph, random) {
        graph.end(run, &taken);
    }
    check_settled(graph, seed);
    check_new_runs(graph, from, strict, seed);
    let mut runs: HashMap<usize, usize> = HashMap::new();
    graph.began[from..].iter().for_each(|(node, ..)| *runs.entry(*node).or_default() += 1);
    let after = all_seen(graph);
    for node in 0..graph.shape.nodes.len() {
        let times = runs.get(&node).copied().unwrap_or_default();
        assert!(times == 0 || inside[node], "seed {seed}: node {node} ran outside the cone");
        if strict[node] {
            assert!(times <= 1, "seed {seed}: node {node} ran {times} times for one change");
            assert!(times == 0 || before[node] != after[node], "seed {seed}: node {node} ran and nothing it sees is different");
        }
    }
    if strict.iter().all(|strict| *strict) {
        assert_eq!(graph.dropped.len(), dropped, "seed {seed}: one change supersedes nothing that it began");
    }
}

fn all_seen(graph: &Graph<'_>) -> Vec<Vec<Seen>> {
    let all = |node: usize| graph.shape.edges(node).collect::<Vec<_>>();
    let of = |node: usize| seen(&graph.state, &all(node));
    let stands = |node: usize| all(node).iter().map(|edge| Some(Ok(class(graph, edge)))).collect::<Vec<Seen>>();
    (0..graph.shape.nodes.len()).map(|node| [of(node), stands(node)].concat()).collect()
}

fn class(graph: &Graph<'_>, edge: &Edge) -> String {
    let is_unset = matches!(graph.state.node(edge.node).standing, Standing::Unset);
    format!("{is_unset} {}", graph.state.node(edge.node).change_at * u32::from(edge.policy == Policy::SeesFailure))
}

fn any_run(graph: &Graph<'_>, random: &mut Random) -> Option<((usize, u32), Vec<Seen>)> {
    let runs = graph.running.len();
    if runs == 0 {
        return None;
    }
    graph.running.iter().nth(random.below(runs)).map(|(run, taken)| (*run, taken.clone()))
}

#[test]
fn random_graphs_come_to_what_the_model_says_and_no_node_runs_for_a_mixed_state() {
    let mut ran = 0;
    for seed in 0..SEEDS {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut graph = Graph::new(random_nodes(&mut random), EndsWhen::Told, compute, holds);
        let strict = strict(&graph.shape);
        let given = random_changes(&mut random, &graph.shape);
        graph.begin(given);
        check_new_runs(&graph, 0, &strict, seed);
        for _ in 0..random.below(40) {
            let mut from = graph.began.len();
            match random.below(10) {
                0..3 => drop({
                    let changes = random_changes(&mut random, &graph.shape);
                    graph.change(changes)
                }),
                3 => {
                    let lost: Vec<(usize, u32)> = graph.running.keys().copied().collect();
                    graph.crash();
                    // A run that waits for a node before it begins again after that.
                    let again = graph.running.keys().all(|run| lost.contains(run));
                    assert!(again, "seed {seed}: after a crash a run begins that did not run before");
                    graph.began.truncate(from);
                    graph.began.retain(|(node, cause, _)| {
                        !lost.contains(&(*node, *cause)) || graph.running.contains_key(&(*node, *cause))
                    });
                    from = graph.began.len();
                }
                4 if !graph.dropped.is_empty() => {
                    let late = graph.dropped[random.below(graph.dropped.len())];
                    let before = real(&graph);
                    assert!(!graph.end_late(late), "seed {seed}: a late answer counts");
                    assert_eq!(real(&graph), before, "seed {seed}");
                }
                _ => {
                    if let Some((run, taken)) = any_run(&graph, &mut random) {
                        assert!(graph.end(run, &taken), "seed {seed}: the run of {run:?} does not count");
                    }
                }
            }
            check_new_runs(&graph, from, &strict, seed);
            if graph.running.is_empty() {
                check_settled(&graph, seed);
            }
        }
        while let Some((run, taken)) = any_run(&graph, &mut random) {
            graph.end(run, &taken);
        }
        check_settled(&graph, seed);
        for _ in 0..3 {
            check_one_change(&mut graph, &mut random, &strict, seed);
        }
        let mut begun: Vec<(usize, u32)> = graph.began.iter().map(|(node, cause, _)| (*node, *cause)).collect();
        ran += begun.len();
        begun.sort_unstable();
        assert!(begun.windows(2).all(|pair| pair[0] != pair[1]), "seed {seed}: a node ran twice for one cause");
    }
    assert!(ran > 10 * usize::try_from(SEEDS).unwrap_or_default(), "only {ran} runs: the graphs are too poor");
}

impl Graph<'_> {
    /// An answer of a run that was dropped.
    fn end_late(&mut self, run: (usize, u32)) -> bool {
        let counts = self.state.run_ended(&self.shape, run, Ok(json("99")), at());
        self.follow();
        counts
    }
}
