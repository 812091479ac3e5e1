//! Retries, resumes and cancels all executions that pass the filters of a list.

use std::collections::HashMap;
use std::fmt;
use std::future::IntoFuture;

use super::Durable;
use super::list::ExecutionList;
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::ExecutionState;
use crate::store::forks;

/// Executions that are read at once. Each is then done by itself.
const PAGE: u32 = 200;

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

/// A retry, a resume or a cancel of all executions that pass the filters of a list; await it for the [`BulkReport`], or ask for
/// the count first. See [`ExecutionList::retry_all`].
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
        let list = self.list.clone();
        if !list.is_filtered() {
            let verb = self.verb.as_str();
            let problem = format!(
                "a {verb} of all executions has no filter; name a workflow, a state, a tag or another, so that it does not {verb} what \
                 you do not mean"
            );
            return Err(Error::of_kind(ErrorKind::Invalid, problem));
        }
        Ok(if list.has_states() { list } else { self.verb.states().iter().fold(list, |list, state| list.state(*state)) })
    }

    async fn carry_out(mut self) -> Result<BulkReport> {
        // The newest first, so that what a retry creates is not met again.
        let mut list = self.checked()?.in_default_order().limit(PAGE);
        let (durable, verb) = (self.list.durable(), self.verb.clone());
        let mut report = BulkReport::default();
        loop {
            let page = list.clone().await?;
            let ids: Vec<ExecutionId> = page.executions.iter().map(|execution| execution.id).collect();
            let continued = continued(durable, &verb, &ids).await?;
            for id in ids {
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
            let Some(next) = page.next else { return Ok(report) };
            list = list.after(next);
        }
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

/// The executions among `ids` that already have a retry or a fork, each with its retry or fork. `retry_all` skips them, also if
/// the retry or fork has failed: that execution is then in the list itself.
async fn continued(durable: &Durable, verb: &Verb, ids: &[ExecutionId]) -> Result<HashMap<ExecutionId, ExecutionId>> {
    if !matches!(verb, Verb::Retry) {
        return Ok(HashMap::new());
    }
    durable.run("look for retries", |pool| forks::continued(durable.store(), pool, ids)).await
}

async fn do_to(durable: &Durable, verb: &Verb, id: ExecutionId) -> Result<ExecutionId> {
    match verb {
        Verb::Retry => durable.retry(id).await,
        Verb::Resume => durable.resume(id).await.map(|()| id),
        Verb::Cancel(reason) => durable.cancel(id, reason).await.map(|()| id),
    }
}
