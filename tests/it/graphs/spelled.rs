//! Graphs whose nodes spell what they have taken: the node `d` that takes `b` and `c` computes `d(b c)`.

use std::collections::BTreeMap;
use std::sync::Arc;

use durable::__macro::graph::{Computed, Edge, Node, NodeKind, NodeSpec, Policy, Taken, computed};
use durable::__macro::{Argument, BoxFuture, DigestSerialized as _, StepSpec, digest, step_retried};
use durable::prelude::*;
use durable::{Builder, Workflow};

use crate::support::{Database, eventually, soon};

/// What a test has the nodes of a graph do.
#[derive(Clone)]
pub(crate) struct Bodies(Arc<Body>);

type Body = dyn Fn(&'static str, Vec<String>) -> BoxFuture<'static, Result<String>> + Send + Sync;

impl Bodies {
    pub(crate) fn new(
        body: impl Fn(&'static str, Vec<String>) -> BoxFuture<'static, Result<String>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(body))
    }

    /// Nodes that compute at once.
    pub(crate) fn at_once(body: impl Fn(&'static str, &[String]) -> Result<String> + Send + Sync + 'static) -> Self {
        Self::new(move |node, taken| Box::pin(std::future::ready(body(node, &taken))))
    }

    /// Runs the body of a node.
    pub(crate) fn call(&self, node: &'static str, taken: Vec<String>) -> BoxFuture<'static, Result<String>> {
        (self.0)(node, taken)
    }

    pub(crate) fn that_spell() -> Self {
        Self::at_once(|node, taken| Ok(spell(node, taken)))
    }
}

pub(crate) fn spell(node: &str, taken: &[String]) -> String {
    format!("{node}({})", taken.join(" "))
}

/// What a graph is started with: the values of its inputs.
pub(crate) type Inputs = BTreeMap<String, String>;

pub(crate) fn inputs(values: &[(&str, &str)]) -> Inputs {
    values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A graph that a test has described.
pub(crate) trait Spelled: Workflow<Input = Inputs> {
    fn bodies(&self) -> &Bodies;
}

/// What the expansion of a step does.
pub(crate) fn run<'run, W: Spelled>(
    graph: &'run W,
    step: &'static StepSpec,
    takes: &'static [Edge],
    taken: &'run Taken,
) -> BoxFuture<'run, Result<Computed>> {
    Box::pin(async move {
        let seen = takes.iter().enumerate().map(|(place, edge)| see(taken, place, edge.policy)).collect::<Result<Vec<_>>>()?;
        let arguments = digest(|digest| Argument(&seen).add_to(digest));
        let body = move || graph.bodies().call(step.name, seen.clone());
        computed(step_retried::<Result<String>, _>(step, arguments, body).await)
    })
}

/// The value of a node; `_` without one, and `!` for a failure that is seen.
fn see(taken: &Taken, place: usize, policy: Policy) -> Result<String> {
    Ok(match policy {
        Policy::Needs => taken.needed::<String>(place, "a node")?,
        Policy::Settled | Policy::Each => taken.settled::<String>(place, "a node")?.unwrap_or_else(|| "_".to_owned()),
        Policy::Latest => taken.latest::<String>(place, "a node")?.into_option().unwrap_or_else(|| "_".to_owned()),
        Policy::SeesFailure => {
            let outcome = taken.outcome::<String>(place, "a node")?;
            if outcome.failure().is_some() { "!".to_owned() } else { outcome.ready().unwrap_or_else(|| "_".to_owned()) }
        }
    })
}

pub(crate) fn check(value: &str) -> Result<()> {
    durable::__macro::graph::check::<String>(value)
}

pub(crate) const fn node(name: &'static str, kind: NodeKind, takes: &'static [Edge]) -> NodeSpec {
    NodeSpec { name, kind, takes, ..NodeSpec::PLAIN }
}

pub(crate) const fn edge(node: usize, policy: Policy) -> Edge {
    Edge { node, policy }
}

pub(crate) const fn input<W>(name: &'static str) -> Node<W> {
    Node { spec: node(name, NodeKind::Input { optional: false }, &[]), run: None, when: None, schema: None, check: Some(check) }
}

pub(crate) const fn optional<W>(name: &'static str) -> Node<W> {
    Node { spec: node(name, NodeKind::Input { optional: true }, &[]), run: None, when: None, schema: None, check: Some(check) }
}

/// A step, as its expansion describes it: its name, what it takes, and what else its node and its step have.
macro_rules! step {
    ($name:literal, [$($edge:expr),*] $(, node { $($field:ident: $value:expr),* })? $(, step { $($option:ident: $given:expr),* })? $(, when $when:expr)?) => {{
        const TAKES: &[Edge] = &[$($edge),*];
        const SPEC: NodeSpec = NodeSpec { $($($field: $value,)*)? ..node($name, NodeKind::Step, TAKES) };
        static STEP: StepSpec = StepSpec {
            $($($option: $given,)*)?
            ..StepSpec {
                workflow: "spelled",
                name: $name,
                is_compensation: false,
                was: &[],
                retry: None,
                timeout: None,
                compensation: None,
                undo_on_failure: false,
            }
        };
        Node {
            spec: SPEC,
            run: Some(|graph, taken| run(graph, &STEP, TAKES, taken)),
            when: step!(@when $($when)?),
            schema: None,
            check: None,
        }
    }};
    (@when) => { None };
    (@when $when:expr) => { Some($when) };
}

/// A graph, as its expansion describes it.
macro_rules! graph {
    ($type:ident, $name:literal, open: $open:literal, output: $output:ty, $(undo: [$($undo:expr),*],)? [$($node:expr),* $(,)?]) => {
        pub(crate) struct $type(pub(crate) Bodies);

        impl Spelled for $type {
            fn bodies(&self) -> &Bodies {
                &self.0
            }
        }

        impl Workflow for $type {
            type Input = Inputs;
            type Output = $output;
            const NAME: &'static str = $name;
            const VERSION: u32 = 1;
            const QUEUE: &'static str = "default";
            const TIMEOUT: Option<std::time::Duration> = None;
            const STEPS: &'static [StepSpec] = &[];
            const COMPENSATIONS: &'static [durable::__macro::Compensation<Self>] = &[$($($undo),*)?];
            const GRAPH: Option<&'static Graph<Self>> = Some(&Graph { nodes: &[$($node),*], open: $open });

            fn execute<'run>(&'run self, cx: &'run Context, inputs: Inputs) -> BoxFuture<'run, Result<$output>> {
                const GRAPH: &Graph<$type> = <$type as Workflow>::GRAPH.unwrap();
                Box::pin(durable::__macro::graph::drive(self, cx, inputs, GRAPH))
            }
        }
    };
}

pub(crate) use {graph, step};

/// An execution of a graph, as a client sees it.
pub(crate) struct Seen {
    pub(crate) durable: Durable,
    pub(crate) id: ExecutionId,
}

impl Seen {
    /// Starts one in a new worker.
    pub(crate) async fn start<W: Spelled>(database: &Database, graph: W, values: &[(&str, &str)]) -> Self {
        Self::start_with(database.builder().register(graph), std::marker::PhantomData::<W>, values).await
    }

    pub(crate) async fn start_with<W: Spelled>(
        builder: Builder,
        _: std::marker::PhantomData<W>,
        values: &[(&str, &str)],
    ) -> Self {
        let durable = builder.start().await.unwrap();
        let id = durable.start::<W>(inputs(values)).await.unwrap().id();
        Self { durable, id }
    }

    pub(crate) async fn set(&self, values: &[(&str, &str)]) {
        let set = values.iter().fold(self.durable.set_inputs(self.id), |set, (name, value)| set.set(name, value));
        set.await.unwrap();
    }

    pub(crate) async fn unset(&self, name: &str) {
        self.durable.set_inputs(self.id).unset(name).await.unwrap();
    }

    /// The values of these nodes; `-` without one.
    pub(crate) async fn values(&self, names: &str) -> String {
        let values = self.durable.values(self.id).await.unwrap();
        let value = |name: &str| {
            let value = values.iter().find(|value| value.name == name);
            value.map_or_else(|| "-".to_owned(), |value| value.value.decode::<String>().unwrap())
        };
        names.split(' ').map(value).collect::<Vec<_>>().join(" ")
    }

    /// Waits until the nodes have these values.
    pub(crate) async fn comes_to(&self, names: &str, expected: &str) {
        let what = format!("{names} come to {expected}");
        eventually(&what, async || self.values(names).await == expected).await;
    }

    /// The revision of a value.
    pub(crate) async fn revision(&self, name: &str) -> u32 {
        self.durable.value::<durable::Json>(self.id, name).await.unwrap().map_or(0, |value| value.revision)
    }

    pub(crate) async fn result<W: Workflow>(&self) -> Result<W::Output> {
        soon("the graph ends", self.durable.handle::<W>(self.id).result()).await
    }
}
