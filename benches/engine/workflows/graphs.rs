//! Graphs: a diamond, one that stays open, and a thousand nodes in chains. Their steps do next to nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use durable::__macro::graph::{Computed, Edge, Graph, Node, NodeKind, NodeSpec, Policy, Taken, check, computed, drive};
use durable::__macro::{BoxFuture, Compensation, StepSpec, step_once};
use durable::prelude::*;
use durable::{Json, Workflow};

use super::Progress;

/// Two inputs, and five steps: one that takes both inputs, two that take it, one that takes the two, and one after that.
#[derive(Debug, Default)]
pub(crate) struct Diamond {
    pub(crate) progress: Progress,
}

/// The steps of [`Diamond`].
pub(crate) const STEPS_OF_DIAMOND: usize = 5;

#[workflow]
impl Diamond {
    #[input]
    fn one(&self) -> u64;

    #[input]
    fn other(&self) -> u64;

    #[step]
    async fn top(&self, one: u64, other: u64) -> Result<u64> {
        Ok(one + other)
    }

    #[step]
    async fn left(&self, top: u64) -> Result<u64> {
        Ok(top)
    }

    #[step]
    async fn right(&self, top: u64) -> Result<u64> {
        Ok(top)
    }

    #[step]
    async fn bottom(&self, left: u64, right: u64) -> Result<u64> {
        Ok(left + right)
    }

    #[output]
    #[step]
    async fn last(&self, bottom: u64) -> Result<u64> {
        self.progress.advance();
        Ok(bottom)
    }
}

/// An input and a step, open for changes.
#[derive(Debug)]
pub(crate) struct Doubled;

#[workflow(open)]
impl Doubled {
    #[input]
    fn number(&self) -> u64;

    #[step]
    async fn double(&self, number: u64) -> Result<u64> {
        Ok(2 * number)
    }
}

/// The nodes of [`Chains`].
pub(crate) const NODES: usize = 1000;

/// A thousand nodes in chains of this length: an input and the steps behind it. More than one chain stay open for changes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chains<const LENGTH: usize> {
    ran: Arc<AtomicUsize>,
}

/// The names of the nodes: `n000` to `n999`.
const NAMES: &[[u8; 4]; NODES] = &names();

/// For each node an edge from the node before it.
const BEFORE: &[Edge; NODES] = &before();

static STEP: StepSpec = StepSpec {
    workflow: "chains",
    name: "step",
    is_compensation: false,
    was: &[],
    retry: None,
    timeout: None,
    compensation: None,
    undo_on_failure: false,
};

const fn names() -> [[u8; 4]; NODES] {
    let mut names = [*b"n000"; NODES];
    let mut node = 0;
    while node < NODES {
        names[node] = [b'n', digit(node / 100), digit(node / 10 % 10), digit(node % 10)];
        node += 1;
    }
    names
}

const fn digit(number: usize) -> u8 {
    b"0123456789"[number]
}

const fn before() -> [Edge; NODES] {
    let mut edges = [Edge { node: 0, policy: Policy::Needs }; NODES];
    let mut node = 1;
    while node < NODES {
        edges[node].node = node - 1;
        node += 1;
    }
    edges
}

/// The name of a node of [`Chains`].
pub(crate) const fn name(node: usize) -> &'static str {
    match std::str::from_utf8(&NAMES[node]) {
        Ok(name) => name,
        Err(_) => "",
    }
}

const INPUT: NodeSpec = NodeSpec { kind: NodeKind::Input { optional: false }, ..NodeSpec::PLAIN };

impl<const LENGTH: usize> Chains<LENGTH> {
    const ALL: [Node<Self>; NODES] = {
        let mut nodes = [const { Node { spec: INPUT, check: Some(check::<u64>), ..Node::PLAIN } }; NODES];
        let mut node = 0;
        while node < NODES {
            nodes[node].spec.name = name(node);
            if !node.is_multiple_of(LENGTH) {
                nodes[node].spec.kind = NodeKind::Step;
                nodes[node].spec.takes = std::slice::from_ref(&BEFORE[node]);
                nodes[node].run = Some(pass);
                nodes[node].check = None;
            }
            node += 1;
        }
        nodes
    };

    const NODES: Graph<Self> = Graph { nodes: &Self::ALL, open: LENGTH < NODES };

    /// How many steps have run.
    pub(crate) fn ran(&self) -> usize {
        self.ran.load(Ordering::Relaxed)
    }
}

/// Passes the value of the node before on.
fn pass<'run, const LENGTH: usize>(chains: &'run Chains<LENGTH>, taken: &'run Taken) -> BoxFuture<'run, Result<Computed>> {
    Box::pin(async move {
        let number: u64 = taken.needed(0, "the node before")?;
        let body = move || -> BoxFuture<'run, Result<u64>> {
            Box::pin(async move {
                chains.ran.fetch_add(1, Ordering::Relaxed);
                Ok(number)
            })
        };
        computed(step_once::<Result<u64>, _>(&STEP, None, body).await)
    })
}

impl<const LENGTH: usize> Workflow for Chains<LENGTH> {
    /// The inputs by their names.
    type Input = std::collections::BTreeMap<String, u64>;
    type Output = Json;

    const NAME: &'static str = if LENGTH < NODES { "chains" } else { "chain" };
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: Option<Duration> = None;
    const STEPS: &'static [StepSpec] = &[];
    const COMPENSATIONS: &'static [Compensation<Self>] = &[];
    const GRAPH: Option<&'static Graph<Self>> = Some(&Self::NODES);

    fn execute<'run>(&'run self, cx: &'run Context, inputs: Self::Input) -> BoxFuture<'run, Result<Json>> {
        Box::pin(drive(self, cx, inputs, &Self::NODES))
    }
}
