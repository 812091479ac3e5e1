//! `cx.map(items).each(…)`: the same code for each of many items, several at a time, results in the order of the items.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{self, Poll};

use super::join::{BranchResult, ended};
use super::step::BoxFuture;
use super::wait::LONGEST_NAME;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::journal_key;
use crate::running::ambient::{self, Ambient};
use crate::running::branch::{Ended, Fork, is_wanted};

/// How many items run at once unless [`Map::concurrency`] says otherwise: enough to hide the wait for a service, few enough not
/// to overrun it.
pub const DEFAULT_CONCURRENCY: usize = 16;

/// Items that are about to be worked on; see [`Context::map`](super::Context::map).
#[derive(Debug)]
#[must_use = "a map does nothing before `each`"]
pub struct Map<I> {
    items: I,
    name: String,
    concurrency: usize,
}

/// Work on each of many items. Awaited, it gives the values in the order of the items, or the first failure, which ends the others.
#[must_use = "a map does nothing until it is awaited"]
pub struct Each<'a, I: Iterator, R> {
    fork: Fork<'a>,
    items: I,
    begin: Box<dyn FnMut(I::Item) -> BoxFuture<'a, R> + Send + 'a>,
    concurrency: usize,
    /// Why it cannot be done.
    refused: Option<Error>,
    results: Results<R>,
    begun: usize,
    set_out: bool,
    /// The item that failed and ended the others.
    failed: Option<usize>,
    fail_fast: bool,
}

/// As [`Each`], but every item runs to its end, and each result is given.
#[must_use = "a map does nothing until it is awaited"]
pub struct SettledEach<'a, I: Iterator, R> {
    each: Each<'a, I, R>,
}

/// What the items returned so far, by their place.
struct Results<R>(Arc<Mutex<Vec<Option<R>>>>);

impl<I: Iterator> Map<I> {
    pub(super) fn new(items: impl IntoIterator<IntoIter = I>) -> Self {
        Self { items: items.into_iter(), name: String::new(), concurrency: DEFAULT_CONCURRENCY }
    }

    /// A name for the journal, so that its entries read `map enrich/17/step lookup`; and so that two maps that change places
    /// between deployments are told apart.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// At most so many items at once, 1 or more; 16 by default. An execution runs in one process at a time, so that holds over
    /// all processes; also where the items are children that run elsewhere.
    pub fn concurrency(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// What to do with each item: call a step, or run an `async` block of several calls. Each item has journal entries of its own:
    /// after a crash those that were done are not done again, and one that fails retries alone.
    pub fn each<'a, F, Fut>(self, mut work: F) -> Each<'a, I, Fut::Output>
    where
        F: FnMut(I::Item) -> Fut + Send + 'a,
        Fut: IntoFuture<Output: BranchResult, IntoFuture: Send + 'a>,
    {
        Each {
            refused: self.refusal(),
            fork: Fork::new(journal_key::MAP, &self.name),
            items: self.items,
            begin: Box::new(move |item| Box::pin(work(item).into_future())),
            concurrency: self.concurrency,
            results: Results(Arc::default()),
            begun: 0,
            set_out: false,
            failed: None,
            fail_fast: true,
        }
    }
}

impl<I> Map<I> {
    fn refusal(&self) -> Option<Error> {
        let problem = if self.concurrency == 0 {
            "a map with concurrency(0) would never end: give 1 or more".to_owned()
        } else if self.name.len() > LONGEST_NAME {
            format!("the name of a map has {} bytes, over the limit of {LONGEST_NAME}", self.name.len())
        } else {
            return None;
        };
        Some(Error::of_kind(ErrorKind::Invalid, problem).into_permanent())
    }
}

impl<'a, I: Iterator, R> Each<'a, I, R> {
    /// Runs every item to its end, and gives the `Result` of each.
    pub fn settled(self) -> SettledEach<'a, I, R> {
        SettledEach { each: Self { fail_fast: false, ..self } }
    }
}

impl<'a, I: Iterator, R: BranchResult + 'a> Each<'a, I, R> {
    fn poll_all(&mut self, cx: &task::Context<'_>) -> Poll<Result<()>> {
        if let Some(refused) = self.refused.take() {
            return Poll::Ready(Err(refused));
        }
        if !self.set_out {
            self.set_out();
        }
        loop {
            while self.failed.is_none() && self.fork.running() < self.concurrency {
                let Some(item) = self.items.next() else { break };
                self.begin(item);
            }
            if self.fork.running() == 0 {
                break;
            }
            let (index, ended) = std::task::ready!(self.fork.poll_next(cx));
            if self.fail_fast && self.failed.is_none() && ended == Ended::Failed {
                self.failed = Some(index);
                self.fork.decide(index);
            }
        }
        self.fork.finish();
        Poll::Ready(Ok(()))
    }

    fn set_out(&mut self) {
        self.set_out = true;
        self.fork.set_out();
        let Some(failed) = self.fork.recorded_decision() else { return };
        self.failed = Some(failed);
        self.results.lock().resize_with(failed, || None);
        self.begun = failed;
        if let Some(item) = self.items.nth(failed) {
            self.begin(item);
        }
    }

    fn begin(&mut self, item: I::Item) {
        let index = self.begun;
        self.begun += 1;
        self.results.lock().push(None);
        let scope = self.fork.scope_of(index);
        let work = match &scope {
            // Durable calls that are made before the first `await` of the work belong to its branch, too.
            Some(scope) => ambient::enter(Ambient::Flow(scope.clone()), || (self.begin)(item)),
            None => (self.begin)(item),
        };
        let results = Results(self.results.0.clone());
        let future = Box::pin(async move {
            let result = work.await;
            let ended = ended(&result);
            if let Some(place) = results.lock().get_mut(index).filter(|_| is_wanted()) {
                *place = Some(result);
            }
            ended
        });
        self.fork.start(index, scope, future);
    }
}

impl<'a, I: Iterator + Unpin, R: BranchResult + 'a> Future for Each<'a, I, R> {
    type Output = Result<Vec<R::Value>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        std::task::ready!(self.poll_all(cx))?;
        let mut results = std::mem::take(&mut *self.results.lock());
        if let Some(failed) = self.failed {
            results.drain(..failed);
            results.truncate(1);
        }
        Poll::Ready(results.into_iter().flatten().map(BranchResult::into_result).collect())
    }
}

impl<'a, I: Iterator + Unpin, R: BranchResult + 'a> Future for SettledEach<'a, I, R> {
    type Output = Result<Vec<R>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        std::task::ready!(self.each.poll_all(cx))?;
        let results = std::mem::take(&mut *self.each.results.lock());
        Poll::Ready(Ok(results.into_iter().flatten().collect()))
    }
}

impl<R> Results<R> {
    fn lock(&self) -> MutexGuard<'_, Vec<Option<R>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<I: Iterator, R> fmt::Debug for Each<'_, I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Each").field("fork", &self.fork).field("begun", &self.begun).finish_non_exhaustive()
    }
}

impl<I: Iterator, R> fmt::Debug for SettledEach<'_, I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SettledEach").field(&self.each).finish()
    }
}
