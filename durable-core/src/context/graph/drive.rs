//! Runs the nodes of a graph one after the other, each when what it takes is settled.

use std::collections::BTreeMap;

use chrono::Utc;
use serde_json::value::RawValue;

use super::node::{Graph, Node};
use super::taken::{Slot, Taken};
use crate::context::{Context, Workflow};
use crate::error::{Error, Result};
use crate::payload::{self, Payload};
use crate::plan::graph::spec::{Edge, NodeKind, OnFailure, Policy};

/// Runs an execution to its end.
pub async fn drive<W: Workflow>(workflow: &W, _: &Context, inputs: W::Input, graph: &'static Graph<W>) -> Result<W::Output> {
    let inputs = payload::encode("the inputs", &inputs)?;
    let mut inputs: BTreeMap<String, Payload> = payload::decode("the inputs", inputs.as_str())?;
    let mut states: Vec<Option<Slot>> = Vec::new();
    states.resize_with(graph.nodes.len(), || None);
    for (state, node) in states.iter_mut().zip(graph.nodes) {
        *state = match (inputs.remove(node.spec.name), node.spec.kind) {
            (Some(value), _) => Some(ready(value)),
            (None, NodeKind::Input { optional: true }) => Some(Slot::Nothing),
            _ => None,
        };
    }
    while let Some(place) = (0..states.len()).find(|place| states[*place].is_none() && can_run(&graph.nodes[*place], &states)) {
        states[place] = Some(run(workflow, &graph.nodes[place], &states).await?);
    }
    let output = graph.nodes.iter().zip(&states).find(|(node, _)| node.spec.is_output);
    let output = match output.and_then(|(_, state)| value(state.as_ref()?)) {
        Some(output) => output.clone(),
        None => payload::encode("the output", &leaves(graph, &states)?)?,
    };
    payload::decode("the output", output.as_str())
}

fn can_run<W>(node: &Node<W>, states: &[Option<Slot>]) -> bool {
    let mut edges = node.spec.takes.iter().chain(node.spec.when);
    node.run.is_some() && edges.all(|edge| edge.policy == Policy::Latest || states[edge.node].is_some())
}

async fn run<W>(workflow: &W, node: &Node<W>, states: &[Option<Slot>]) -> Result<Slot> {
    let Some(run) = node.run else { return Ok(Slot::Nothing) };
    let lacks = |edge: &Edge| edge.policy == Policy::Needs && states[edge.node].as_ref().and_then(value).is_none();
    if node.spec.takes.iter().chain(node.spec.when).any(lacks) {
        return Ok(Slot::Skipped);
    }
    if let Some(when) = node.when
        && !when(&taken(node.spec.when, states))?
    {
        return Ok(Slot::Skipped);
    }
    match run(workflow, &taken(node.spec.takes, states)).await {
        Ok(computed) => Ok(ready(computed.into_payload())),
        Err(error) if node.spec.on_failure == OnFailure::Skip => Ok(Slot::Failed(Box::new(error.failure().clone()))),
        Err(error) => Err(error),
    }
}

fn taken(edges: &[Edge], states: &[Option<Slot>]) -> Taken {
    let slot = |edge: &Edge| match &states[edge.node] {
        Some(Slot::Ready { value, .. }) => ready(value.clone()),
        Some(Slot::Failed(failure)) => Slot::Failed(failure.clone()),
        Some(Slot::Skipped) => Slot::Skipped,
        Some(Slot::Nothing) | None => Slot::Nothing,
    };
    Taken::new(edges.iter().map(slot).collect())
}

fn ready(value: Payload) -> Slot {
    Slot::Ready { value, revision: 1, set_at: Utc::now(), metadata: None, stale: false }
}

fn value(slot: &Slot) -> Option<&Payload> {
    match slot {
        Slot::Ready { value, .. } => Some(value),
        _ => None,
    }
}

fn leaves<W>(graph: &Graph<W>, states: &[Option<Slot>]) -> Result<BTreeMap<&'static str, Box<RawValue>>> {
    let taken: Vec<usize> = graph.nodes.iter().flat_map(|node| node.spec.takes.iter().chain(node.spec.when)).map(|e| e.node).collect();
    let leaves = graph.nodes.iter().zip(states).enumerate().filter(|(place, (node, _))| node.run.is_some() && !taken.contains(place));
    let ready = leaves.filter_map(|(_, (node, state))| Some((node.spec.name, value(state.as_ref()?)?)));
    ready.map(|(name, value)| Ok::<_, Error>((name, value.to_raw()?))).collect()
}
