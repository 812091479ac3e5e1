//! Waits for an event, for any of several events, and for a publication to a topic.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::timed::{Awaited, TimedWait, awaits, shows_its_key};
use super::waiting::{Read, Waiting, read_payload, unfit};
use crate::error::Result;
use crate::model::{RecordedWait, WaitKind};
use crate::payload;
use crate::running::scope::Scope;

/// A wait for an event, for any of several events, or for a publication to a topic; see
/// [`Context::wait_for_event`](crate::context::Context::wait_for_event), [`wait_for_any`](crate::context::Context::wait_for_any) and
/// [`wait_for_topic`](crate::context::Context::wait_for_topic).
#[must_use = "a wait does nothing until it is awaited"]
pub struct EventWait<T> {
    waiting: Box<Waiting<'static>>,
    read: Read<T>,
}

impl<T: DeserializeOwned> EventWait<T> {
    pub(in crate::context) fn event(scope: &Arc<Scope>, name: &str) -> Self {
        Self { waiting: Box::new(Waiting::new(scope, WaitKind::Event, name)), read: read_payload::<T> }
    }

    pub(in crate::context) fn topic(scope: &Arc<Scope>, topic: &str) -> Self {
        Self { waiting: Box::new(Waiting::new(scope, WaitKind::Topic, topic)), read: read_payload::<T> }
    }
}

impl<T: DeserializeOwned> EventWait<(String, T)> {
    pub(in crate::context) fn any(scope: &Arc<Scope>, names: Vec<String>) -> Self {
        // This wait has several names, which are in a column of their own, so its own name stays empty.
        let mut waiting = Box::new(Waiting::new(scope, WaitKind::Event, "any of"));
        waiting.name.clear();
        if names.is_empty() {
            waiting.refuse("wait_for_any needs at least one name");
        }
        if let Some(problem) = names.iter().find_map(|name| unfit(WaitKind::Event, name)) {
            waiting.refuse(problem);
        }
        waiting.details().names = Some(names);
        Self { waiting, read: read_named::<T> }
    }
}

/// What is recorded of an event that was one of several.
#[derive(Deserialize)]
struct Named<T> {
    name: String,
    payload: T,
}

fn read_named<T: DeserializeOwned>(what: &str, over: &RecordedWait) -> Result<(String, T)> {
    let Named { name, payload } = read_payload(what, over)?;
    Ok((name, payload))
}

impl<T> EventWait<T> {
    /// Receives only publications with this correlation key, such as `order-42`; see
    /// [`Context::wait_for_topic`](crate::context::Context::wait_for_topic).
    pub fn correlation(mut self, key: impl Into<String>) -> Self {
        if self.waiting.kind != WaitKind::Topic {
            self.waiting.refuse("a correlation belongs to a topic: use cx.wait_for_topic(…)");
        }
        let key = key.into();
        if let Err(error) = payload::check_indexed(format_args!("the correlation of the wait for `{}`", self.waiting.name), &key)
        {
            self.waiting.refuse_with(error);
        }
        self.waiting.details().correlation = Some(key);
        self
    }

    /// Waits at most this long by the database's clock. The value becomes an `Option`, unless `or(…)` or `or_fail()` follows.
    pub fn timeout(self, timeout: Duration) -> TimedWait<'static, T> {
        TimedWait::after(self.awaited(), timeout)
    }

    fn awaited(self) -> Awaited<'static, T> {
        Awaited::message(self.waiting, self.read)
    }
}

awaits! { [T: Send + 'static] EventWait<T>: 'static => T, |wait| wait.awaited().value() }

shows_its_key! { [T] EventWait<T> }
