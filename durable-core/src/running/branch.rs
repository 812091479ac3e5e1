//! Branches: code of one execution that runs at the same time, each in a scope of its own.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, Waker};

use super::BoxFuture;
use super::ambient::{self, Ambient};
use super::run::Busy;
use super::scope::Scope;
use super::under_way::UnderWay;
use crate::model::{Checkpoint, Decision, Outcome};
use crate::payload;
use crate::plan::journal_key;

/// Code that runs beside other code of the same execution.
pub(crate) struct Branch<'a, T> {
    /// `None` outside an execution, where nothing is journalled.
    scope: Option<Arc<Scope>>,
    future: BoxFuture<'a, T>,
    /// Held while the branch goes on by itself, so that its execution is not parked.
    busy: Option<Busy>,
}

impl<'a, T> Branch<'a, T> {
    pub(crate) fn new(scope: Option<Arc<Scope>>, future: BoxFuture<'a, T>) -> Self {
        Self { scope, future, busy: None }
    }

    /// Polls it if anything in it was woken; `outer` is the waker of the call it is part of.
    pub(crate) fn poll(&mut self, outer: &Waker) -> Poll<T> {
        let Some(scope) = &self.scope else { return self.future.as_mut().poll(&mut task::Context::from_waker(outer)) };
        let polled = scope.poll(self.future.as_mut(), outer);
        self.busy =
            (polled.is_pending() && scope.wakers.goes_on()).then(|| self.busy.take().unwrap_or_else(|| scope.run.begin_work()));
        polled
    }

    /// Replays the branch as far as it came under an earlier claim, so that the run knows which messages the branch used.
    fn catch_up(&mut self) {
        if let Some(scope) = self.scope.as_ref().filter(|scope| scope.run.is_recorded_below(scope.path())) {
            scope.only_replay();
            // Whether it ends or waits, it has lost.
            let _ = scope.poll(self.future.as_mut(), Waker::noop());
        }
    }

    /// Drops it because it is no longer wanted: what it was doing is recorded as cut off.
    pub(crate) fn abandon(self) {
        if let Some(scope) = &self.scope {
            scope.abandon();
        }
    }
}

impl Scope {
    /// Polls a future whose durable calls belong to this scope, if anything in it was woken.
    pub(crate) fn poll<F: Future + ?Sized>(self: &Arc<Self>, future: Pin<&mut F>, outer: &Waker) -> Poll<F::Output> {
        if !self.wakers.begin_poll(outer) {
            return Poll::Pending;
        }
        let mut inner = task::Context::from_waker(self.wakers.counted());
        ambient::enter(Ambient::Flow(self.clone()), || future.poll(&mut inner))
    }
}

/// How a branch ended, as far as the others care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With a value.
    Well,
    /// With an error.
    Failed,
}

/// Whether the result of the branch that is being polled is still used. A branch that has lost may return while it is replayed.
pub(crate) fn is_wanted() -> bool {
    ambient::scope().is_none_or(|scope| !scope.only_replays())
}

/// One durable call that consists of branches: a join, a race, a map.
pub(crate) struct Fork<'a> {
    place: Option<Place>,
    /// The branches under way, with their numbers; a place is empty where one has ended.
    running: Vec<Option<(usize, Branch<'a, Ended>)>>,
    free: Vec<usize>,
    /// Where the next look begins, so that every branch gets its turn.
    next: usize,
    under_way: Option<UnderWay>,
}

#[derive(Debug, Clone)]
struct Place {
    scope: Arc<Scope>,
    key: String,
}

impl Place {
    /// The paths of all branches, and of one within.
    fn paths(&self, branch: usize) -> (String, String) {
        (journal_key::below(&self.key), journal_key::below(&branch.to_string()))
    }
}

impl<'a> Fork<'a> {
    /// Takes its key from the scope that the calling code runs in, if that is an execution's.
    pub(crate) fn new(kind: &str, name: &str) -> Self {
        let place = ambient::scope().map(|scope| Place { key: scope.next_key(kind, name), scope });
        Self { place, running: Vec::new(), free: Vec::new(), next: 0, under_way: None }
    }

    /// The scope of one branch.
    pub(crate) fn scope_of(&self, index: usize) -> Option<Arc<Scope>> {
        self.place.as_ref().map(|place| place.scope.branch(&journal_key::of_branch(&place.key, index)))
    }

    /// Lets a branch run beside those that do.
    pub(crate) fn start(&mut self, index: usize, scope: Option<Arc<Scope>>, future: BoxFuture<'a, Ended>) {
        let branch = Some((index, Branch::new(scope, future)));
        match self.free.pop() {
            Some(place) => self.running[place] = branch,
            None => self.running.push(branch),
        }
    }

    /// How many branches are under way.
    pub(crate) fn running(&self) -> usize {
        self.running.len() - self.free.len()
    }

    /// Begins the call at its first poll.
    pub(crate) fn set_out(&mut self) {
        if let (Some(place), None) = (&self.place, &self.under_way) {
            self.under_way = Some(place.scope.set_out(&place.key));
        }
    }

    /// The first branch that ends, of those that were woken.
    pub(crate) fn poll_next(&mut self, cx: &task::Context<'_>) -> Poll<(usize, Ended)> {
        let waker = match &self.place {
            Some(place) => place.scope.wakers.own(cx.waker()),
            None => cx.waker().clone(),
        };
        let places = self.running.len();
        for turn in 0..places {
            let place = (self.next + turn) % places;
            let Some((index, branch)) = &mut self.running[place] else { continue };
            if let Poll::Ready(ended) = branch.poll(&waker) {
                let index = *index;
                self.running[place] = None;
                self.free.push(place);
                self.next = place + 1;
                return Poll::Ready((index, ended));
            }
        }
        Poll::Pending
    }

    /// The branch that decided under an earlier claim: only this branch runs again.
    pub(crate) fn recorded_decision(&self) -> Option<usize> {
        let Place { scope, key } = self.place.as_ref()?;
        let recorded = scope.run.take_recorded(key)?;
        let Outcome::Output(output) = recorded.outcome else { return None };
        let decision: Decision = payload::decode(format_args!("the recorded outcome of `{key}`"), output.as_str()).ok()?;
        let (path, kept) = self.place.as_ref()?.paths(decision.branch);
        scope.run.pass_over(&path, &kept, &decision.unfinished);
        Some(decision.branch)
    }

    /// Records that this branch decided, which is not waited for any more, and drops the others.
    pub(crate) fn decide(&mut self, branch: usize) {
        let losers = self.running.iter_mut().flatten();
        losers.for_each(|(_, loser)| loser.catch_up());
        let unfinished = self.record_decision(branch);
        for (_, loser) in self.running.drain(..).flatten() {
            loser.abandon();
        }
        self.free.clear();
        if let Some(place) = &self.place {
            let (path, kept) = place.paths(branch);
            place.scope.run.pass_over(&path, &kept, &unfinished);
            place.scope.run.give_back(&unfinished);
        }
    }

    /// Before anything is cut off: a replay that finds a step cut off must know that its branch has lost.
    fn record_decision(&self, branch: usize) -> Vec<String> {
        let Some(place) = &self.place else { return Vec::new() };
        let (path, kept) = place.paths(branch);
        let run = &place.scope.run;
        let decision = Decision { branch, unfinished: run.unfinished_below(&path, &kept) };
        if let Ok(output) = payload::encode(&place.key, &decision) {
            run.leave_checkpoint(Checkpoint::of(place.key.clone(), Outcome::Output(output)));
        }
        decision.unfinished
    }

    /// Ends the call.
    pub(crate) fn finish(&mut self) {
        self.running.clear();
        self.free.clear();
        self.under_way = None;
    }
}

impl fmt::Debug for Fork<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fork").field("place", &self.place).field("running", &self.running()).finish_non_exhaustive()
    }
}
