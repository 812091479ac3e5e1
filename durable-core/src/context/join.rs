//! `join!`, `try_join!` and `race!`: a fixed number of branches at once.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll};

use super::step::BoxFuture;
use crate::error::{Error, Result};
use crate::running::branch::{Ended, Fork, is_wanted};

/// Branches that run at once. Awaited, it gives the values of all, or the first error in the order written.
#[must_use = "a join does nothing until it is awaited"]
pub struct Join<'a, S> {
    branches: Started<'a>,
    slots: S,
    /// Whether the first failure ends the others.
    fail_fast: bool,
}

/// A join that gives the result of each branch, even if others failed.
#[must_use = "a join does nothing until it is awaited"]
pub struct SettledJoin<'a, S> {
    branches: Started<'a>,
    slots: S,
}

/// Branches whose first end decides; the others are dropped.
#[must_use = "a race does nothing until it is awaited"]
pub struct Race<'a, T> {
    branches: Started<'a>,
    winner: Slot<T>,
}

/// A fork whose branches start at the first poll.
struct Started<'a> {
    fork: Fork<'a>,
    waiting: Vec<BoxFuture<'a, Ended>>,
    set_out: bool,
    decided: bool,
}

/// The place of a branch's result.
pub struct Slot<T> {
    value: Arc<Mutex<Option<T>>>,
}

/// What a branch returns: a `Result` whose error becomes a [`durable::Error`](Error).
#[diagnostic::on_unimplemented(
    message = "a branch must return `Result<T, E>`, not `{Self}`",
    label = "is no `Result`",
    note = "call a step or a wait, or end an `async` block with `Ok(…)`"
)]
pub trait BranchResult: Send {
    /// The value of a branch that ended well.
    type Value;

    /// As a plain `Result`.
    fn into_result(self) -> Result<Self::Value>;

    /// Whether it is an error.
    fn has_failed(&self) -> bool;
}

impl<T: Send, E: Into<Error> + Send> BranchResult for Result<T, E> {
    type Value = T;

    fn into_result(self) -> Result<T> {
        self.map_err(Into::into)
    }

    fn has_failed(&self) -> bool {
        self.is_err()
    }
}

/// The branches of a join as they were written: a tuple of up to twelve futures.
pub trait Branches<'a> {
    /// The places of their results.
    type Slots: Slots;

    /// Their futures, each leaving its result in a slot.
    fn start(self) -> (Vec<BoxFuture<'a, Ended>>, Self::Slots);
}

/// The results of branches, in the order written.
pub trait Slots: Send + Unpin {
    /// The `Result` of each.
    type Settled;
    /// The value of each.
    type Joined;

    /// The results; `None` unless every branch has ended.
    fn settled(&self) -> Option<Self::Settled>;

    /// The values, or the first error in the order written.
    fn joined(&self) -> Result<Self::Joined>;
}

/// `durable::join!`: every branch runs to its end.
pub fn join<'a, B: Branches<'a>>(branches: B) -> Join<'a, B::Slots> {
    let (waiting, slots) = branches.start();
    Join { branches: Started::new("join", waiting), slots, fail_fast: false }
}

/// `durable::try_join!`: the first failure ends the others.
pub fn try_join<'a, B: Branches<'a>>(branches: B) -> Join<'a, B::Slots> {
    let (waiting, slots) = branches.start();
    Join { branches: Started::new("try_join", waiting), slots, fail_fast: true }
}

/// `durable::race!`: the first to end ends the others.
pub fn race<'a, T: Send + 'a>(branch: impl Future<Output = T> + Send + 'a) -> Race<'a, T> {
    Race { branches: Started::new("race", Vec::new()), winner: Slot::new() }.or(branch)
}

impl<'a, T: Send + 'a> Race<'a, T> {
    /// One more branch.
    #[doc(hidden)]
    pub fn or(mut self, branch: impl Future<Output = T> + Send + 'a) -> Self {
        self.branches.waiting.push(self.winner.filled_by(branch, |_| Ended::Well));
        self
    }
}

impl<'a, S: Slots> Join<'a, S> {
    /// Gives the `Result` of each branch instead of the values of all.
    pub fn settled(self) -> SettledJoin<'a, S> {
        SettledJoin { branches: self.branches, slots: self.slots }
    }
}

impl<'a> Started<'a> {
    fn new(kind: &str, waiting: Vec<BoxFuture<'a, Ended>>) -> Self {
        Self { fork: Fork::new(kind, ""), waiting, set_out: false, decided: false }
    }

    /// Polls the branches until all have ended, or until `decides` is true for one that has ended.
    fn poll(&mut self, cx: &task::Context<'_>, decides: impl Fn(Ended) -> bool) -> Poll<()> {
        if !self.set_out {
            self.set_out();
        }
        while self.fork.running() > 0 {
            let (index, ended) = std::task::ready!(self.fork.poll_next(cx));
            if !self.decided && decides(ended) {
                self.fork.decide(index);
            }
        }
        self.fork.finish();
        Poll::Ready(())
    }

    fn set_out(&mut self) {
        self.set_out = true;
        self.fork.set_out();
        let decided = self.fork.recorded_decision();
        self.decided = decided.is_some();
        for (index, branch) in self.waiting.drain(..).enumerate() {
            if decided.is_none_or(|decided| decided == index) {
                let scope = self.fork.scope_of(index);
                self.fork.start(index, scope, branch);
            }
        }
    }
}

impl<S: Slots> Future for Join<'_, S> {
    type Output = Result<S::Joined>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        std::task::ready!(this.branches.poll(cx, |ended| this.fail_fast && ended == Ended::Failed));
        Poll::Ready(this.slots.joined())
    }
}

impl<S: Slots> Future for SettledJoin<'_, S> {
    type Output = S::Settled;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        std::task::ready!(self.branches.poll(cx, |_| false));
        // Every branch has left its result, so there is nothing pending.
        self.slots.settled().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T: Send> Future for Race<'_, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<T> {
        std::task::ready!(self.branches.poll(cx, |_| true));
        // The winner has left its result; a race has at least one branch.
        self.winner.take().map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T: Send> Slot<T> {
    fn new() -> Self {
        Self { value: Arc::new(Mutex::new(None)) }
    }

    fn take(&self) -> Option<T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The branch as a future that leaves its result here.
    fn filled_by<'a, F>(&self, branch: F, ended: impl Fn(&T) -> Ended + Send + 'a) -> BoxFuture<'a, Ended>
    where
        F: Future<Output = T> + Send + 'a,
        T: 'a,
    {
        let slot = self.value.clone();
        Box::pin(async move {
            let value = branch.await;
            let ended = ended(&value);
            if is_wanted() {
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            }
            ended
        })
    }
}

impl<R: BranchResult> Slot<R> {
    /// The error, if the branch has failed.
    fn error(&self) -> Option<Error> {
        let mut value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        value.take_if(|value| value.has_failed())?.into_result().err()
    }

    /// The value of a branch that ended well.
    fn value(&self) -> Result<R::Value> {
        self.take().ok_or_else(|| Error::new("a branch ended without a result"))?.into_result()
    }
}

pub(super) fn ended<R: BranchResult>(result: &R) -> Ended {
    if result.has_failed() { Ended::Failed } else { Ended::Well }
}

macro_rules! tuples {
    ($($branch:ident $place:tt),+) => {
        impl<'a, $($branch),+> Branches<'a> for ($($branch,)+)
        where
            $($branch: Future<Output: BranchResult + 'a> + Send + 'a,)+
        {
            type Slots = ($(Slot<$branch::Output>,)+);

            fn start(self) -> (Vec<BoxFuture<'a, Ended>>, Self::Slots) {
                let slots: Self::Slots = ($(Slot::<$branch::Output>::new(),)+);
                let futures = vec![$(slots.$place.filled_by(self.$place, ended)),+];
                (futures, slots)
            }
        }

        impl<$($branch: BranchResult),+> Slots for ($(Slot<$branch>,)+) {
            type Settled = ($($branch,)+);
            type Joined = ($($branch::Value,)+);

            fn settled(&self) -> Option<Self::Settled> {
                Some(($(self.$place.take()?,)+))
            }

            fn joined(&self) -> Result<Self::Joined> {
                $(
                    if let Some(error) = self.$place.error() {
                        return Err(error);
                    }
                )+
                Ok(($(self.$place.value()?,)+))
            }
        }
    };
}

tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
tuples!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);

impl<S> fmt::Debug for Join<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("fork", &self.branches.fork).finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for SettledJoin<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SettledJoin").field("fork", &self.branches.fork).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Race<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Race").field("fork", &self.branches.fork).finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}
