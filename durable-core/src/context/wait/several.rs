//! A wait for all of several events, with a status for each when the time is over.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::waiting::{Waiting, invalid, quoted, read_payload, unfit};
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Due, WaitKind};
use crate::plan::journal_key;
use crate::running::scope::Scope;

/// A wait for all of several events; see [`Context::wait_for_all`](crate::context::Context::wait_for_all).
#[must_use = "a wait does nothing until it is awaited"]
pub struct AllWait<T> {
    scope: Arc<Scope>,
    key: String,
    names: Vec<String>,
    due: Due,
    value: std::marker::PhantomData<fn() -> T>,
}

/// A wait for all of several events with a timeout: then it returns which of them came.
#[must_use = "a wait does nothing until it is awaited"]
pub struct TimedAllWait<T> {
    all: AllWait<T>,
}

/// Whether one of several events came before the timeout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Received<T> {
    /// It came, with this payload.
    InTime(T),
    /// The time was over first.
    TimedOut,
}

impl<T: DeserializeOwned + Send + 'static> AllWait<T> {
    pub(in super::super) fn new(scope: &Arc<Scope>, names: Vec<String>) -> Self {
        let key = scope.next_key("all", "");
        Self { scope: scope.clone(), key, names, due: Due::Never, value: std::marker::PhantomData }
    }

    /// Waits at most this long by the database's clock. The result is a status for each name.
    pub fn timeout(self, timeout: Duration) -> TimedAllWait<T> {
        TimedAllWait { all: Self { due: Due::After(timeout), ..self } }
    }

    async fn statuses(self) -> Result<BTreeMap<String, Received<T>>> {
        self.check()?;
        let _under_way = self.scope.set_out(&self.key);
        let branch = self.scope.branch(&journal_key::below(&self.key));
        let (mut keys, mut waits) = (Vec::with_capacity(self.names.len()), Vec::with_capacity(self.names.len()));
        for name in &self.names {
            let mut waiting = Box::new(Waiting::part_of(&branch, WaitKind::Event, name));
            waiting.due = self.due;
            keys.push(waiting.key.clone());
            waits.push(part(waiting));
        }
        let mut all = std::pin::pin!(all_or_closed(waits));
        let received = std::future::poll_fn(|cx| branch.poll(all.as_mut(), &self.scope.wakers.own(cx.waker()))).await;
        if let Some(error) = self.failure(&received) {
            self.give_back(keys, &received);
            return Err(error);
        }
        let statuses = self.names.into_iter().zip(received.into_iter().flatten());
        let status = |received: Option<T>| received.map_or(Received::TimedOut, Received::InTime);
        statuses.map(|(name, received)| Ok((name, status(received?)))).collect()
    }

    /// Why the call fails, if it does. The waits that it gives up end as cancelled, so a replay may find more of them failed than
    /// the first run: the error must not depend on which.
    fn failure(&self, received: &[Option<Result<Option<T>>>]) -> Option<Error> {
        let errors = || received.iter().flatten().filter_map(|received| received.as_ref().err());
        let names = quoted(&self.names, ", ");
        let closed = errors().any(|error| error.kind() == ErrorKind::Closed).then(|| {
            let problem = format!(
                "not all of the events {names} can come: the workflow has closed one of them with cx.close_events(…); wait for \
                 them before"
            );
            Error::of_kind(ErrorKind::Closed, problem).into_permanent()
        });
        let cancelled = |_| Error::of_kind(ErrorKind::Cancelled, format!("the wait for all of the events {names} was cancelled"));
        closed.or_else(|| errors().next().map(cancelled))
    }

    /// Returns what was received to its place in the mailbox, for later waits.
    fn give_back(&self, keys: Vec<String>, received: &[Option<Result<Option<T>>>]) {
        // Of code that only replays, the branch that won gives back what was not used.
        if !self.scope.goes_no_further() {
            let came = keys.into_iter().zip(received).filter(|(_, received)| matches!(received, Some(Ok(Some(_)))));
            self.scope.run.give_back(&came.map(|(key, _)| key).collect::<Vec<_>>());
        }
    }

    /// Whether it can be waited for; asked first, or the others would be waited for before one is refused.
    fn check(&self) -> Result<()> {
        let distinct: BTreeSet<&String> = self.names.iter().collect();
        if self.names.is_empty() || distinct.len() < self.names.len() {
            return Err(invalid("wait_for_all needs at least one name, and each once".to_owned()));
        }
        self.names.iter().find_map(|name| unfit(WaitKind::Event, name)).map_or(Ok(()), |problem| Err(invalid(problem)))
    }

    async fn payloads(self) -> Result<BTreeMap<String, T>> {
        let statuses = self.statuses().await?;
        let payload = |(name, status)| match status {
            Received::InTime(payload) => Ok((name, payload)),
            Received::TimedOut => Err(Error::new(format!("event `{name}` timed out, though it has no timeout"))),
        };
        statuses.into_iter().map(payload).collect()
    }
}

/// The wait for one of the events.
fn part<T: DeserializeOwned + Send + 'static>(waiting: Box<Waiting<'static>>) -> BoxFuture<'static, Result<Option<T>>> {
    Box::pin(async move {
        let what = waiting.what();
        waiting.received(&what, read_payload::<T>).await
    })
}

/// The outputs of all; of some, once one cannot come because it is closed. Each is polled with the waker of their scope:
/// `join_all` would hand out wakers of its own, and keep ours.
async fn all_or_closed<T>(mut futures: Vec<BoxFuture<'static, Result<T>>>) -> Vec<Option<Result<T>>> {
    let mut outputs: Vec<Option<Result<T>>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(move |cx| {
        for (future, output) in futures.iter_mut().zip(&mut outputs).filter(|(_, output)| output.is_none()) {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                *output = Some(value);
            }
        }
        let is_closed = |output: &Result<T>| output.as_ref().is_err_and(|error| error.kind() == ErrorKind::Closed);
        let is_over = outputs.iter().all(Option::is_some) || outputs.iter().flatten().any(is_closed);
        if is_over { Poll::Ready(std::mem::take(&mut outputs)) } else { Poll::Pending }
    })
    .await
}

impl<T: DeserializeOwned + Send + 'static> IntoFuture for AllWait<T> {
    type Output = Result<BTreeMap<String, T>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.payloads())
    }
}

impl<T: DeserializeOwned + Send + 'static> IntoFuture for TimedAllWait<T> {
    type Output = Result<BTreeMap<String, Received<T>>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.all.statuses())
    }
}

impl<T> fmt::Debug for AllWait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllWait").field("key", &self.key).field("names", &self.names).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for TimedAllWait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TimedAllWait").field(&self.all).finish()
    }
}
