//! Goes on from where an execution failed, or from any step of it: in a new execution, as a terminal state is final.

use std::future::IntoFuture;

use super::Durable;
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::store::forks;

/// A retry or a fork; await it. See [`Durable::retry`] and [`Durable::fork`].
#[derive(Debug)]
#[must_use = "nothing is begun until it is awaited"]
pub struct Fork<'durable> {
    durable: &'durable Durable,
    origin: ExecutionId,
    from_key: Option<String>,
    version: Option<u32>,
}

impl Fork<'_> {
    /// The version of the workflow that goes on; that of the other execution by default. It must fit the journal.
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
            let new = ExecutionId::new();
            let store = durable.store();
            let forked = match &from_key {
                Some(key) => {
                    durable.run("fork an execution", |pool| forks::fork(store, pool, (origin, key), version, new)).await?
                }
                None => durable.run("retry an execution", |pool| forks::retry(store, pool, origin, version, new)).await?,
            };
            durable.engine.signals.queued(&forked.queue);
            Ok(forked.id)
        })
    }
}

impl Durable {
    /// Goes on from where an execution failed or was cancelled, in a new execution, whose id is returned: a terminal state is
    /// final. Steps that completed and waits that were over are kept, and do not run again; what failed is tried anew, with all
    /// its attempts, unless the workflow had gone on from the failure. Messages that nobody had taken come along, and so does the
    /// deduplication key; the key and the parent do not. Await the returned builder, after `.version(2)` where other code is to go on.
    ///
    /// # Errors
    /// `Finished` when it has completed, `Conflict` when it has not ended, when it goes on in another execution already, when
    /// what it did was undone, or when another execution with its deduplication key has not ended; `NotFound` for an unknown execution.
    pub fn retry(&self, id: ExecutionId) -> Fork<'_> {
        Fork { durable: self, origin: id, from_key: None, version: None }
    }

    /// Runs an execution that has ended again from one of its steps or waits, in a new execution, whose id is returned. What was
    /// over when that step or wait began is kept; everything else runs again. `from_key` is a journal key, as
    /// [`get_execution`](Self::get_execution) shows it. What a completed execution did is never undone by one forked from it.
    ///
    /// # Errors
    /// `NotFound` for an unknown execution, or one that has no such step or wait, with those it has; `Conflict` when it has not
    /// ended, what it did was undone, or another execution with its deduplication key has not ended.
    pub fn fork(&self, id: ExecutionId, from_key: impl Into<String>) -> Fork<'_> {
        Fork { durable: self, origin: id, from_key: Some(from_key.into()), version: None }
    }
}
