//! Waits: for a time, an event, an answer.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::run::Run;
use super::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Due, NewWait, ResolvedWait, WaitKind, WaitOutcome};
use crate::payload;

/// A wait under a journal key; it ends when its outcome is recorded.
struct Waiting {
    run: Arc<Run>,
    key: String,
    set_out: bool,
    /// What to register; made when it is first needed.
    kind: WaitKind,
    name: String,
    due: Due,
    prompt: Option<String>,
    schema: Option<fn() -> Option<String>>,
}

impl Waiting {
    fn new(run: &Arc<Run>, kind: WaitKind, name: &str) -> Self {
        Self {
            run: run.clone(),
            key: run.next_key(kind.as_str(), name),
            set_out: false,
            kind,
            name: name.to_owned(),
            due: Due::Never,
            prompt: None,
            schema: None,
        }
    }

    fn to_register(&self) -> NewWait {
        NewWait {
            key: self.key.clone(),
            kind: self.kind,
            name: self.name.clone(),
            due: self.due,
            prompt: self.prompt.clone(),
            schema: self.schema.and_then(|schema| schema()),
        }
    }

    /// The value that was received; `None` when the time was over first.
    async fn received<T: DeserializeOwned>(self) -> Result<Option<T>> {
        let what = format!("{} `{}`", self.kind.as_str(), self.name);
        let resolved = self.await;
        match resolved.outcome {
            WaitOutcome::Received => payload::decode(&what, resolved.payload().as_str()).map(Some),
            WaitOutcome::Cancelled => Err(Error::of_kind(ErrorKind::Cancelled, format!("the wait for {what} was cancelled"))),
            WaitOutcome::TimedOut | WaitOutcome::Elapsed => Ok(None),
        }
    }
}

impl Future for Waiting {
    type Output = ResolvedWait;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<ResolvedWait> {
        let this = &mut *self;
        if !this.set_out {
            this.run.set_out(&this.key);
            this.set_out = true;
        }
        match this.run.take_resolved(&this.key) {
            Some(resolved) => {
                this.run.arrive(&this.key);
                Poll::Ready(resolved)
            }
            None => {
                let waker = this.run.own_waker(cx.waker());
                this.run.register_wait(this.to_register(), waker);
                Poll::Pending
            }
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.set_out {
            self.run.arrive(&self.key);
        }
    }
}

/// A sleep; see [`Context::sleep`](super::Context::sleep).
#[must_use = "a sleep does nothing until it is awaited"]
pub struct Sleep {
    waiting: Waiting,
}

impl Sleep {
    pub(super) fn new(run: &Arc<Run>, due: Due) -> Self {
        let mut waiting = Waiting::new(run, WaitKind::Sleep, "");
        waiting.due = due;
        Self { waiting }
    }
}

impl Future for Sleep {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.waiting).poll(cx).map(|resolved| match resolved.outcome {
            WaitOutcome::Cancelled => Err(Error::of_kind(ErrorKind::Cancelled, "the sleep was cancelled")),
            _ => Ok(()),
        })
    }
}

/// A wait for an event; see [`Context::wait_for_event`](super::Context::wait_for_event).
#[must_use = "a wait does nothing until it is awaited"]
pub struct EventWait<T> {
    waiting: Waiting,
    value: PhantomData<fn() -> T>,
}

/// A wait for a person's answer; see [`Context::wait_for_input`](super::Context::wait_for_input).
#[must_use = "a wait does nothing until it is awaited"]
pub struct InputWait<T> {
    waiting: Waiting,
    value: PhantomData<fn() -> T>,
}

/// A wait that ends with `None` when its time is over.
#[must_use = "a wait does nothing until it is awaited"]
pub struct TimedWait<T> {
    waiting: Waiting,
    value: PhantomData<fn() -> T>,
}

/// A wait that ends with a value of its own when its time is over.
#[must_use = "a wait does nothing until it is awaited"]
pub struct WaitOr<T> {
    waiting: Waiting,
    otherwise: T,
}

impl<T: DeserializeOwned + Send + 'static> EventWait<T> {
    pub(super) fn new(run: &Arc<Run>, kind: WaitKind, name: &str) -> Self {
        Self { waiting: Waiting::new(run, kind, name), value: PhantomData }
    }

    /// Waits at most that long by the database's clock; the answer becomes an `Option`.
    pub fn timeout(self, timeout: Duration) -> TimedWait<T> {
        TimedWait::after(self.waiting, timeout)
    }
}

impl<T: DeserializeOwned + JsonSchema + Send + 'static> InputWait<T> {
    pub(super) fn new(run: &Arc<Run>, name: &str) -> Self {
        let mut waiting = Waiting::new(run, WaitKind::Input, name);
        waiting.schema = Some(schema_of::<T>);
        Self { waiting, value: PhantomData }
    }

    /// What to show the person who is asked.
    pub fn prompt(mut self, prompt: impl Into<String>) -> Self {
        self.waiting.prompt = Some(prompt.into());
        self
    }

    /// Waits at most that long by the database's clock; the answer becomes an `Option`.
    pub fn timeout(self, timeout: Duration) -> TimedWait<T> {
        TimedWait::after(self.waiting, timeout)
    }
}

impl<T> TimedWait<T> {
    fn after(mut waiting: Waiting, timeout: Duration) -> Self {
        waiting.due = Due::After(timeout);
        Self { waiting, value: PhantomData }
    }

    /// Goes on with this value when the time is over.
    pub fn or(self, otherwise: T) -> WaitOr<T> {
        WaitOr { waiting: self.waiting, otherwise }
    }
}

/// The JSON Schema of `T`.
fn schema_of<T: JsonSchema>() -> Option<String> {
    serde_json::to_string(&schemars::schema_for!(T)).ok()
}

/// The answer to a wait without an end; there is always one.
async fn answer<T: DeserializeOwned>(waiting: Waiting) -> Result<T> {
    let key = waiting.key.clone();
    waiting.received().await?.ok_or_else(|| Error::new(format!("`{key}` ended without an answer, though it has no timeout")))
}

macro_rules! awaits {
    ($($type:ident => $output:ty, |$wait:ident| $future:expr;)*) => {
        $(impl<T: DeserializeOwned + Send + 'static> IntoFuture for $type<T> {
            type Output = Result<$output>;
            type IntoFuture = BoxFuture<'static, Result<$output>>;

            fn into_future(self) -> Self::IntoFuture {
                let $wait = self;
                Box::pin($future)
            }
        }

        impl<T> fmt::Debug for $type<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($type)).field(&self.waiting.key).finish()
            }
        })*
    };
}

awaits! {
    EventWait => T, |wait| answer(wait.waiting);
    InputWait => T, |wait| answer(wait.waiting);
    TimedWait => Option<T>, |wait| wait.waiting.received();
    WaitOr => T, |wait| async move { Ok(wait.waiting.received().await?.unwrap_or(wait.otherwise)) };
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sleep").field(&self.waiting.key).finish()
    }
}
