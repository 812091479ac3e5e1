//! Durable makes async Rust survive crashes.
//!
//! Put [`#[workflow]`](workflow) on an `impl` block of async steps. Durable stores the result of each step in a Postgres
//! schema, together with sleeps, events and questions to people. If the process dies, another worker continues from the last
//! completed step. Durable is a library: no server, no broker, only Postgres.
//!
//! ```no_run
//! use durable::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Order {
//!     id: u64,
//!     cents: u64,
//! }
//!
//! struct ProcessOrder; // its fields are what the steps need: clients, pools, settings
//!
//! #[workflow(queue = "orders", timeout = "2h")]
//! impl ProcessOrder {
//!     async fn run(&self, cx: &Context, order: Order) -> Result<String> {
//!         let payment = self.charge(&order).await?;
//!         cx.sleep(minutes(5)).await?;
//!         let carrier: String = cx.wait_for_event("picked_up").await?;
//!         Ok(format!("{payment} left with {carrier}"))
//!     }
//!
//!     #[step(retry(max_attempts = 3, base = "1s"), timeout = "30s")]
//!     async fn charge(&self, order: &Order) -> Result<String> {
//!         Ok(format!("payment of {} cents for order {}", order.cents, order.id))
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<()> {
//!     let durable = Durable::builder()
//!         .database_url("postgres://localhost/shop")
//!         .register(ProcessOrder)
//!         .start()
//!         .await?;
//!     let handle = durable.start::<ProcessOrder>(Order { id: 42, cents: 1999 }).key("order-42").await?;
//!     durable.send_event(handle.id(), "picked_up", "DHL").await?;
//!     println!("{}", handle.result().await?);
//!     durable.shutdown().await
//! }
//! ```
//!
//! - [`guide`] is the manual: how to write workflows, run them in production, and what Durable guarantees.
//! - [`Context`] is what `run` works with: sleeps, events, questions to people, children, the time.
//! - [`step()`] tells a step's body about itself: its attempt, its idempotency key, its cancellation.
//! - [`Durable`] is the client: start, send, publish, answer, cancel, roll back, list.
//! - [`calendar`] finds the next business day, weekday or end of day in any time zone.
//! - [`observer`] notifies your code of what executions do, and lets it refuse a step.
//! - [`migrate`] creates and updates the schema.

pub use durable_core::calendar;
pub use durable_core::client::{
    Builder, Bulk, BulkOutcome, BulkReport, ByName, Cancel, ChangeMark, Cursor, Divergence, Durable, ExecutionHandle,
    ExecutionList, ExecutionPage, FiringList, Fork, InputCursor, NotCompared, Page, PendingInputs, ProvideInput, Prune, Pruned,
    Publish, PutSchedule, QueueHandle, Replay, ReplayReport, ScheduleList, SetInputs, SortBy, SortOrder, Start, StartByName,
    StartMany, TriggerSchedule, UnknownWorkflow, Unreadable, UpdateInput, WaitForValue, Watch,
};
pub use durable_core::context::{
    AllWait, Answer, Approval, ChildWait, CloseEvents, Context, Due, Each, EventWait, Given, InputWait, Join, Latest, Map, Race,
    Received, SetTag, SetValue, Settled, SettledEach, SettledJoin, Sleep, StartChild, StepHandle, StepLogLayer, TimedAllWait,
    TimedWait, Transaction, WaitOr, WaitOrFail, Workflow, step,
};
pub use durable_core::duration::{days, hours, minutes, seconds};
pub use durable_core::error::{Error, ErrorKind, Failure, Result, RetryAdvice};
pub use durable_core::ids::{ExecutionId, Home, IdPrefix, WorkerId};
pub use durable_core::model::{
    Analytics, Attempt, AttemptOutcome, Blocker, Child, Compensation, Delivery, EdgeKind, Edit, Execution, ExecutionDetails,
    ExecutionGraph, ExecutionState, ExecutionValue, Finding, Firing, FiringCause, FiringOutcome, Graph, GraphBranch, GraphEdge,
    GraphForm, GraphNode, InputForm, Introspection, Journal, KeptMessage, LogLine, Missed, NodeAnalytics, NodeDetails, NodeKind,
    NodeRun, NodeState, NodeWait, OpenWait, Overlap, Parent, ParentPolicy, PendingInput, Queue, QueueLimits, QueueSlots, Rate,
    Refusal, Schedule, Severity, Step, StepLog, Subject, Times, Unmet, Update, UpdatedInput, ValueState, Wait, WaitKind,
    WaitOutcome, WorkerDetails, WorkerState,
};
pub use durable_core::observer;
pub use durable_core::observer::{Consent, LogObserver, Observer};
pub use durable_core::payload::{Json, PAYLOAD_LIMIT};
pub use durable_core::telemetry;
pub use durable_core::testing;
pub use durable_core::{join, race, try_join};
pub use durable_macros::{compensation, input, output, question, step, timer, workflow};

pub mod guide;

pub use chrono;
pub use durable_migrate as migrate;
pub use schemars;
pub use sqlx;

#[doc(hidden)]
pub use durable_core::__macro;

/// Everything a file with a workflow needs.
pub mod prelude {
    pub use crate::{
        Answer, Approval, Context, Due, Durable, Error, ErrorKind, ExecutionHandle, ExecutionId, ExecutionState, Given, Latest,
        Received, Result, Settled, Transaction, Workflow as _, compensation, days, hours, input, minutes, output, question,
        seconds, step, timer, workflow,
    };
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
