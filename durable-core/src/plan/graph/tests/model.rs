//! Random graphs with random inputs, failures, late answers and crashes, compared with a model that computes everything from scratch.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

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

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
}

fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Few different values, so that equal ones are common; some nodes fail for some of what they take.
fn compute(node: usize, taken: &[Seen]) -> Result<String, String> {
    let hash = hash((node, taken));
    if node % 3 == 1 && hash.is_multiple_of(5) { Err("no luck".to_owned()) } else { Ok((hash % 3).to_string()) }
}

fn holds(node: usize, taken: &[Seen]) -> bool {
    !hash(("when", node, taken)).is_multiple_of(3)
}

fn random_nodes(random: &mut Random) -> Vec<NodeSpec> {
    let (inputs, steps) = (1 + random.below(4), 1 + random.below(26));
    let mut edges = |nodes: usize, most: usize| -> &'static [Edge] {
        let policies = [Policy::Needs, Policy::Needs, Policy::Settled, Policy::Each, Policy::SeesFailure, Policy::Latest];
        let edge = |_| Edge { node: random.below(nodes), policy: policies[random.below(policies.len())] };
        let count = [0, 1, 1, 2, 3][most];
        (0..count).map(edge).collect::<Vec<_>>().leak()
    };
    let mut nodes = Vec::new();
    let mut dice = Random(hash(inputs * 100 + steps));
    for node in 0..inputs + steps {
        let is_input = node < inputs;
        nodes.push(NodeSpec {
            name: "node",
            kind: if is_input { NodeKind::Input { optional: dice.one_in(3) } } else { NodeKind::Step },
            takes: if is_input { &[] } else { edges(node, 1 + dice.below(4)) },
            when: if is_input || !dice.one_in(4) { &[] } else { edges(node, 1 + dice.below(2)) },
            on_failure: OnFailure::Skip,
            ..NodeSpec::PLAIN
        });
    }
    nodes
}

/// What every node is for the present inputs, computed in one go. A node that fails keeps the value that it has.
fn model(graph: &Graph<'_>) -> Vec<(&'static str, Option<String>)> {
    let shape = &graph.shape;
    let mut are: Vec<(&'static str, Option<String>)> = Vec::new();
    // Random graphs take only nodes before them.
    for (node, spec) in shape.nodes.iter().enumerate() {
        let see = |are: &[(&'static str, Option<String>)], edges: &[Edge]| -> Vec<Seen> {
            let see = |edge: &Edge| match &are[edge.node] {
                ("failed" | "stale", _) if edge.policy == Policy::SeesFailure => Some(Err(())),
                (_, value) => value.clone().map(Ok),
            };
            edges.iter().map(see).collect()
        };
        let kept = graph.state.node(node).value().map(|value| value.json.as_str().to_owned());
        let is = if shape.is_input(node) {
            (if kept.is_some() { "ready" } else { "unset" }, kept)
        } else {
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
            } else if !spec.when.is_empty() && !gated(spec.when) && !holds(node, &see(&are, spec.when)) {
                ("skipped", None)
            } else if gated(&edges) {
                ("unset", None)
            } else {
                match (compute(node, &see(&are, spec.takes)), kept) {
                    (Ok(value), _) => ("ready", Some(value)),
                    (Err(_), Some(kept)) => ("stale", Some(kept)),
                    (Err(_), None) => ("failed", None),
                }
            }
        };
        are.push(is);
    }
    are
}

fn real(graph: &Graph<'_>) -> Vec<(&'static str, Option<String>)> {
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

/// The nodes for which no node before them takes the latest of another.
fn strict(shape: &Shape) -> Vec<bool> {
    let mut strict: Vec<bool> = Vec::new();
    for node in 0..shape.nodes.len() {
        let is_strict = shape.edges(node).all(|edge| edge.policy != Policy::Latest && strict[edge.node]);
        strict.push(is_strict);
    }
    strict
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
                let expected: Seen = match &model[edge.node] {
                    ("failed" | "stale", _) if edge.policy == Policy::SeesFailure => Some(Err(())),
                    (_, value) => value.clone().map(Ok),
                };
                assert_eq!(*seen, expected, "seed {seed}: node {node} takes node {} of another state", edge.node);
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
