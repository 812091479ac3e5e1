//! The trace of one execution: every claim of it, on any worker, is a part of it.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::Span;
use tracing::level_filters::LevelFilter;

use super::{Propagation, Recorder, StepLogs, TraceContext};
use crate::ids::{Epoch, ExecutionId};
use crate::model::Claimed;

/// How the process takes part in traces; in none by default.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tracing {
    propagation: Option<Arc<dyn Propagation>>,
    step_logs: Option<StepLogs>,
}

/// The trace of one execution, as this process knows it.
#[derive(Debug)]
pub(crate) struct Trace {
    tracing: Tracing,
    id: ExecutionId,
    /// The execution that it continues, or itself.
    namespace: ExecutionId,
    /// The trace context of its starter, or of the starter of the execution that it continues.
    starter: Option<TraceContext>,
    /// The claim before the current one, if this process had it.
    last_claim: Mutex<Option<TraceContext>>,
    /// From which level on its steps are logged.
    log_level: LevelFilter,
}

impl Tracing {
    pub(crate) fn through(propagation: impl Propagation) -> Self {
        Self { propagation: Some(Arc::new(propagation)), step_logs: None }
    }

    /// The same, and the logs of steps are gathered.
    pub(crate) fn with_step_logs(self, step_logs: StepLogs) -> Self {
        Self { step_logs: Some(step_logs), ..self }
    }

    /// The trace context of the calling code.
    pub(crate) fn current(&self) -> Option<TraceContext> {
        self.propagation.as_ref()?.context_of(&Span::current())
    }

    /// The trace of an execution that was claimed.
    pub(crate) fn of(&self, claimed: &Claimed) -> Trace {
        Trace {
            tracing: self.clone(),
            id: claimed.id,
            namespace: claimed.namespace,
            // A context of another client that is not valid here counts as none.
            starter: claimed.trace_context.as_deref().and_then(|text| text.parse().ok()),
            last_claim: Mutex::default(),
            log_level: self.step_logs.as_ref().map_or(LevelFilter::OFF, |logs| logs.level_of(&claimed.workflow)),
        }
    }
}

impl Trace {
    /// Puts the span of a claim into the trace. One that goes on from another execution has a trace of its own, with a link to
    /// that one's.
    pub(crate) fn join(&self, claim: &Span) {
        let Some(propagation) = self.tracing.propagation.as_ref().filter(|_| !claim.is_disabled()) else { return };
        let origin = self.starter.clone().unwrap_or_else(|| TraceContext::of_execution(self.namespace));
        if self.id == self.namespace {
            propagation.set_parent(claim, &origin);
        } else {
            propagation.set_parent(claim, &TraceContext::of_execution(self.id));
            // No trace belongs to the namespace of an execution that has continued as new.
            if self.starter.is_some() || !self.namespace.is_derived() {
                propagation.add_link(claim, &origin);
            }
        }
        let mut last_claim = self.last_claim.lock().unwrap_or_else(PoisonError::into_inner);
        last_claim.iter().for_each(|last| propagation.add_link(claim, last));
        *last_claim = propagation.context_of(claim);
    }

    /// Gathers what an attempt logs, if that is kept. `claim` says which execution calls the step, and under which claim.
    pub(crate) fn recorder(&self, claim: impl FnOnce() -> (ExecutionId, Epoch), key: &str, attempt: u32) -> Option<Recorder> {
        let logs = self.tracing.step_logs.as_ref().filter(|_| self.log_level != LevelFilter::OFF)?;
        Some(logs.recorder(self.log_level, claim(), key, attempt))
    }

    /// The trace context of the calling code; without tracing, that of the execution's starter.
    pub(crate) fn current(&self) -> Option<TraceContext> {
        self.tracing.current().or_else(|| self.starter.clone())
    }
}
