//! Retries and forks: a new execution that continues an ended one, because a terminal state is final.

use std::future::IntoFuture;

use super::Durable;
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::plan::retry_from::{self, Decisions, Entry};
use crate::store::forks;

/// A retry or a fork; await it for the id of the new execution. See [`Durable::retry`] and [`Durable::fork`].
#[derive(Debug)]
#[must_use = "nothing is begun until it is awaited"]
pub struct Fork<'durable> {
    durable: &'durable Durable,
    origin: ExecutionId,
    from_key: Option<String>,
    version: Option<u32>,
}

impl Fork<'_> {
    /// The version of the workflow that the new execution runs; by default that of the ended one. Its code must fit the journal.
    pub fn version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }
}

impl<'durable> IntoFuture for Fork<'durable> {
    type Output = Result<ExecutionId>;
    type IntoFuture = BoxFuture<'durable, Result<ExecutionId>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { durable, origin, from_key, version } = self;
            let unknown = |version| Error::of_kind(ErrorKind::Invalid, format!("no workflow has a version {version}"));
            let version = version.map(|version| i32::try_from(version).map_err(|_| unknown(version))).transpose()?;
            // Chosen here, so that a call whose answer was lost begins nothing twice.
            let new = ExecutionId::new_in(origin.home());
            let store = durable.store();
            // What has ended stays as it is, so the journal may be read before it is copied. Of what has not, nothing is read, and the
            // function refuses it.
            let journal = durable.run("read a journal", |pool| forks::outline(store, pool, origin)).await?;
            let forked = match &from_key {
                Some(key) => {
                    let from = (origin, key.as_str(), retry_from::kept_below(&journal, key));
                    durable.run("fork an execution", |pool| forks::fork(store, pool, from, version, new)).await?
                }
                None => {
                    let repeated = durable.repeated(origin, &journal).await?;
                    let repeated = repeated.as_deref();
                    durable.run("retry an execution", |pool| forks::retry(store, pool, origin, version, new, repeated)).await?
                }
            };
            durable.engine.signals.queued(&forked.queue);
            Ok(forked.id)
        })
    }
}

impl Durable {
    /// The keys of what a retry of this execution repeats; `None` if there is no journal to read them from.
    async fn repeated(&self, origin: ExecutionId, journal: &[Entry]) -> Result<Option<Vec<String>>> {
        if journal.is_empty() {
            return Ok(None);
        }
        let calls = retry_from::calls_of_branches(journal);
        let mut decisions = Decisions::new();
        if !calls.is_empty() {
            decisions = self.run("read decisions", |pool| forks::decisions(self.store(), pool, origin, &calls)).await?;
        }
        Ok(Some(retry_from::repeated(journal, &decisions).into_iter().collect()))
    }

    /// Retries an execution that failed or was cancelled: a new execution, whose id is returned, continues it. Await the returned
    /// builder, after `.version(2)` if other code is to continue.
    ///
    /// Steps that completed and waits that are over are kept and do not run again. What failed is tried again with all its
    /// attempts, unless the workflow had gone on after the failure. Messages that no wait has taken move to the new execution,
    /// and so does the deduplication key; the key and the parent do not.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, failed: ExecutionId) -> Result<()> {
    /// let retry = durable.retry(failed).await?;
    /// println!("{retry} continues {failed}");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Finished` if the execution has completed. `Conflict` if it has not ended, if another execution continues it already, if
    /// what it did was undone, or if another execution with its deduplication key has not ended. `NotFound` for an unknown
    /// execution.
    pub fn retry(&self, id: ExecutionId) -> Fork<'_> {
        Fork { durable: self, origin: id, from_key: None, version: None }
    }

    /// Forks an execution that has ended: a new execution, whose id is returned, runs it again from one of its steps or waits.
    /// What was over when that step or wait began is kept; everything after it runs again. `from_key` is a journal key, as
    /// [`get_execution`](Self::get_execution) shows it. What a completed execution did is never undone by a fork of it.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
    /// // Charge again, but keep the reservation that came before.
    /// let fork = durable.fork(id, "step charge").version(2).await?;
    /// # drop(fork); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for an unknown execution, and for an execution without such a step or wait; the error lists those it has.
    /// `Conflict` if the execution has not ended, if what it did was undone, or if another execution with its deduplication key
    /// has not ended.
    pub fn fork(&self, id: ExecutionId, from_key: impl Into<String>) -> Fork<'_> {
        Fork { durable: self, origin: id, from_key: Some(from_key.into()), version: None }
    }
}
