//! Random graphs as workflows: their nodes, and what must be true when a node begins.

pub(super) mod check;
pub(super) mod clients;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use self::check::check_taken;
use super::random::Random;
use crate::context::arguments::{Argument, DigestSerialized as _, digest};
use crate::context::entry::step_retried;
use crate::context::graph::drive::drive;
use crate::context::nodes::Settled;
use crate::context::nodes::node::{Call, Computed, Graph, Node, computed};
use crate::context::nodes::taken::Taken;
use crate::context::step::StepSpec;
use crate::context::undo::{Compensation, CompensationSpec, Recorded, Undone, undone};
use crate::context::{Context, Workflow};
use crate::error::{Error, Result};
use crate::ids::ExecutionId;
use crate::payload::Json;
use crate::plan::graph::reference::{MOST_NODES, NAMES, Seen, compute, hash, holds, random_nodes};
use crate::plan::graph::spec::{NodeKind, OnFailure, Policy};
use crate::plan::retry::{Backoff, Retry};
use crate::running::BoxFuture;
use crate::running::ambient::{self, step};
use crate::running::hold::Hold;
use crate::running::memory::{self, Book};

/// How many graphs the seeds share: they live as long as the program.
pub(super) const GRAPHS: usize = 4096;

/// The input that is the number of the graph. No node has this name.
pub(super) const GRAPH: &str = "graph";

/// The workflow of every simulated graph.
pub(super) struct SimulatedGraph {
    pub(super) book: Arc<Mutex<Book>>,
}

/// The graph with this number.
pub(super) fn graph(number: usize) -> &'static Graph<SimulatedGraph> {
    static ALL: [OnceLock<&'static Graph<SimulatedGraph>>; GRAPHS] = [const { OnceLock::new() }; GRAPHS];
    ALL[number % GRAPHS].get_or_init(|| Box::leak(Box::new(random_graph(&mut Random::new(number as u64)))))
}

fn random_graph(random: &mut Random) -> Graph<SimulatedGraph> {
    let policies = [Policy::Needs, Policy::Needs, Policy::Settled, Policy::SeesFailure, Policy::Latest];
    let specs = random_nodes(|limit| random.index(limit), &policies);
    let some_fail = random.one_in(2);
    let node = |(place, mut spec): (usize, _)| {
        let crate::plan::graph::spec::NodeSpec { kind, when, ref mut on_failure, .. } = spec;
        if some_fail && random.one_in(3) {
            *on_failure = OnFailure::Fail;
        }
        let run = (kind == NodeKind::Step).then_some(RUNS[place]);
        let when = (!when.is_empty()).then_some(CONDITIONS[place]);
        Node { spec, run, when, ..Node::PLAIN }
    };
    let nodes: Vec<Node<SimulatedGraph>> = specs.into_iter().enumerate().map(node).collect();
    Graph { nodes: nodes.leak(), open: random.one_in(2) }
}

macro_rules! for_each_node {
    ($function:ident) => {
        [
            $function::<0>,
            $function::<1>,
            $function::<2>,
            $function::<3>,
            $function::<4>,
            $function::<5>,
            $function::<6>,
            $function::<7>,
            $function::<8>,
            $function::<9>,
            $function::<10>,
            $function::<11>,
            $function::<12>,
            $function::<13>,
            $function::<14>,
            $function::<15>,
            $function::<16>,
            $function::<17>,
            $function::<18>,
            $function::<19>,
            $function::<20>,
            $function::<21>,
            $function::<22>,
            $function::<23>,
            $function::<24>,
            $function::<25>,
            $function::<26>,
            $function::<27>,
            $function::<28>,
            $function::<29>,
        ]
    };
}

const RUNS: [Call<SimulatedGraph>; MOST_NODES] = for_each_node!(run);

const CONDITIONS: [fn(&Taken) -> Result<bool>; MOST_NODES] = for_each_node!(when);

/// One node in five is undone by a rollback.
static STEPS: [StepSpec; MOST_NODES] = {
    let mut steps = [const { spec("", false) }; MOST_NODES];
    let mut node = 0;
    while node < MOST_NODES {
        steps[node] = spec(NAMES[node], node.is_multiple_of(5));
        node += 1;
    }
    steps
};

const fn spec(name: &'static str, is_undone: bool) -> StepSpec {
    let base = Duration::from_millis(if is_undone { 60_000 } else { 50 });
    StepSpec {
        workflow: "simulated_graph",
        name,
        is_compensation: false,
        was: &[],
        retry: Some(Retry { max_attempts: 3, backoff: Backoff::Constant, base, max: base, jitter: 0.0 }),
        timeout: None,
        compensation: if is_undone { Some("undo") } else { None },
        undo_on_failure: false,
    }
}

static UNDO: CompensationSpec = CompensationSpec { name: "undo", retry: None, timeout: None };

const fn undoes(node: usize) -> Compensation<SimulatedGraph> {
    Compensation { step: NAMES[node], spec: &UNDO, undo_on_failure: false, call: undo }
}

fn undo<'run>(_: &'run SimulatedGraph, _cx: &'run Context, _recorded: Recorded) -> BoxFuture<'run, Result<Undone>> {
    Box::pin(async { undone(Ok::<(), Error>(())) })
}

impl Workflow for SimulatedGraph {
    type Input = BTreeMap<String, u64>;
    type Output = Json;

    const NAME: &'static str = "simulated_graph";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: Option<Duration> = None;
    const STEPS: &'static [StepSpec] = &STEPS;
    const COMPENSATIONS: &'static [Compensation<Self>] = &[undoes(5), undoes(10), undoes(15), undoes(20), undoes(25)];

    fn execute<'run>(&'run self, cx: &'run Context, inputs: Self::Input) -> BoxFuture<'run, Result<Json>> {
        let number = inputs.get(GRAPH).copied().unwrap_or_default();
        Box::pin(drive(self, cx, inputs, graph(usize::try_from(number).unwrap_or_default())))
    }
}

/// What the node or its condition sees of the nodes that it takes.
fn seen(taken: &Taken) -> Result<Vec<Seen>> {
    let see = |place| {
        Ok(match taken.outcome::<u64>(place, "a node")? {
            Settled::Ready(value) => Some(Ok(value.to_string())),
            Settled::Skipped => None,
            Settled::Failed(_) => Some(Err(())),
        })
    };
    (0..taken.len()).map(see).collect()
}

fn when<const NODE: usize>(taken: &Taken) -> Result<bool> {
    Ok(holds(NODE, &seen(taken)?))
}

fn run<'run, const NODE: usize>(graphs: &'run SimulatedGraph, taken: &'run Taken) -> BoxFuture<'run, Result<Computed>> {
    Box::pin(async move {
        let seen = seen(taken)?;
        let arguments = digest(|digest| Argument(&seen).add_to(digest));
        let scope = ambient::scope();
        let attempt = move || -> BoxFuture<'run, Result<u64>> {
            let (seen, holder) = (seen.clone(), scope.as_ref().map(|scope| (scope.run.id, scope.run.hold())));
            Box::pin(async move { graphs.attempt(holder, NODE, &seen).await })
        };
        computed(step_retried::<Result<u64>, _>(&STEPS[NODE], arguments, attempt).await)
    })
}

impl SimulatedGraph {
    /// One attempt at a node: checks that it may begin with what it has taken, takes its time, and computes.
    async fn attempt(&self, holder: Option<(ExecutionId, Hold)>, node: usize, seen: &[Seen]) -> Result<u64> {
        let (key, attempt) = (step().idempotency_key(), step().attempt());
        if let Some((id, hold)) = holder {
            let mut book = memory::lock(&self.book);
            if book.lost.contains(&hold.worker) {
                book.violations.push("a node began although the lease was lost".to_owned());
            }
            book.check_begin(id, key, attempt);
            let wrong = check_taken(&book, (id, hold), node, seen);
            book.violations.extend(wrong);
        }
        let luck = hash((key, "luck"));
        if luck.is_multiple_of(3) {
            tokio::time::sleep(Duration::from_millis(luck % 4000)).await;
        }
        if luck.is_multiple_of(7) && attempt == 1 {
            return Err(Error::new("it fails at first"));
        }
        Ok(compute(node, seen).map_err(Error::permanent)?.parse()?)
    }
}
