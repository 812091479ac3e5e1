//! The hidden door for expansions of `#[workflow]`; applications do not use it.

pub use crate::context::Context;
pub use crate::context::Workflow;
pub use crate::context::arguments::{Argument, DigestOpaque, DigestSerialized, RetryArgument, digest};
pub use crate::context::entry::{
    flow_once, flow_retried, step_once, step_once_in_transaction, step_retried, step_retried_in_transaction,
};
pub use crate::context::join::{Branches, join, race, try_join};
pub use crate::context::result::{RunResult, StepError, StepOutput, StepResult};
pub use crate::context::route::{Arguments, Returned, Route, Sent, SentArgument, returned};
pub use crate::context::routed::step_routed;
pub use crate::context::schedule::{ScheduleSpec, ScheduledInput};
pub use crate::context::stand_in::stand_in;
pub use crate::context::step::{BoxFuture, Step, StepSpec};
pub use crate::context::undo::{
    Compensation, CompensationArgument, CompensationResult, CompensationSpec, OptionalCompensationArgument, Recorded, Undone,
    undone,
};
pub use crate::context::{concurrency_key, tag};
pub use crate::error::Result;
pub use crate::model::{Flow, Missed, Overlap};
pub use crate::payload::{Digest, Json};
pub use crate::plan::retry::{Backoff, Retry};
pub use crate::testing::{GenericStepsCannotBeReplaced, StepKey};

/// What expansions of graphs use.
pub mod graph {
    pub use crate::context::graph::drive::drive;
    pub use crate::context::graph::each::{DEFAULT_CONCURRENCY, Items, List, SharedArgument, each, items};
    pub use crate::context::graph::question::{AnswerValue, Question, ask};
    pub use crate::context::nodes::due::{TimerResult, due};
    pub use crate::context::nodes::flow::context;
    pub use crate::context::nodes::inputs::{GivenInputs, Inputs, add, deserialize, serialize, show};
    pub use crate::context::nodes::node::{Computed, Graph, InputValue, Node, check, computed};
    pub use crate::context::nodes::schema::{Schema, WithoutSchema};
    pub use crate::context::nodes::taken::Taken;
    pub use crate::plan::graph::spec::{Edge, NodeKind, NodeSpec, OnFailure, Policy, Target};
    pub use serde;

    /// The value of a timer.
    pub type Time = chrono::DateTime<chrono::Utc>;
}
