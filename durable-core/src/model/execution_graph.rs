//! The path of one execution on the graph of its workflow.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ExecutionState, Graph};
use crate::ids::ExecutionId;

/// The graph of a workflow with the path of one execution on it.
/// [`Graph::with_execution`] makes it, and [`Durable::graph`](crate::client::Durable::graph) reads it from the database.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExecutionGraph {
    /// The execution.
    pub execution_id: ExecutionId,
    /// Its state.
    pub state: ExecutionState,
    /// The graph of its workflow. Calls that the graph lacked are added at its end, with edges of the kind
    /// [`Seen`](super::EdgeKind::Seen) from the opaque node that made them.
    pub graph: Graph,
    /// What the execution did at each node of the graph, in the same order.
    pub nodes: Vec<NodeRun>,
    /// How often it took each edge of the graph, in the same order.
    pub edges: Vec<u32>,
}

/// What an execution did at a node of its graph.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeRun {
    /// The state of its last call there; of calls at once, that of one which has not ended.
    pub state: NodeState,
    /// How often it came by.
    pub times: u32,
    /// How many attempts its calls there took; 0 at a node without attempts.
    pub attempts: u32,
    /// When its first call there began.
    pub first_started_at: Option<DateTime<Utc>>,
    /// How long its ended calls there took, all together.
    pub took: Option<Duration>,
    /// The children that it started there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<ExecutionId>,
    /// Whether the graph of the workflow lacks the node, and only the journal has it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seen_only: bool,
}

/// How far an execution has come at a node of its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NodeState {
    /// The execution has not come by.
    #[default]
    NotReached,
    /// An attempt runs.
    Running,
    /// It waits here: for a time, an event, a person, a child or the next attempt.
    Waiting,
    /// The execution has come by. A call has ended, also if its timeout passed.
    Done,
    /// The call has failed.
    Failed,
    /// The call was dropped: another branch decided, or the execution ended.
    Dropped,
    /// The step was undone.
    Compensated,
    /// A state that this release does not know.
    #[serde(other)]
    Other,
}

impl NodeState {
    /// Every state that this release knows.
    pub const ALL: [Self; 7] =
        [Self::NotReached, Self::Running, Self::Waiting, Self::Done, Self::Failed, Self::Dropped, Self::Compensated];

    /// The word in JSON, and the class in Mermaid and SVG.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotReached => "not_reached",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
            Self::Compensated => "compensated",
            Self::Other => "other",
        }
    }
}
