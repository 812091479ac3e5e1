//! The body of a step in one attempt: polled in its span, timed, and with its panics caught.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::Call;
use super::attempts::Attempts;
use crate::clock::Watch;
use crate::context::transaction::Transaction;
use crate::error::{ErrorKind, Failure};
use crate::panics;
use crate::running::BoxFuture;
use crate::running::ambient::{self, Ambient};
use crate::running::branch::Branch;
use crate::running::step_handle::StepHandle;

/// An attempt that runs longer than this is recorded as under way, so that people see it and a crash is counted against it.
const RECORDED_AS_RUNNING_AFTER: Duration = Duration::from_secs(1);

/// Makes each attempt's future.
pub(in crate::context) enum Calls<'step, R> {
    Once(Option<Box<dyn FnOnce() -> BoxFuture<'step, R> + Send + 'step>>),
    Each(Box<dyn FnMut() -> BoxFuture<'step, R> + Send + 'step>),
    /// As `Each`, for bodies that may make durable calls of their own.
    Flow(Box<dyn FnMut() -> BoxFuture<'step, R> + Send + 'step>),
    InTransaction(TransactionCalls<'step, R>),
}

/// Makes each attempt's future, which gives the transaction back; `None` when there is no other attempt.
pub(in crate::context) type TransactionCalls<'step, R> =
    Box<dyn FnMut(Transaction) -> Option<BoxFuture<'step, (Transaction, R)>> + Send + 'step>;

/// How an attempt ended.
pub(super) enum Ended<R> {
    Returned(R),
    /// It panicked or timed out.
    Broke(Box<Failure>),
}

impl<R> Ended<R> {
    pub(super) fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Returned(_) => None,
            Self::Broke(failure) => Some(failure),
        }
    }
}

impl Attempts<'_> {
    /// Runs the body once; `None` when there is no other attempt. A body in a transaction gives it back, unless it broke.
    pub(super) async fn run_body<'step, R>(
        &self,
        calls: &mut Calls<'step, R>,
        began: Instant,
    ) -> Option<(Ended<R>, Option<Transaction>)> {
        let body = match calls {
            Calls::Once(call) => self.make(call.take()?),
            Calls::Each(call) => self.make(call),
            Calls::Flow(call) => match panics::catch(call) {
                Ok(body) => return Some((self.run_flow(body).await, None)),
                Err(panicked) => Err(panicked),
            },
            Calls::InTransaction(calls) => return self.run_in_transaction(calls, began).await,
        };
        Some(match body {
            Ok((handle, body)) => (self.run_step(handle, body, began).await, None),
            Err(panicked) => (Ended::Broke(panicked), None),
        })
    }

    async fn run_in_transaction<'step, R>(
        &self,
        calls: &mut TransactionCalls<'step, R>,
        began: Instant,
    ) -> Option<(Ended<R>, Option<Transaction>)> {
        // Boxed: it is large, and every step's future would have room for it.
        let transaction = match Box::pin(self.call.run.begin_transaction()).await {
            Ok(open) => Transaction::new(open),
            Err(error) => return Some((Ended::Broke(Box::new(error.failure().clone())), None)),
        };
        let (handle, body) = match self.make(|| calls(transaction)) {
            Ok((handle, body)) => (handle, body?),
            Err(panicked) => return Some((Ended::Broke(panicked), None)),
        };
        Some(match self.run_step(handle, body, began).await {
            Ended::Returned((transaction, returned)) => (Ended::Returned(returned), Some(transaction)),
            Ended::Broke(failure) => (Ended::Broke(failure), None),
        })
    }

    /// Makes the future of a body, inside its step: the arguments are cloned, which may panic, and in a test a closure may
    /// replace the body.
    fn make<B>(&self, call: impl FnOnce() -> B) -> Result<(StepHandle, B), Box<Failure>> {
        let handle = self.handle();
        let made = ambient::enter(Ambient::Step(handle.clone()), || panics::catch(call));
        made.map(|body| (handle, body))
    }

    /// Runs the body of a step, to its end or its timeout.
    async fn run_step<R>(&self, handle: StepHandle, body: BoxFuture<'_, R>, began: Instant) -> Ended<R> {
        let (call, watch) = (self.call, self.call.watch());
        let mut body = InStep { handle, body, attempts: self };
        // Most bodies finish soon: only one that does not gets timers.
        if let Poll::Ready(ended) = futures_util::poll!(&mut body) {
            return call.in_time(watch, ended);
        }
        let long = async {
            tokio::time::sleep(RECORDED_AS_RUNNING_AFTER).await;
            drop(call.run.record_attempt_soon(call.attempt_record(self.number, began.elapsed(), None, None)));
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            biased;
            ended = &mut body => call.in_time(watch, ended),
            failure = call.timed_out() => Ended::Broke(failure),
            never = long => match never {},
        }
    }

    /// Runs a body that may make durable calls: they are journalled below the key of the attempt.
    async fn run_flow<R>(&self, body: BoxFuture<'_, R>) -> Ended<R> {
        let (call, watch) = (self.call, self.call.watch());
        let scope = call.scope.attempt(&call.path(self.number), self.handle());
        let mut branch = Branch::new(Some(scope), body);
        let body = std::future::poll_fn(|cx| match self.within(|| panics::catch(|| branch.poll(cx.waker()))) {
            Ok(polled) => polled.map(Ended::Returned),
            Err(failure) => Poll::Ready(Ended::Broke(failure)),
        });
        tokio::select! {
            biased;
            ended = body => call.in_time(watch, ended),
            failure = call.timed_out() => Ended::Broke(failure),
        }
    }

    fn handle(&self) -> StepHandle {
        let (run, key) = (&self.call.run, &self.call.key);
        let log = run.trace.recorder(|| (run.owner.execution_id, run.hold().epoch), key, self.number);
        StepHandle::new(run.owner, key, self.number, run.trace.clone(), run.cancellation(), run.doubles.clone(), log)
    }
}

impl Call {
    /// Returns when the attempt that begins now has taken too long.
    async fn timed_out(&self) -> Box<Failure> {
        let Some(timeout) = self.spec.timeout else { return std::future::pending().await };
        self.run.clock().passed(timeout).await;
        self.late()
    }

    /// Times the attempt that begins now, if the step has a timeout.
    fn watch(&self) -> Option<(Watch, Duration)> {
        self.spec.timeout.map(|timeout| (self.run.clock().watch(), timeout))
    }

    /// How an attempt ended. An attempt that blocked its thread for longer than its timeout counts as timed out.
    fn in_time<R>(&self, watch: Option<(Watch, Duration)>, ended: Ended<R>) -> Ended<R> {
        match watch {
            Some((watch, timeout)) if self.run.clock().elapsed(watch) > timeout => Ended::Broke(self.late()),
            _ => ended,
        }
    }

    fn late(&self) -> Box<Failure> {
        let timeout = self.spec.timeout.unwrap_or_default();
        let message = format!("step `{}` took longer than its timeout of {timeout:?}", self.spec.name);
        Box::new(Failure::new(ErrorKind::TimedOut, message))
    }
}

/// A step's body while it is polled. It knows its step, its logs belong to the step's span, and its panics are caught.
struct InStep<'step, R> {
    handle: StepHandle,
    body: BoxFuture<'step, R>,
    attempts: &'step Attempts<'step>,
}

impl<R> Drop for InStep<'_, R> {
    fn drop(&mut self) {
        // Tasks and threads that the body has started learn that the workflow no longer waits for the step.
        self.handle.end();
    }
}

impl<R> Future for InStep<'_, R> {
    type Output = Ended<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Ended<R>> {
        let this = &mut *self;
        let poll = || panics::catch(|| this.body.as_mut().poll(cx));
        let polled = ambient::enter(Ambient::Step(this.handle.clone()), || this.attempts.within(poll));
        match polled {
            Ok(polled) => polled.map(Ended::Returned),
            Err(failure) => Poll::Ready(Ended::Broke(failure)),
        }
    }
}
