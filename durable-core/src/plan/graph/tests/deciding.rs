//! How much of a graph of a thousand nodes is decided when one input changes, and how long that takes.
//!
//! `cargo test --release -p durable-core --lib deciding -- --nocapture` prints the time.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::*;

const NODES: usize = 1000;

/// The length of each chain: an input and the steps behind it.
const CHAIN: usize = 25;

/// Often enough for a median.
const CHANGES: usize = 100;

fn chains() -> Vec<NodeSpec> {
    let before = |node: usize| -> &'static [Edge] { vec![Edge { node: node - 1, policy: Policy::Needs }].leak() };
    let node = |node: usize| match node % CHAIN {
        0 => NodeSpec { name: "input", kind: NodeKind::Input { optional: false }, ..NodeSpec::PLAIN },
        _ => NodeSpec { name: "step", takes: before(node), when: before(node), ..NodeSpec::PLAIN },
    };
    (0..NODES).map(node).collect()
}

#[test]
fn deciding_after_a_change_looks_at_the_cone_of_the_input_and_at_no_other_node() {
    let decided = Cell::new(0);
    let holds = |_: usize, _: &[Seen]| {
        decided.set(decided.get() + 1);
        true
    };
    let mut graph = Graph::new(chains(), EndsWhen::Told, |_, taken| Ok(taken[0].clone().unwrap().unwrap()), holds);
    let set = |node, value: usize| (node, Change::Set { json: json(&value.to_string()), metadata: None });
    graph.begin((0..NODES).step_by(CHAIN).map(|node| set(node, 0)).collect());
    graph.settle();
    assert_eq!(decided.replace(0), NODES - NODES / CHAIN, "each step is decided once");

    let mut took: Vec<Duration> = Vec::new();
    for value in 1..=CHANGES {
        let input = value % (NODES / CHAIN) * CHAIN;
        let (began, begun) = (Instant::now(), graph.began.len());
        graph.change(vec![set(input, value)]);
        graph.settle();
        took.push(began.elapsed());
        assert_eq!((graph.began.len() - begun, decided.replace(0)), (CHAIN - 1, CHAIN - 1), "one cone");
    }
    took.sort_unstable();
    println!("{:?} to decide the {} steps after a change, of {NODES} nodes", took[CHANGES / 2], CHAIN - 1);

    let (stored, began) = (graph.stored(), Instant::now());
    let state = State::restored(&graph.shape, stored);
    println!("{:?} to take up {NODES} nodes that were stored", began.elapsed());
    assert!(state.is_settled());
}
