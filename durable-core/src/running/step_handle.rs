//! What a step's body may know of itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::hold::Owner;
use crate::ids::ExecutionId;
use crate::telemetry::{Recorder, Trace, TraceContext};
use crate::testing::Doubles;

/// The step that the calling code runs in; cheap to clone and to take along into a task or thread.
///
/// ```
/// # use durable::prelude::*;
/// struct Client;
/// impl Client { async fn charge(&self, cents: u64, idempotency_key: String) -> Result<String> { Ok(format!("{cents} {idempotency_key}")) } }
/// async fn charge(client: &Client, cents: u64) -> Result<String> {
///     // The same key at every attempt: the payment provider sees one payment.
///     client.charge(cents, durable::step().idempotency_key().to_string()).await
/// }
/// ```
#[derive(Debug, Clone)]
pub struct StepHandle {
    identity: Option<Arc<Identity>>,
}

#[derive(Debug)]
struct Identity {
    owner: Owner,
    key: String,
    attempt: u32,
    trace: Arc<Trace>,
    /// Whether the execution should end.
    cancelled: watch::Receiver<bool>,
    /// What a test has replaced; `None` in production.
    doubles: Option<Arc<Doubles>>,
    /// Whether the attempt has ended, or was dropped.
    ended: AtomicBool,
    end: Notify,
    /// Gathers what the attempt logs, until it ends.
    log: Mutex<Option<Arc<Recorder>>>,
}

impl StepHandle {
    /// The handle of an attempt at a step of that execution. What the attempt logs goes to `log`.
    pub(crate) fn new(
        owner: Owner,
        key: &str,
        attempt: u32,
        trace: Arc<Trace>,
        cancelled: watch::Receiver<bool>,
        doubles: Option<Arc<Doubles>>,
        log: Option<Recorder>,
    ) -> Self {
        let (ended, end) = (AtomicBool::new(false), Notify::new());
        let (key, log) = (key.to_owned(), Mutex::new(log.map(Arc::new)));
        let identity = Identity { owner, key, attempt, trace, cancelled, doubles, ended, end, log };
        Self { identity: Some(Arc::new(identity)) }
    }

    /// A handle that looks like a first attempt, for use outside an execution.
    pub(super) fn outside() -> Self {
        Self { identity: None }
    }

    /// The execution that called the step, even if a worker of another queue runs it; `None` outside an execution.
    pub fn execution_id(&self) -> Option<ExecutionId> {
        self.identity.as_ref().map(|identity| identity.owner.execution_id)
    }

    /// The number of this attempt: 1 for the first.
    pub fn attempt(&self) -> u32 {
        self.identity.as_ref().map_or(1, |identity| identity.attempt)
    }

    /// A UUID that is the same at every attempt of this step, and of no other step: for services that must see one call, not
    /// several. A retry or fork of the execution has the same keys, so that what the first has done is not done twice. Outside
    /// an execution it is random.
    pub fn idempotency_key(&self) -> Uuid {
        self.identity.as_ref().map_or_else(Uuid::new_v4, |identity| identity.owner.namespace.derive(&identity.key))
    }

    /// The place of the calling code in its trace, to be sent with a request to another service: the innermost span, which is
    /// that of the attempt or one that the step's body has opened. Without
    /// [`Builder::telemetry`](crate::client::Builder::telemetry) it is the place of the execution's starter. `None` without
    /// tracing, and outside an execution.
    ///
    /// ```
    /// # fn request() -> Vec<(&'static str, String)> {
    /// let mut headers = Vec::new();
    /// if let Some(context) = durable::step().trace_context() {
    ///     headers.push(("traceparent", context.traceparent().to_owned()));
    ///     headers.extend(context.tracestate().map(|state| ("tracestate", state.to_owned())));
    /// }
    /// # headers }
    /// ```
    pub fn trace_context(&self) -> Option<TraceContext> {
        self.identity.as_ref()?.trace.current()
    }

    /// Whether the step should end soon: its worker shuts down, its execution was cancelled or taken over, another branch has
    /// made it superfluous, or its attempt is over.
    pub fn is_cancelled(&self) -> bool {
        self.identity.as_ref().is_some_and(|identity| identity.is_cancelled())
    }

    /// Returns when the step should end soon; never outside an execution.
    pub async fn cancelled(&self) {
        let Some(identity) = &self.identity else { return std::future::pending().await };
        let mut cancelled = identity.cancelled.clone();
        let ended = identity.end.notified();
        if identity.is_cancelled() {
            return;
        }
        tokio::select! {
            // An error says that the run was dropped: its execution is no longer this process's.
            _ = cancelled.wait_for(|cancelled| *cancelled) => {}
            () = ended => {}
        }
    }

    /// Keeps an event of the body with the log of the attempt, if that is kept and the attempt is under way.
    pub(crate) fn log(&self, event: &tracing::Event<'_>) {
        // Not under the lock: to write a field out is code of the application, and may log.
        let recorder = self.identity.as_ref().and_then(|identity| identity.log().clone());
        if let Some(recorder) = recorder {
            recorder.record(event);
        }
    }

    /// What a test has replaced.
    pub(super) fn doubles(&self) -> Option<Arc<Doubles>> {
        self.identity.as_ref()?.doubles.clone()
    }

    /// Says that the attempt is over.
    pub(crate) fn end(&self) {
        if let Some(identity) = &self.identity {
            identity.ended.store(true, Ordering::Release);
            identity.end.notify_waiters();
            drop(identity.log().take());
        }
    }
}

impl Identity {
    fn log(&self) -> MutexGuard<'_, Option<Arc<Recorder>>> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow() || self.cancelled.has_changed().is_err() || self.ended.load(Ordering::Acquire)
    }
}
