//! Lists executions and counts them.

use std::future::IntoFuture;

use chrono::{DateTime, Utc};

use super::Durable;
use super::bulk::{Bulk, Verb};
use super::cursor::{Cursor, Position, SortBy, SortOrder};
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{ExecutionId, IdPrefix};
use crate::model::{Analytics, Execution, ExecutionState};
use crate::store::analytics;
use crate::store::look::{self, Archived, ListFilter, ListOrder};

/// Executions returned by one call unless `.limit(…)` says otherwise.
const DEFAULT_LIMIT: u32 = 50;

/// Most executions returned by one call.
const HIGHEST_LIMIT: u32 = 1000;

/// Most tags of a filter: as many as `executions/list` and `executions/count` join.
const MOST_TAGS_IN_FILTER: usize = 4;

/// A list of executions, newest first; await it for a page. See [`Durable::list_executions`].
///
/// ```no_run
/// # use durable::prelude::*;
/// # async fn example(durable: &Durable) -> Result<()> {
/// let failed = durable.list_executions().workflow("process_order").state(ExecutionState::Failed);
/// println!("{} orders have failed", failed.clone().count().await?);
/// let mut page = failed.clone().limit(100).await?;
/// while let Some(cursor) = page.next {
///     page = failed.clone().after(cursor).await?;
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a list does nothing until it is awaited"]
pub struct ExecutionList<'durable> {
    durable: &'durable Durable,
    filter: ListFilter,
    limit: Option<u32>,
    order: Option<(SortBy, SortOrder)>,
    after: Option<Cursor>,
}

/// One page of a list of executions.
#[derive(Debug, Clone)]
pub struct ExecutionPage {
    /// The executions, newest first unless the list is ordered otherwise.
    pub executions: Vec<Execution>,
    /// Where the next page begins, for `.after(…)`; `None` when this is the last.
    pub next: Option<Cursor>,
}

impl<'durable> ExecutionList<'durable> {
    pub(super) fn new(durable: &'durable Durable) -> Self {
        Self { durable, filter: ListFilter::default(), limit: None, order: None, after: None }
    }

    /// Only executions that are shown in this state; after several calls, in any of the states. Each execution is shown in one
    /// state: a paused execution is listed as `Paused` and not as `Pending`.
    pub fn state(mut self, state: ExecutionState) -> Self {
        self.filter.states.get_or_insert_default().push(state.as_str());
        self
    }

    /// Only executions of the workflow with this name.
    pub fn workflow(mut self, name: impl Into<String>) -> Self {
        self.filter.workflow = Some(name.into());
        self
    }

    /// Only executions of this version; give the workflow, too, with [`workflow`](Self::workflow).
    pub fn version(mut self, version: u32) -> Self {
        // Beyond what an execution can have, as 0 is.
        self.filter.version = Some(i32::try_from(version).unwrap_or(0));
        self
    }

    /// Only executions in this queue.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.filter.queue = Some(queue.into());
        self
    }

    /// Only executions that were started with this key.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.filter.key = Some(key.into());
        self
    }

    /// Only the children of this execution.
    pub fn parent(mut self, id: ExecutionId) -> Self {
        self.filter.parent = Some(id);
        self
    }

    /// Only executions with this tag. After several calls, only executions with all of the tags; a list takes at most four.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable) -> Result<()> {
    /// let failed = durable.list_executions().tag("tenant", "acme").state(ExecutionState::Failed).await?;
    /// # drop(failed); Ok(()) }
    /// ```
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.filter.tags.push((name.into(), value.into()));
        self
    }

    /// Only executions that a client started at this time or later.
    pub fn created_from(mut self, time: DateTime<Utc>) -> Self {
        self.filter.created_from = Some(time);
        self
    }

    /// Only executions that a client started before this time.
    pub fn created_before(mut self, time: DateTime<Utc>) -> Self {
        self.filter.created_before = Some(time);
        self
    }

    /// Only executions whose id begins with this prefix, such as `0198` or `01989f2c-7b`.
    pub fn id_prefix(mut self, prefix: IdPrefix) -> Self {
        self.filter.ids = Some(prefix);
        self
    }

    /// Also archived executions, which lists leave out otherwise; see [`Durable::archive`].
    pub fn include_archived(mut self) -> Self {
        self.filter.archived = Archived::Included;
        self
    }

    /// Only archived executions.
    pub fn only_archived(mut self) -> Self {
        self.filter.archived = Archived::Only;
        self
    }

    /// Orders the list; executions of equal rank are listed newest first, and executions without such a time come last. An index
    /// serves only the default order, newest first: any other order reads every execution that passes the filters.
    pub fn order_by(mut self, sort: SortBy, order: SortOrder) -> Self {
        self.order = Some((sort, order));
        self
    }

    /// Only executions after this cursor, the `next` of the previous page, in a list of the same order. In the default order the
    /// id of an execution is a cursor, too.
    pub fn after(mut self, cursor: impl Into<Cursor>) -> Self {
        self.after = Some(cursor.into());
        self
    }

    /// Only executions in these states, unless states were given before.
    pub(super) fn or_states(mut self, states: &[ExecutionState]) -> Self {
        self.filter.states.get_or_insert_with(|| states.iter().map(|state| state.as_str()).collect());
        self
    }

    /// The client that lists.
    pub(super) fn durable(&self) -> &'durable Durable {
        self.durable
    }

    /// At most this many executions on a page, 1 to 1000; 50 by default.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }
}

impl<'durable> ExecutionList<'durable> {
    /// Retries each execution that passes the filters, as [`Durable::retry`] does. If no filter names a state, it retries failed
    /// executions. Await it for a report, or ask [`count`](Bulk::count) first.
    ///
    /// Each execution is retried by itself. An execution that cannot be retried is skipped, and so is one that already has a
    /// retry or a fork. So an interrupted run can be repeated, and two runs at the same time do no harm.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable) -> Result<()> {
    /// let failed = durable.list_executions().workflow("process_order").tag("tenant", "acme");
    /// let report = failed.retry_all().await?;
    /// println!("{} are retried, {} are not", report.done, report.skipped);
    /// for (id, why) in report.reasons {
    ///     println!("{id}: {why}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid` for a list without any filter, and for a list with a limit, an order or a cursor. `Unavailable` if the database does
    /// not answer in time; some executions may have been retried by then.
    pub fn retry_all(self) -> Bulk<'durable> {
        Bulk::new(self, Verb::Retry)
    }

    /// Resumes each execution that passes the filters, as [`Durable::resume`] does. Without a filter by state, it resumes the stopped
    /// executions.
    ///
    /// # Errors
    /// As for [`retry_all`](Self::retry_all).
    pub fn resume_all(self) -> Bulk<'durable> {
        Bulk::new(self, Verb::Resume)
    }

    /// Cancels each execution that passes the filters, as [`Durable::cancel`] does. Without a filter by state, it cancels the
    /// executions that have not ended and are not being rolled back. A parent is cancelled before its children, so that it does not see them cancelled.
    ///
    /// # Errors
    /// As for [`retry_all`](Self::retry_all).
    pub fn cancel_all(self, reason: impl Into<String>) -> Bulk<'durable> {
        Bulk::new(self, Verb::Cancel(reason.into()))
    }

    pub(super) fn is_filtered(&self) -> bool {
        self.filter.is_any()
    }

    pub(super) fn has_states(&self) -> bool {
        self.filter.states.is_some()
    }

    /// The call, if any, that chose a page of the list: which of the executions, and in which order.
    pub(super) fn chose_page(&self) -> Option<&'static str> {
        let limit = self.limit.map(|_| ".limit(…)");
        limit.or(self.order.map(|_| ".order_by(…)")).or(self.after.map(|_| ".after(…)"))
    }
}

impl ExecutionList<'_> {
    /// The number of executions that pass the filters, on all pages together.
    ///
    /// # Errors
    /// `Unavailable` if the database does not answer in time.
    pub async fn count(self) -> Result<u64> {
        Ok(self.count_by_state().await?.iter().map(|(_, executions)| executions).sum())
    }

    /// The number of executions that pass the filters, or `most` if there are more. It reads no further than that, so the number of
    /// a large list is known soon.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable) -> Result<()> {
    /// let failed = durable.list_executions().state(ExecutionState::Failed).count_at_most(10_001).await?;
    /// println!("{}", if failed > 10_000 { "more than 10 000".to_owned() } else { failed.to_string() });
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`count`](Self::count).
    pub async fn count_at_most(self, most: u32) -> Result<u64> {
        self.check_tags()?;
        let (durable, filter) = (self.durable, &self.filter);
        durable.read("count executions", |pool| look::count_at_most(durable.store(), pool, filter, most.into())).await
    }

    /// The number of executions in each state that pass the filters, in the order of [`ExecutionState::ALL`]; states without
    /// executions are left out.
    ///
    /// # Errors
    /// As for [`count`](Self::count).
    pub async fn count_by_state(self) -> Result<Vec<(ExecutionState, u64)>> {
        let durable = self.durable;
        self.check_tags()?;
        let mut counts = durable.read("count executions", |pool| look::count(durable.store(), pool, &self.filter)).await?;
        counts.sort_by_key(|(state, _)| ExecutionState::ALL.iter().position(|known| known == state));
        Ok(counts)
    }

    /// Figures about the executions that pass the filters, for each workflow: how many there are in each state, and for each
    /// step, wait and compensation how many executions reached it, when, how long its calls took, how often they were retried and
    /// failed, and where executions ended. It reads the journal of every execution that passes the filters. A process reads two
    /// such sets of figures at the same time; further calls wait until one of the two ends.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, monday: durable::chrono::DateTime<durable::chrono::Utc>) -> Result<()> {
    /// for figures in durable.list_executions().workflow("process_order").created_from(monday).analytics().await? {
    ///     for node in &figures.nodes {
    ///         println!("{}: reached by {:.0} %, {} retries", node.node, 100.0 * node.share, node.retries);
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`count`](Self::count).
    pub async fn analytics(self) -> Result<Vec<Analytics>> {
        self.check_tags()?;
        let durable = self.durable;
        durable.read("read analytics", |pool| analytics::analytics(durable.store(), pool, &self.filter)).await
    }

    fn check_tags(&self) -> Result<()> {
        let tags = self.filter.tags.len();
        if tags > MOST_TAGS_IN_FILTER {
            let problem =
                format!("a list is filtered by {tags} tags, over the limit of {MOST_TAGS_IN_FILTER}; give the rarest of them");
            return Err(Error::of_kind(ErrorKind::Invalid, problem));
        }
        Ok(())
    }

    /// The order of the list, and the end of the page before.
    fn placed(&self) -> Result<ListOrder> {
        let after = self.after.map(|after| (after.place, after.id));
        if after.is_some_and(|(place, _)| place.map(|place| (place.sort, place.order)) != self.order) {
            let problem = "the cursor is of a list in another order; give the `next` of a page in the same one";
            return Err(Error::of_kind(ErrorKind::Invalid, problem));
        }
        Ok(ListOrder {
            by: self.order.map(|(sort, _)| sort.as_str()),
            descending: self.order.is_some_and(|(_, order)| order == SortOrder::Descending),
            after: after.map(|(place, id)| (place.map_or(0.0, |place| place.value), id)),
        })
    }

    /// The cursor after this execution.
    fn cursor(&self, last: &Execution, value: f64) -> Cursor {
        Cursor { id: last.id, place: self.order.map(|(sort, order)| Position { sort, order, value }) }
    }
}

impl<'durable> IntoFuture for ExecutionList<'durable> {
    type Output = Result<ExecutionPage>;
    type IntoFuture = BoxFuture<'durable, Result<ExecutionPage>>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move {
            // One execution more than asked, which tells whether there is another page.
            self.check_tags()?;
            let limit = self.limit.unwrap_or(DEFAULT_LIMIT);
            self.filter.limit = checked_limit(limit, HIGHEST_LIMIT)? + 1;
            self.filter.order = self.placed()?;
            let (durable, store) = (self.durable, self.durable.store());
            let mut found = durable.read("list executions", |pool| look::list(store, pool, &self.filter)).await?;
            let more = found.len() > limit as usize;
            found.truncate(limit as usize);
            let next = found.last().filter(|_| more).map(|(last, place)| self.cursor(last, *place));
            Ok(ExecutionPage { executions: found.into_iter().map(|(execution, _)| execution).collect(), next })
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
