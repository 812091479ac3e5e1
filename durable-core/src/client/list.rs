//! Lists of executions.

use std::future::IntoFuture;

use chrono::{DateTime, Utc};

use super::Durable;
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ExecutionId, IdPrefix};
use crate::model::{Execution, ExecutionState};
use crate::store::look::{self, ListFilter};

/// Executions returned by one call unless `.limit(…)` says otherwise.
const DEFAULT_LIMIT: u32 = 50;

/// Most executions returned by one call.
const HIGHEST_LIMIT: u32 = 1000;

/// A list of executions, newest first; see [`Durable::list_executions`].
///
/// ```no_run
/// # use durable::prelude::*;
/// # async fn example(durable: &Durable) -> Result<()> {
/// let mut page = durable.list_executions().workflow("process_order").state(ExecutionState::Failed).limit(100).await?;
/// while let Some(cursor) = page.next {
///     page = durable.list_executions().workflow("process_order").state(ExecutionState::Failed).after(cursor).await?;
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "a list does nothing until it is awaited"]
pub struct ExecutionList<'durable> {
    durable: &'durable Durable,
    filter: ListFilter,
    limit: u32,
}

/// One page of a list.
#[derive(Debug, Clone)]
pub struct ExecutionPage {
    /// The executions, newest first.
    pub executions: Vec<Execution>,
    /// Where the next page begins, for `.after(…)`; `None` when this is the last.
    pub next: Option<ExecutionId>,
}

impl<'durable> ExecutionList<'durable> {
    pub(super) fn new(durable: &'durable Durable) -> Self {
        Self { durable, filter: ListFilter::default(), limit: DEFAULT_LIMIT }
    }

    /// Only those in this state; called again, in any of the states.
    pub fn state(mut self, state: ExecutionState) -> Self {
        self.filter.states.get_or_insert_default().push(state.as_str());
        self
    }

    /// Only those of the workflow with this name.
    pub fn workflow(mut self, name: impl Into<String>) -> Self {
        self.filter.workflow = Some(name.into());
        self
    }

    /// Only those in this queue.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.filter.queue = Some(queue.into());
        self
    }

    /// Only those started with this key.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.filter.key = Some(key.into());
        self
    }

    /// Only the children of this execution.
    pub fn parent(mut self, id: ExecutionId) -> Self {
        self.filter.parent = Some(id);
        self
    }

    /// Only those started by a client at this time or later.
    pub fn created_from(mut self, time: DateTime<Utc>) -> Self {
        self.filter.created_from = Some(time);
        self
    }

    /// Only those started by a client before this time.
    pub fn created_before(mut self, time: DateTime<Utc>) -> Self {
        self.filter.created_before = Some(time);
        self
    }

    /// Only those whose id begins so, as in `0198` or `01989f2c-7b`.
    pub fn id_prefix(mut self, prefix: IdPrefix) -> Self {
        self.filter.ids = Some(prefix);
        self
    }

    /// Only those that are paused.
    pub fn paused(mut self) -> Self {
        self.filter.paused = true;
        self
    }

    /// Only those after this cursor, the `next` of the page before.
    pub fn after(mut self, cursor: ExecutionId) -> Self {
        self.filter.after = Some(cursor);
        self
    }

    /// At most this many, 1 to 1000; 50 by default.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }
}

impl<'durable> IntoFuture for ExecutionList<'durable> {
    type Output = Result<ExecutionPage>;
    type IntoFuture = BoxFuture<'durable, Result<ExecutionPage>>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            // One more than asked tells whether there is another page.
            self.filter.limit = checked_limit(self.limit, HIGHEST_LIMIT)? + 1;
            let limit = self.limit as usize;
            let durable = self.durable;
            let mut executions = durable.run("list executions", |pool| look::list(durable.store(), pool, &self.filter)).await?;
            let more = executions.len() > limit;
            executions.truncate(limit);
            let next = if more { executions.last().map(|last| last.id) } else { None };
            Ok(ExecutionPage { executions, next })
        })
    }
}

/// The limit, if it is one that a list may have.
pub(super) fn checked_limit(limit: u32, highest: u32) -> Result<i64> {
    if (1..=highest).contains(&limit) {
        return Ok(i64::from(limit));
    }
    Err(Error::of_kind(ErrorKind::Invalid, format!("a limit of {limit} is not between 1 and {highest}")))
}
