//! The spans of a process: one for each claim of an execution, one in it for each attempt at a step.
//!
//! This file has every name of a span and of a field. The guide's page lists them, and a test compares the two.

use std::time::Duration;

use tracing::Span;
use tracing::field::Empty;

use crate::error::Failure;
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::Claimed;
use crate::plan::journal_key;

/// What the spans are filtered by, as in `RUST_LOG=durable=info`.
const TARGET: &str = "durable";

/// What the spans of one execution say of it.
#[derive(Debug)]
pub(crate) struct Spans {
    id: ExecutionId,
    workflow: String,
    version: u32,
    queue: String,
}

/// The span of one attempt at a step, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct AttemptSpan {
    span: Span,
    ended: bool,
}

impl Spans {
    pub(crate) fn of(claimed: &Claimed) -> Self {
        let Claimed { id, workflow, version, queue, .. } = claimed;
        Self { id: *id, workflow: workflow.clone(), version: *version, queue: queue.clone() }
    }

    /// The span in which a worker drives the execution, from its claim until it ends, parks or is given back.
    pub(crate) fn claim(&self, worker: WorkerId, epoch: Epoch) -> Span {
        tracing::info_span!(
            target: TARGET,
            parent: None,
            "workflow",
            otel.name = format!("workflow {}", self.workflow),
            otel.kind = "consumer",
            otel.status_code = Empty,
            otel.status_description = Empty,
            durable.workflow = self.workflow,
            durable.version = self.version,
            durable.execution_id = %self.id,
            durable.queue = self.queue,
            durable.worker_id = %worker,
            durable.epoch = epoch.0,
            durable.outcome = Empty,
            "error.type" = Empty,
        )
    }

    /// The span of an attempt at the step called `step`, inside the span that the workflow's code is in.
    pub(crate) fn attempt(&self, step: &str, key: &str, attempt: u32) -> AttemptSpan {
        let span = tracing::info_span!(
            target: TARGET,
            "step",
            otel.name = format!("step {step}"),
            otel.kind = "internal",
            otel.status_code = Empty,
            otel.status_description = Empty,
            durable.workflow = self.workflow,
            durable.version = self.version,
            durable.execution_id = %self.id,
            durable.step = step,
            durable.key = key,
            durable.direction = if key.starts_with(journal_key::UNDO) { "rollback" } else { "forward" },
            durable.attempt = attempt,
            durable.outcome = Empty,
            durable.retry_in = Empty,
            "error.type" = Empty,
        );
        AttemptSpan { span, ended: false }
    }
}

impl AttemptSpan {
    /// Polls the attempt's code. Everything that it logs belongs to the span, even if other branches run in between.
    pub(crate) fn within<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.span.in_scope(poll)
    }

    /// The step has its value.
    pub(crate) fn completed(mut self) {
        self.ended = true;
        self.span.record("durable.outcome", "completed");
    }

    /// The attempt failed, and another follows after a while, if one does.
    pub(crate) fn failed(mut self, failure: &Failure, retry_in: Option<Duration>) {
        self.ended = true;
        self.span.record("durable.outcome", if retry_in.is_some() { "retried" } else { "failed" });
        if let Some(delay) = retry_in {
            self.span.record("durable.retry_in", delay.as_secs_f64());
        }
        blame(&self.span, failure);
    }
}

impl Drop for AttemptSpan {
    fn drop(&mut self) {
        if !self.ended {
            self.span.record("durable.outcome", "cut_off");
        }
    }
}

/// Notes in the span of the claim, in which this is called, how the claim ended.
pub(crate) fn claim_ended(outcome: &'static str, failure: Option<&Failure>) {
    let span = Span::current();
    span.record("durable.outcome", outcome);
    if let Some(failure) = failure {
        blame(&span, failure);
    }
}

fn blame(span: &Span, failure: &Failure) {
    span.record("error.type", failure.kind.as_str());
    span.record("otel.status_code", "ERROR");
    span.record("otel.status_description", failure.message.as_str());
}
