//! The graph form: decides which node runs, is skipped or is cleared, and when the execution ends.

pub(crate) mod changes;
mod drawn;
#[cfg(test)]
pub(crate) mod reference;
pub(crate) mod restored;
pub(crate) mod sets;
pub(crate) mod shape;
pub(crate) mod spec;
pub(crate) mod state;
#[cfg(test)]
mod tests;
pub(crate) mod unmet;

pub(crate) use self::drawn::drawn;
use self::shape::Shape;
use self::spec::Policy;
use self::state::{Standing, State};

/// The name of the messages that change a graph.
pub(crate) const CHANGES: &str = "set_inputs";

/// The name in the keys of changes: `set graph inputs` is the start, `set graph inputs#2` the first message.
pub(crate) const INPUTS: &str = "graph inputs";

/// What the driver has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Drop the run of this node: what it takes has changed.
    Drop { node: usize },
    /// Run this node. The cause names the state in which it runs: a later state has a larger cause.
    Run { node: usize, cause: u32 },
    /// The execution fails with the error of this node.
    Fail { node: usize },
    /// The execution completes.
    Finish(EndsWhen),
}

/// When an execution ends that has not failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndsWhen {
    /// No node can change any more, and every input that must be given was given.
    Settled,
    /// A node that ends the execution has a value.
    Told,
}

/// Decides everything that follows from what was noted since the last call. `holds` evaluates the condition of a node. Without an
/// action, the execution waits for inputs or for runs that are under way.
pub(crate) fn next<E>(
    shape: &Shape,
    state: &mut State,
    ends_when: EndsWhen,
    mut holds: impl FnMut(&State, usize) -> Result<bool, E>,
) -> Result<Vec<Action>, E> {
    let mut runs = Vec::new();
    for node in state.take_resumed() {
        runs.extend(resume(state, node));
    }
    while let Some(node) = state.take_undecided(shape) {
        match decide(shape, state, node, &mut holds)? {
            Decision::Same => {
                state.keep(shape, node);
                runs.extend(resume(state, node));
            }
            Decision::Becomes(standing, cause) => state.settle(shape, node, standing, cause),
            Decision::Run(cause) => {
                state.begin_run(node, cause);
                runs.push(Action::Run { node, cause });
            }
        }
    }
    let mut actions: Vec<Action> = state.take_superseded().into_iter().map(|node| Action::Drop { node }).collect();
    if let Some(node) = state.failed(shape) {
        actions.push(Action::Fail { node });
        return Ok(actions);
    }
    actions.extend(runs);
    actions.extend(end(shape, state, ends_when).map(Action::Finish));
    Ok(actions)
}

/// Lets a timer go on that has fired and fires again, if it does not yet.
fn resume(state: &mut State, node: usize) -> Option<Action> {
    let cause = state.to_resume(node)?;
    state.begin_run(node, cause);
    Some(Action::Run { node, cause })
}

/// What becomes of a node whose upstream nodes are decided.
enum Decision {
    /// Nothing that it takes has changed.
    Same,
    Becomes(Standing, u32),
    Run(u32),
}

/// What the state of one upstream node means for a node that takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Gate {
    Open,
    /// The node cannot run before the other one has a value.
    Closed,
    /// The node is skipped with the other one.
    Skips,
}

fn decide<E>(
    shape: &Shape,
    state: &State,
    node: usize,
    holds: &mut impl FnMut(&State, usize) -> Result<bool, E>,
) -> Result<Decision, E> {
    let cause = state.cause_of(shape, node);
    if state.node(node).cause == cause {
        return Ok(Decision::Same);
    }
    let spec = &shape.nodes[node];
    let gates = |edges: &[spec::Edge]| edges.iter().map(|edge| gate(shape, state, *edge)).max().unwrap_or(Gate::Open);
    let (takes, when) = (gates(spec.takes), gates(spec.when));
    if takes == Gate::Skips || when == Gate::Skips {
        return Ok(Decision::Becomes(Standing::Skipped, cause));
    }
    let nothing_to_start_with =
        has_only_latest(shape, node) && shape.edges(node).all(|edge| state.node(edge.node).value().is_none());
    if nothing_to_start_with {
        return Ok(Decision::Becomes(Standing::Unset, cause));
    }
    if !spec.when.is_empty() && when == Gate::Open && !holds(state, node)? {
        return Ok(Decision::Becomes(Standing::Skipped, cause));
    }
    Ok(match takes.max(when) {
        Gate::Open => Decision::Run(cause),
        _ => Decision::Becomes(Standing::Unset, cause),
    })
}

pub(crate) fn gate(shape: &Shape, state: &State, edge: spec::Edge) -> Gate {
    match (edge.policy, &state.node(edge.node).standing) {
        (Policy::Latest, _) | (_, Standing::Ready { .. }) => Gate::Open,
        (Policy::Needs, Standing::Skipped | Standing::Failed(_)) => Gate::Skips,
        (Policy::Settled | Policy::Each | Policy::SeesFailure, Standing::Skipped | Standing::Failed(_)) => Gate::Open,
        (Policy::Settled | Policy::Each | Policy::SeesFailure, Standing::Unset) if shape.is_optional(edge.node) => Gate::Open,
        (_, Standing::Unset) => Gate::Closed,
    }
}

/// Whether nothing that the node takes holds it up, so that it starts with the first value.
pub(crate) fn has_only_latest(shape: &Shape, node: usize) -> bool {
    shape.edges(node).next().is_some() && shape.edges(node).all(|edge| edge.policy == Policy::Latest)
}

/// Why the execution has ended, if it has.
fn end(shape: &Shape, state: &State, ends_when: EndsWhen) -> Option<EndsWhen> {
    if shape.ending.iter().any(|node| state.is_current(*node) && state.node(*node).value().is_some()) {
        return Some(EndsWhen::Told);
    }
    let is_over = ends_when == EndsWhen::Settled && state.is_settled() && shape.missing_inputs(state).next().is_none();
    is_over.then_some(EndsWhen::Settled)
}
