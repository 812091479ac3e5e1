//! The trait that `#[workflow]` implements.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::door::Context;
use super::nodes::node;
use super::route::Route;
use super::schedule::ScheduleSpec;
use super::step::{BoxFuture, StepSpec};
use super::undo::Compensation;
use crate::error::Result;
use crate::model::{Flow, Graph, Tags};
use crate::plan;

/// The concurrency key that a workflow makes from an input.
#[doc(hidden)]
pub fn concurrency_key<I, K: ToString>(input: &I, key: impl FnOnce(&I) -> K) -> Option<String> {
    Some(key(input).to_string())
}

/// The value of a tag that a workflow makes from an input.
#[doc(hidden)]
pub fn tag<I, V: ToString>(input: &I, value: impl FnOnce(&I) -> V) -> String {
    value(input).to_string()
}

/// The tags that `W` makes from an input.
pub(crate) fn tags_of<W: Workflow>(input: &W::Input) -> Tags {
    W::tags(input).into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A workflow: what `#[workflow]` on an `impl` block makes of its type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a workflow",
    label = "has no `#[workflow]` impl block",
    note = "put `#[workflow]` on the `impl` block that has its `async fn run`, or its inputs and steps"
)]
pub trait Workflow: Sized + Send + Sync + 'static {
    /// What it is started with.
    type Input: Serialize + DeserializeOwned + Send + 'static;

    /// What it returns.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// Its name: the type's in snake case, unless `name = "…"` says otherwise.
    const NAME: &'static str;

    /// Its version, 1 by default. An execution runs on the version it was started with.
    const VERSION: u32;

    /// The queue its executions are started in, `default` by default.
    const QUEUE: &'static str;

    /// How long an execution may take from its first claim to its end.
    const TIMEOUT: Option<Duration>;

    /// How many executions with the same concurrency key may run at once, over all workers and queues.
    const LIMIT: Option<u32> = None;

    /// How long an execution may wait to begin before it expires.
    const TIME_TO_LIVE: Option<Duration> = None;

    /// How long an execution is kept after its end, before it is deleted with its journal.
    const RETENTION: Option<Duration> = None;

    /// When it is started by itself, if it is.
    #[doc(hidden)]
    const SCHEDULE: Option<ScheduleSpec<Self::Input>> = None;

    /// Its steps.
    #[doc(hidden)]
    const STEPS: &'static [StepSpec];

    /// Its steps that run in other queues.
    #[doc(hidden)]
    const ROUTES: &'static [Route<Self>] = &[];

    /// What undoes its steps.
    #[doc(hidden)]
    const COMPENSATIONS: &'static [Compensation<Self>];

    /// Its nodes, if it is a graph: a block without `run`.
    #[doc(hidden)]
    const GRAPH: Option<&'static node::Graph<Self>> = None;
    /// The graph of its `run`.
    #[doc(hidden)]
    const FLOW: Flow = Flow::EMPTY;

    /// Its durable calls, branches, loops and ways out as a graph. See [`Graph::to_mermaid`], [`Graph::to_svg`] and
    /// [`Graph::with_execution`].
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # struct Ship;
    /// # #[workflow] impl Ship {
    /// # async fn run(&self, _cx: &Context, order: u64) -> Result<()> { self.pack(order).await }
    /// # #[step] async fn pack(&self, _order: u64) -> Result<()> { Ok(()) }
    /// # }
    /// let graph = Ship::graph();
    /// assert!(graph.nodes.iter().any(|node| node.label == "pack"));
    /// ```
    fn graph() -> Graph {
        match Self::GRAPH {
            Some(graph) => plan::graph::drawn(Self::NAME, Self::VERSION, graph.nodes.iter().map(|node| node.spec)),
            None => Self::FLOW.graph(Self::NAME, Self::VERSION),
        }
    }

    /// The concurrency key of an execution with this input, as `concurrency_key = |input| …` makes it.
    #[doc(hidden)]
    fn concurrency_key(_input: &Self::Input) -> Option<String> {
        None
    }

    /// The tags of an execution with this input, as `tags(name = |input| …)` makes them.
    #[doc(hidden)]
    fn tags(_input: &Self::Input) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Runs it.
    #[doc(hidden)]
    fn execute<'run>(&'run self, cx: &'run Context, input: Self::Input) -> BoxFuture<'run, Result<Self::Output>>;
}
