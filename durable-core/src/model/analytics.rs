//! How the executions of a workflow went, in figures.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::ExecutionState;

/// Figures about the executions of one workflow; see [`ExecutionList::analytics`](crate::client::ExecutionList::analytics).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Analytics {
    /// The name of the workflow.
    pub workflow: String,
    /// How many executions the figures are about.
    pub executions: u64,
    /// How many of them are shown in each state; states without executions are left out.
    pub states: BTreeMap<ExecutionState, u64>,
    /// From the start by a client to the end, of the executions that have ended.
    pub duration: Times,
    /// Its steps, waits and compensations, in the order in which they are reached on average.
    pub nodes: Vec<NodeAnalytics>,
}

/// Figures about one step, wait or compensation of a workflow, over all its calls.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NodeAnalytics {
    /// Its kind and name, such as `step charge`, `event paid`, `sleep` or `undo step charge`; for calls in branches, too.
    pub node: String,
    /// How many executions have called it.
    pub reached: u64,
    /// The part of all executions that have, 0 to 1.
    pub share: f64,
    /// From the start of the execution by a client to the first call.
    pub time_to_reach: Times,
    /// How often it was called: more often than reached if it is in a loop or a map.
    pub calls: u64,
    /// How long a call took: the last attempt of a step, or a whole wait. Only of calls that have ended.
    pub time_to_run: Times,
    /// How many attempts followed a failed one.
    pub retries: u64,
    /// Retries for each call.
    pub retry_rate: f64,
    /// How many calls failed for good, timed out or were cancelled.
    pub failures: u64,
    /// The part of the calls that did, 0 to 1.
    pub failure_rate: f64,
    /// How many executions ended after this call and called nothing more.
    pub ended: u64,
}

/// How long something took; `None` if it never happened. As JSON, both are seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Times {
    /// The mean.
    #[serde(serialize_with = "in_seconds")]
    pub average: Option<Duration>,
    /// The middle one; the mean of the two in the middle of an even number.
    #[serde(serialize_with = "in_seconds")]
    pub median: Option<Duration>,
}

impl Analytics {
    /// How many executions are shown in this state.
    pub fn in_state(&self, state: ExecutionState) -> u64 {
        self.states.get(&state).copied().unwrap_or_default()
    }

    /// The figures about one step or wait, such as `step charge`.
    pub fn node(&self, node: &str) -> Option<&NodeAnalytics> {
        self.nodes.iter().find(|known| known.node == node)
    }
}

fn in_seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}
