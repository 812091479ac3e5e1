//! Telemetry: what a process reports about its work. The guide's page on telemetry lists everything.

mod metrics;
#[cfg(feature = "opentelemetry")]
mod opentelemetry;
mod propagation;
mod spans;
mod step_logs;
mod trace;
mod trace_context;

pub(crate) use metrics::{
    AttemptEnd, Metrics, SlotGauges, WorkflowMetrics, cancelled, database_gauge, delivering, describe, lease_lost, recovered,
    roundtrip, schedule_fired, step_logs_dropped, task_restarted, task_started, unreadable_row,
};
pub(crate) use spans::{AttemptSpan, Spans, claim_ended};
pub(crate) use step_logs::{AttemptLog, Levels, Recorder, StepLogs, note_layer};
pub(crate) use trace::{Trace, Tracing};

#[cfg(feature = "opentelemetry")]
pub use self::opentelemetry::OpenTelemetry;
pub use propagation::Propagation;
pub use trace_context::TraceContext;
