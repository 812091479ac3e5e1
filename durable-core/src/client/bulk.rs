//! Retries, resumes and cancels all executions that pass the filters of a list.

use std::collections::HashMap;
use std::fmt;
use std::future::IntoFuture;
use std::iter;

use super::Durable;
use super::list::ExecutionList;
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::ExecutionState;
use crate::store::forks;

/// Executions that are read at once.
const PAGE: u32 = 200;

/// An execution that passes the filters, and its parent.
type Found = (ExecutionId, Option<ExecutionId>);

/// Most executions that the report names as skipped.
const MOST_NAMED: usize = 100;

/// What is called after each execution.
type OnEach<'durable> = Box<dyn FnMut(&BulkOutcome) + Send + 'durable>;

/// What became of one execution of a [`Bulk`].
#[derive(Debug)]
#[non_exhaustive]
pub struct BulkOutcome {
    /// The execution that passed the filters.
    pub id: ExecutionId,
    /// The execution that is there now: the retry, or the same one. The error says why it was skipped.
    pub result: Result<ExecutionId>,
}

/// What a [`Bulk`] did.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct BulkReport {
    /// How many executions it was done to.
    pub done: u64,
    /// How many were left as they are.
    pub skipped: u64,
    /// The first 100 of those, with the reason.
    pub reasons: Vec<(ExecutionId, Error)>,
}

/// What is done to each execution.
#[derive(Debug, Clone)]
pub(super) enum Verb {
    Retry,
    Resume,
    Cancel(String),
}

/// A retry, a resume or a cancel of all executions that pass the filters of a list; await it for the [`BulkReport`], or ask for the
/// count first. See [`ExecutionList::retry_all`].
#[must_use = "nothing is done until it is awaited"]
pub struct Bulk<'durable> {
    list: ExecutionList<'durable>,
    verb: Verb,
    on_each: Option<OnEach<'durable>>,
}

impl Verb {
    /// The states of a filter that names none.
    fn states(&self) -> &'static [ExecutionState] {
        use ExecutionState::{Failed, Paused, Pending, Running, Stopped, Waiting};
        match self {
            Self::Retry => &[Failed],
            Self::Resume => &[Stopped],
            Self::Cancel(_) => &[Pending, Running, Waiting, Stopped, Paused],
        }
    }

    fn as_str(&self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Resume => "resume",
            Self::Cancel(_) => "cancel",
        }
    }
}

impl<'durable> Bulk<'durable> {
    pub(super) fn new(list: ExecutionList<'durable>, verb: Verb) -> Self {
        Self { list, verb, on_each: None }
    }

    /// Calls this function after each execution.
    pub fn on_each(mut self, call: impl FnMut(&BulkOutcome) + Send + 'durable) -> Self {
        self.on_each = Some(Box::new(call));
        self
    }

    /// How many executions pass the filters now; does nothing to them. Some of them may be skipped.
    ///
    /// # Errors
    /// As for [`ExecutionList::retry_all`].
    pub async fn count(self) -> Result<u64> {
        self.checked()?.count().await
    }

    /// The list, if it says which executions are meant.
    fn checked(&self) -> Result<ExecutionList<'durable>> {
        let (list, verb) = (self.list.clone(), self.verb.as_str());
        if !list.is_filtered() {
            let problem = format!(
                "a {verb} of all executions has no filter; name a workflow, a state, a tag or another, so that it does not {verb} what \
                 you do not mean"
            );
            return Err(Error::of_kind(ErrorKind::Invalid, problem));
        }
        if let Some(call) = list.chose_page() {
            let problem = format!(
                "a {verb} of all executions has a `{call}`, but it is done to every execution that passes the filters; leave out \
                 `{call}`, or {verb} the executions of the page one by one"
            );
            return Err(Error::of_kind(ErrorKind::Invalid, problem));
        }
        Ok(if list.has_states() { list } else { self.verb.states().iter().fold(list, |list, state| list.state(*state)) })
    }

    async fn carry_out(mut self) -> Result<BulkReport> {
        let found = oldest_first(read_all(self.checked()?).await?);
        let (durable, verb) = (self.list.durable(), self.verb.clone());
        let mut report = BulkReport::default();
        for ids in found.chunks(PAGE as usize) {
            let continued = continued(durable, &verb, ids).await?;
            for &id in ids {
                let result = match continued.get(&id) {
                    Some(other) => {
                        Err(Error::of_kind(ErrorKind::Conflict, format!("execution {id} is continued by {other} already")))
                    }
                    None => do_to(durable, &verb, id).await,
                };
                if let Some(error) = result.as_ref().err().filter(|error| error.kind() == ErrorKind::Unavailable) {
                    let problem = format!("{error}; {} are done, so do the same again later", report.done);
                    return Err(Error::of_kind(ErrorKind::Unavailable, problem));
                }
                self.report(&mut report, BulkOutcome { id, result });
            }
        }
        Ok(report)
    }

    fn report(&mut self, report: &mut BulkReport, outcome: BulkOutcome) {
        if let Some(call) = &mut self.on_each {
            call(&outcome);
        }
        match outcome.result {
            Ok(_) => report.done += 1,
            Err(error) => {
                report.skipped += 1;
                if report.reasons.len() < MOST_NAMED {
                    report.reasons.push((outcome.id, error));
                }
            }
        }
    }
}

impl fmt::Debug for Bulk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk").field("list", &self.list).field("verb", &self.verb).finish_non_exhaustive()
    }
}

impl<'durable> IntoFuture for Bulk<'durable> {
    type Output = Result<BulkReport>;
    type IntoFuture = BoxFuture<'durable, Result<BulkReport>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.carry_out())
    }
}

/// Every execution of the list, the newest first. All are read before anything is done, so that what a retry creates is not among them.
async fn read_all(list: ExecutionList<'_>) -> Result<Vec<Found>> {
    let (mut list, mut found) = (list.limit(PAGE), Vec::new());
    loop {
        let page = list.clone().await?;
        found.extend(page.executions.into_iter().map(|execution| (execution.id, execution.parent.map(|parent| parent.id))));
        let Some(next) = page.next else { return Ok(found) };
        list = list.after(next);
    }
}

/// The oldest first, and parents before their children whatever the clocks that made their ids: a parent that is cancelled after its
/// child has seen the child cancelled.
fn oldest_first(mut found: Vec<Found>) -> Vec<ExecutionId> {
    found.reverse();
    let parents: HashMap<ExecutionId, Option<ExecutionId>> = found.iter().copied().collect();
    // The sort is stable.
    found.sort_by_cached_key(|(id, _)| iter::successors(Some(*id), |id| parents.get(id).copied().flatten()).count());
    found.into_iter().map(|(id, _)| id).collect()
}

/// Those that a retry or a fork continues, even one that has failed: that one is to be retried. `durable.retry` decides;
/// this look-up only saves reading the journals of executions that it would refuse.
async fn continued(durable: &Durable, verb: &Verb, ids: &[ExecutionId]) -> Result<HashMap<ExecutionId, ExecutionId>> {
    if !matches!(verb, Verb::Retry) {
        return Ok(HashMap::new());
    }
    durable.run("look for retries", |pool| forks::continued(durable.store(), pool, ids)).await
}

async fn do_to(durable: &Durable, verb: &Verb, id: ExecutionId) -> Result<ExecutionId> {
    match verb {
        Verb::Retry => durable.retry(id).unless_continued().await,
        Verb::Resume => durable.resume(id).await.map(|()| id),
        Verb::Cancel(reason) => durable.cancel(id, reason).await.map(|()| id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_comes_first_but_a_parent_before_its_children_whatever_their_ids() {
        let ids: [ExecutionId; 5] = [5_u128, 4, 3, 2, 1].map(|id| uuid::Uuid::from_u128(id).into());
        let [grandchild, alone, child, parent, of_unknown] = ids;
        let unknown = uuid::Uuid::from_u128(9).into();
        let found =
            vec![(grandchild, Some(child)), (alone, None), (child, Some(parent)), (parent, None), (of_unknown, Some(unknown))];
        assert_eq!(oldest_first(found), [parent, alone, of_unknown, child, grandchild]);
    }
}
