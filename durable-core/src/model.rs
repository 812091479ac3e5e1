//! Executions, steps, waits, queues, schedules, workers and findings as plain data, and which state may follow which.

mod analytics;
mod blockers;
mod edit;
mod execution;
mod execution_graph;
mod exported;
mod finding;
mod graph;
mod introspection;
mod journal;
mod log;
mod message;
mod node;
mod queue;
mod schedule;
mod tag;
mod update;
mod value;
mod wait;
mod worker;

pub use analytics::{Analytics, NodeAnalytics, Times};
pub use blockers::{Blocker, OpenWait};
pub use edit::Edit;
pub use execution::{Attempt, AttemptOutcome, Child, Compensation, Execution, ExecutionDetails, ExecutionState, Parent, Step};
pub use execution_graph::{ExecutionGraph, NodeRun, NodeState};
pub use exported::Journal;
pub use finding::{Finding, Severity, Subject};
pub use graph::{EdgeKind, Flow, Graph, GraphBranch, GraphEdge, GraphForm, GraphNode, NodeKind};
pub use introspection::Introspection;
pub use log::{LogLine, StepLog};
pub(crate) use message::MOST_MESSAGES;
pub use message::{Delivery, KeptMessage, Refusal};
pub use node::{NodeDetails, NodeWait, Unmet};
pub use queue::{Queue, QueueLimits, Rate};
pub use schedule::{Firing, FiringCause, FiringOutcome, Missed, Overlap, Schedule};
pub use update::Update;
pub use value::{ExecutionValue, ValueState};
pub use wait::{InputForm, ParentPolicy, PendingInput, UpdatedInput, Wait, WaitKind, WaitOutcome};
pub use worker::{QueueSlots, WorkerDetails, WorkerState};

pub(crate) use execution::{Claimed, ClaimedStep, checked_time_to_live, not_found};
pub(crate) use journal::{Checkpoint, Decision, FailedAttempt, JournalRecords, Outcome, Undoable};
pub(crate) use queue::checked_concurrency_key;
pub(crate) use tag::{MOST_TAGS, NewTag, Tags, checked_tags, too_many as too_many_tags};
pub(crate) use value::{NewNode, NewValue, NodeRecord, StoredNode};
pub(crate) use wait::{Due, NewChild, NewWait, RecordedWait, RefusedMessage, SentStep, WaitDetails, check_assignee};
