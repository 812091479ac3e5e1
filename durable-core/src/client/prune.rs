//! Deletes executions that ended long ago, in batches.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use uuid::Uuid;

use super::Durable;
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::ExecutionState;
use crate::store::prune::{self, Old};
use crate::store::{self, clock};

/// Executions deleted by one statement unless `.batch(…)` says otherwise: it holds its locks for some milliseconds.
const BATCH: u32 = 1000;

/// Most executions deleted by one statement.
const LARGEST_BATCH: u32 = 10_000;

/// The number of rows that were deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// Executions, each with its journal.
    pub executions: u64,
    /// Keys of publications; under such a key something can be published again.
    pub publications: u64,
}

/// A deletion of old executions; await it, or ask for the count. See [`Durable::prune`].
#[must_use = "nothing is deleted until it is awaited"]
pub struct Prune<'durable> {
    durable: &'durable Durable,
    age: Duration,
    workflow: Option<String>,
    states: Vec<ExecutionState>,
    batch: u32,
    on_batch: Option<Box<dyn FnMut(Pruned) + Send + 'durable>>,
}

impl<'durable> Prune<'durable> {
    /// Only executions of the workflow with this name.
    pub fn workflow(mut self, name: impl Into<String>) -> Self {
        self.workflow = Some(name.into());
        self
    }

    /// Only executions that ended in this state, as lists show it; after several calls, in any of the states.
    pub fn state(mut self, state: ExecutionState) -> Self {
        self.states.push(state);
        self
    }

    /// At most this many executions in one statement, 1 to 10 000; 1000 by default.
    pub fn batch(mut self, executions: u32) -> Self {
        self.batch = executions;
        self
    }

    /// Calls this function after each batch, with the numbers so far.
    pub fn on_batch(mut self, call: impl FnMut(Pruned) + Send + 'durable) -> Self {
        self.on_batch = Some(Box::new(call));
        self
    }

    /// The number of executions that would be deleted now; deletes nothing.
    ///
    /// # Errors
    /// As for [`Durable::prune`].
    pub async fn count(self) -> Result<u64> {
        let old = self.check()?;
        let newest = self.durable.newest_prunable(&old).await?;
        self.durable.run("count what could be pruned", |pool| prune::count(self.durable.store(), pool, &old, newest)).await
    }

    /// What may go, once it is found to make sense.
    fn check(&self) -> Result<Old> {
        let invalid = |problem: String| Err(Error::of_kind(ErrorKind::Invalid, problem));
        if let Some(state) = self.states.iter().find(|state| !state.is_finished()) {
            let ends: Vec<&str> =
                ExecutionState::ALL.into_iter().filter(|end| end.is_finished()).map(ExecutionState::as_str).collect();
            return invalid(format!(
                "executions that are {state} cannot be pruned, as they have not ended; choose from {}",
                ends.join(", ")
            ));
        }
        if !(1..=LARGEST_BATCH).contains(&self.batch) {
            return invalid(format!("a batch of {} is not between 1 and {LARGEST_BATCH}", self.batch));
        }
        let states = self.states.iter().map(|state| state.as_str()).collect::<Vec<_>>();
        let states = if states.is_empty() { None } else { Some(states) };
        Ok(Old { age: self.age, workflow: self.workflow.clone(), states })
    }

    async fn carry_out(mut self) -> Result<Pruned> {
        let old = self.check()?;
        let durable = self.durable;
        let store = durable.store();
        let newest = durable.newest_prunable(&old).await?;
        let limit = i64::from(self.batch);
        let mut pruned = Pruned::default();
        let mut after = Uuid::nil();
        loop {
            let batch =
                durable.run("prune executions", |pool| prune::executions(store, pool, &old, (after, newest), limit)).await?;
            let Some(last) = batch.last else { break };
            after = last.as_uuid();
            pruned.executions += batch.executions;
            self.report(pruned);
        }
        // A key of a publication belongs to no workflow and no state.
        if old.workflow.is_some() || old.states.is_some() {
            return Ok(pruned);
        }
        loop {
            let batch = durable.run("prune publications", |pool| prune::publications(store, pool, old.age, limit)).await?;
            if batch == 0 {
                return Ok(pruned);
            }
            pruned.publications += batch;
            self.report(pruned);
        }
    }

    fn report(&mut self, pruned: Pruned) {
        if let Some(call) = &mut self.on_batch {
            call(pruned);
        }
    }
}

impl fmt::Debug for Prune<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { age, workflow, states, batch, .. } = self;
        let mut shown = f.debug_struct("Prune");
        shown.field("age", age).field("workflow", workflow).field("states", states).field("batch", batch).finish_non_exhaustive()
    }
}

impl<'durable> IntoFuture for Prune<'durable> {
    type Output = Result<Pruned>;
    type IntoFuture = BoxFuture<'durable, Result<Pruned>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.carry_out())
    }
}

impl Durable {
    /// Deletes executions that ended longer ago than `age`, by the database's clock, with their journals. It deletes in batches,
    /// so that it delays no other work. Await the returned builder, after filters such as `.workflow("process_order")`.
    ///
    /// A child is deleted once every execution above it is gone or has ended that long ago, because until then a rollback may
    /// have to undo the child. A parent is deleted once all its children have ended. An execution also stays while an execution
    /// above it, or a retry or fork of one, may still undo it, and until its schedule has counted it; the guide's page on keeping
    /// house has the rules.
    ///
    /// With an execution its key is forgotten: a start with that key creates a new execution. Without filters, keys of
    /// publications of that age are deleted, too. [`Builder::retention`](super::Builder::retention) and `#[workflow(retention =
    /// "30d")]` let workers delete regularly.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable) -> Result<()> {
    /// let pruned = durable.prune(days(30)).state(ExecutionState::Completed).await?;
    /// println!("{} executions were deleted", pruned.executions);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for a state in which executions have not ended, and for a batch that is not between 1 and 10 000. After
    /// `Unavailable` some batches may have been deleted: prune again.
    pub fn prune(&self, age: Duration) -> Prune<'_> {
        Prune { durable: self, age, workflow: None, states: Vec::new(), batch: BATCH, on_batch: None }
    }

    async fn newest_prunable(&self, old: &Old) -> Result<ExecutionId> {
        let store = self.store();
        let now = store::run("read the database's clock", self.engine.patience, || clock::read(store, &store.pool)).await?;
        Ok(prune::newest_id(now.database, old.age))
    }
}
