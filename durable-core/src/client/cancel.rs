//! Cancels executions, rolls them back, with the children that end with them, and cancels single waits.

use std::future::IntoFuture;

use super::Durable;
use crate::context::step::BoxFuture;
use crate::error::Result;
use crate::ids::ExecutionId;
use crate::store::families::{self, Done, EndedEarly, LARGEST_FAMILY};
use crate::store::waits;

/// Most orphans cancelled by one statement.
const ORPHANS: i64 = 500;

/// A cancel; await it. See [`Durable::cancel`].
#[derive(Debug)]
#[must_use = "a cancel does nothing until it is awaited"]
pub struct Cancel<'durable> {
    durable: &'durable Durable,
    id: ExecutionId,
    reason: String,
    done: Done,
}

impl Cancel<'_> {
    /// Undoes the completed steps before the execution ends: their compensations run, the latest step's first. Until then the
    /// state of the execution is `compensating`.
    pub fn compensate(mut self) -> Self {
        self.done = Done::Undone;
        self
    }
}

impl<'durable> IntoFuture for Cancel<'durable> {
    type Output = Result<()>;
    type IntoFuture = BoxFuture<'durable, Result<()>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { durable, id, reason, done } = self;
            let store = durable.store();
            let ended_early = durable.run("cancel an execution", |pool| families::cancel(store, pool, id, &reason, done)).await?;
            durable.ended_early(ended_early).await
        })
    }
}

impl Durable {
    /// Cancels an execution: it ends at once, whatever it is doing, and so do the children that it waits for or has started,
    /// unless they are detached. Cancelling twice is not an error. Await the returned builder, after `.compensate()` if completed
    /// steps are to be undone.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
    /// durable.cancel(id, "the customer changed their mind").compensate().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Finished` if the execution has ended already or is being rolled back, `NotFound` for an unknown execution.
    pub fn cancel(&self, id: ExecutionId, reason: impl Into<String>) -> Cancel<'_> {
        Cancel { durable: self, id, reason: reason.into(), done: Done::Kept }
    }

    /// Rolls an execution back, at whatever step it is: its workflow stops, and the compensations of its completed steps run, the
    /// latest step's first. Its children are rolled back, too, unless they are detached. The execution ends as `compensated`,
    /// or as `compensation_failed` if a step could not be undone. Asking twice is not an error.
    ///
    /// # Errors
    /// `Finished` if the execution has ended already, `NotFound` for an unknown execution.
    pub async fn rollback(&self, id: ExecutionId, reason: &str) -> Result<()> {
        let store = self.store();
        let ended_early = self.run("roll an execution back", |pool| families::roll_back(store, pool, id, reason)).await?;
        self.ended_early(ended_early).await
    }

    /// Cancels one open wait of an execution: the wait fails with an error of the kind `Cancelled`, and the workflow continues
    /// with it. `wait` is the journal key of the wait, as [`get_execution`](Self::get_execution) shows it, or the name of its
    /// event, input or topic if only one wait has that name. Cancelling a wait twice is not an error.
    ///
    /// # Errors
    /// `NotFound` if the execution has no such wait; the error lists its waits. `Conflict` if several waits have the name, or if
    /// the wait ended in another way. `Finished` if the execution has ended.
    pub async fn cancel_wait(&self, id: ExecutionId, wait: &str) -> Result<()> {
        let cancelled = self.run("cancel a wait", |pool| waits::cancel(self.store(), pool, id, wait)).await?;
        self.store().watched.note([id]);
        self.engine.signals.affected(&cancelled.effect);
        if !cancelled.children.is_empty() {
            self.forget(&cancelled.children);
            self.engine.signals.cancelled(cancelled.children.clone());
            self.engine.families.tell_observers(&cancelled.children).await;
        }
        Ok(())
    }

    /// Announces executions that were cancelled or are to be rolled back. If there may be more children, cancels those, too.
    async fn ended_early(&self, ended_early: Vec<EndedEarly>) -> Result<()> {
        self.pass_on(&ended_early).await;
        if ended_early.len() < LARGEST_FAMILY {
            return Ok(());
        }
        // More children than one call ends are orphans now.
        loop {
            let orphans = self.run("cancel children", |pool| families::cancel_orphans(self.store(), pool, ORPHANS)).await?;
            if orphans.is_empty() {
                return Ok(());
            }
            self.pass_on(&orphans).await;
        }
    }

    async fn pass_on(&self, ended_early: &[EndedEarly]) {
        let ids: Vec<ExecutionId> = ended_early.iter().map(|execution| execution.id).collect();
        self.forget(&ids);
        self.engine.families.announce(ended_early).await;
        for child in ended_early.iter().filter(|execution| execution.awaited) {
            self.engine.families.notify_parent(child.id).await;
        }
    }

    /// Drops these executions from this process's cache of parked executions.
    fn forget(&self, ids: &[ExecutionId]) {
        if let Some(worker) = &self.engine.worker {
            ids.iter().for_each(|id| worker.forget(*id));
        }
    }
}
