//! What every wait has in common: how its value comes, and what takes its place if a timeout passes first.

use std::time::Duration;

use super::child_call::{ChildCall, Place};
use super::waiting::{Read, Waiting};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Due, RecordedWait};

/// What is waited for.
pub(in crate::context) struct Awaited<'a, T> {
    pub(in crate::context) waiting: Box<Waiting<'a>>,
    source: Source<T>,
}

/// Where the value comes from.
enum Source<T> {
    /// An event, a publication, or an answer.
    Message(Read<T>),
    /// A child, which is started.
    Child(Box<ChildCall>, ReadEnd<T>),
}

/// How the output of a child is read from the recorded end of the child.
type ReadEnd<T> = fn(&Place, &RecordedWait) -> Result<T>;

/// A wait with a timeout: an event, a publication, an answer, or a child. If the timeout passes first, the value is `None`.
#[must_use = "a wait does nothing until it is awaited"]
pub struct TimedWait<'a, T> {
    pub(in crate::context) awaited: Awaited<'a, T>,
    timeout: Duration,
}

/// A wait with a timeout. If the timeout passes first, the value is a default.
#[must_use = "a wait does nothing until it is awaited"]
pub struct WaitOr<'a, T> {
    pub(in crate::context) awaited: Awaited<'a, T>,
    otherwise: T,
}

/// A wait with a timeout. If the timeout passes first, the wait fails.
#[must_use = "a wait does nothing until it is awaited"]
pub struct WaitOrFail<'a, T> {
    pub(in crate::context) awaited: Awaited<'a, T>,
    timeout: Duration,
}

impl<'a, T> Awaited<'a, T> {
    pub(super) fn message(waiting: Box<Waiting<'a>>, read: Read<T>) -> Self {
        Self { waiting, source: Source::Message(read) }
    }

    pub(in crate::context) fn child(waiting: Box<Waiting<'a>>, call: Box<ChildCall>, read: ReadEnd<T>) -> Self {
        Self { waiting, source: Source::Child(call, read) }
    }

    /// The value; `None` if the timeout passed first.
    async fn ended(self) -> Result<Option<T>> {
        let what = self.waiting.what();
        self.ended_as(&what).await
    }

    async fn ended_as(self, what: &str) -> Result<Option<T>> {
        let Self { waiting, source } = self;
        match source {
            Source::Message(read) => waiting.received(what, read).await,
            // Boxed: it is large, and every wait's future would have room for it.
            Source::Child(call, read) => Box::pin(call.output(waiting, read)).await,
        }
    }

    /// The value of a wait without a timeout; there is always one.
    pub(in crate::context) async fn value(self) -> Result<T> {
        let what = self.waiting.what();
        let late = || Error::of_kind(ErrorKind::TimedOut, format!("{what} did not come by the deadline that it was given"));
        self.ended_as(&what).await?.ok_or_else(late)
    }

    async fn value_within(self, timeout: Duration) -> Result<T> {
        let (what, is_child) = match &self.source {
            Source::Message(_) => (self.waiting.what(), false),
            Source::Child(..) => (format!("`{}`", self.waiting.key), true),
        };
        let late = || match is_child {
            false => format!("{what} did not come within {timeout:?}"),
            true => format!("{what} did not end within {timeout:?} and was cancelled"),
        };
        self.ended_as(&what).await?.ok_or_else(|| Error::of_kind(ErrorKind::TimedOut, late()))
    }
}

impl<'a, T> TimedWait<'a, T> {
    pub(in crate::context) fn after(mut awaited: Awaited<'a, T>, timeout: Duration) -> Self {
        awaited.waiting.due = Due::After(timeout);
        Self { awaited, timeout }
    }

    /// Continues with this value if the timeout passes first.
    pub fn or(self, otherwise: T) -> WaitOr<'a, T> {
        WaitOr { awaited: self.awaited, otherwise }
    }

    /// Fails with an error of the kind [`TimedOut`](ErrorKind::TimedOut) if the timeout passes first.
    pub fn or_fail(self) -> WaitOrFail<'a, T> {
        WaitOrFail { awaited: self.awaited, timeout: self.timeout }
    }
}

/// Makes a wait a future when it is awaited.
macro_rules! awaits {
    ([$($generics:tt)*] $type:ty: $life:lifetime => $output:ty, |$wait:ident| $future:expr) => {
        impl<$($generics)*> IntoFuture for $type {
            type Output = $crate::error::Result<$output>;
            type IntoFuture = $crate::running::BoxFuture<$life, Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                let $wait = self;
                Box::pin($future)
            }
        }
    };
}

/// Shows a wait by its journal key.
macro_rules! shows_its_key {
    ([$($generics:tt)*] $type:ident<$($argument:tt),+> $(, $part:ident)?) => {
        impl<$($generics)*> std::fmt::Debug for $type<$($argument),+> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($type)).field(&self$(.$part)?.waiting.key).finish()
            }
        }
    };
}

pub(in crate::context) use {awaits, shows_its_key};

awaits! { ['a, T: Send + 'a] TimedWait<'a, T>: 'a => Option<T>, |wait| wait.awaited.ended() }
awaits! { ['a, T: Send + 'a] WaitOr<'a, T>: 'a => T, |wait| async move { Ok(wait.awaited.ended().await?.unwrap_or(wait.otherwise)) } }
awaits! { ['a, T: Send + 'a] WaitOrFail<'a, T>: 'a => T, |wait| wait.awaited.value_within(wait.timeout) }

shows_its_key! { ['a, T] TimedWait<'a, T>, awaited }
shows_its_key! { ['a, T] WaitOr<'a, T>, awaited }
shows_its_key! { ['a, T] WaitOrFail<'a, T>, awaited }
