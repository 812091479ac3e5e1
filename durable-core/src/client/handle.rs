//! A handle to one execution, typed by its workflow.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use super::Durable;
use crate::context::Workflow;
use crate::error::{Error, ErrorKind, Failure, Result};
use crate::ids::ExecutionId;
use crate::model::{Execution, ExecutionState};
use crate::payload;
use crate::store::executions::{self, Finished};

/// A handle to an execution of `W`; cheap to clone.
pub struct ExecutionHandle<W> {
    durable: Durable,
    id: ExecutionId,
    workflow: PhantomData<fn() -> W>,
}

impl<W: Workflow> ExecutionHandle<W> {
    pub(super) fn new(durable: Durable, id: ExecutionId) -> Self {
        Self { durable, id, workflow: PhantomData }
    }

    /// The id of the execution.
    pub fn id(&self) -> ExecutionId {
        self.id
    }

    /// Waits for the end of the execution and returns its output.
    ///
    /// # Errors
    /// The workflow's error if it failed, with its kind: `Failed`, `Panicked`, `TimedOut`, `Cancelled`, `Poisoned` and others.
    /// `Diverged`, with a report, if the execution is stopped because its code does not fit its journal; it has not ended: deploy
    /// code that fits, resume it, and ask again. `NotFound` for an unknown execution.
    pub async fn result(&self) -> Result<W::Output> {
        self.durable.engine.check_runtime("wait for a result")?;
        // Subscribe before looking, or an end in between is missed.
        let result = self.durable.engine.signals.results.wait_for(self.id);
        let finished = match self.look().await? {
            Some(finished) => finished,
            None => result.await.map_err(|_| Error::of_kind(ErrorKind::Unavailable, "the engine has shut down"))?,
        };
        match finished.state {
            ExecutionState::Completed => {
                let output = finished.output.ok_or_else(|| Error::new("a completed execution has no output"))?;
                payload::decode(format_args!("the output of workflow `{}`", W::NAME), output.as_str())
            }
            ExecutionState::Waiting => Err(self.stopped(finished.error)),
            state => {
                Err(finished.error.map_or_else(|| Error::new(format!("execution {} is {state}", self.id)), Error::from_failure))
            }
        }
    }

    fn stopped(&self, failure: Option<Failure>) -> Error {
        let failure = failure.unwrap_or_else(|| Failure::new(ErrorKind::Diverged, "for a reason that is not recorded"));
        let message = format!("execution {} is stopped, and can be resumed: {}", self.id, failure.message);
        Error::from_failure(Failure { message, ..failure })
    }

    /// Like [`result`](Self::result), but waits at most for `timeout`. The execution continues.
    ///
    /// # Errors
    /// As for [`result`](Self::result); `TimedOut` if the execution has not ended by then.
    pub async fn result_within(&self, timeout: Duration) -> Result<W::Output> {
        let late =
            || Error::of_kind(ErrorKind::TimedOut, format!("execution {} has not ended after {timeout:?}; it goes on", self.id));
        tokio::time::timeout(timeout, self.result()).await.map_err(|_| late())?
    }

    /// The execution as it is now, without its journal.
    ///
    /// # Errors
    /// `NotFound` for an unknown execution.
    pub async fn execution(&self) -> Result<Execution> {
        self.durable.execution(self.id).await
    }

    /// Its end, if it has ended; `None` without asking the database when it runs in this process.
    async fn look(&self) -> Result<Option<Finished>> {
        if self.durable.engine.worker.as_ref().is_some_and(|worker| worker.is_running(self.id)) {
            return Ok(None);
        }
        let store = self.durable.store();
        let ids = std::slice::from_ref(&self.id);
        let finished = self.durable.run("look for a result", |pool| executions::finished(store, pool, ids)).await?;
        if finished.is_empty() {
            self.durable.execution(self.id).await?;
        }
        Ok(finished.into_iter().next())
    }
}

impl<W> Clone for ExecutionHandle<W> {
    fn clone(&self) -> Self {
        Self { durable: self.durable.clone(), id: self.id, workflow: PhantomData }
    }
}

impl<W> fmt::Debug for ExecutionHandle<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ExecutionHandle").field(&self.id).finish()
    }
}
