//! Closes the events of a name, so that none of them is lost when the workflow ends.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::timed::awaits;
use super::waiting::{Waiting, invalid, read_payload, unfit};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{RecordedWait, WaitKind, WaitOutcome};
use crate::payload;
use crate::plan::{divergence, journal_key};
use crate::running::hold::Verdict;
use crate::running::scope::Scope;

/// Closes the events of a name; see [`Context::close_events`](crate::context::Context::close_events).
#[must_use = "nothing is closed until it is awaited"]
pub struct CloseEvents<T> {
    scope: Arc<Scope>,
    key: String,
    name: String,
    value: PhantomData<fn() -> T>,
}

/// What is recorded of a close: a part of the messages that no wait had taken. `close_events.sql` writes it.
#[derive(Deserialize)]
struct Part {
    messages: Vec<Taken>,
    /// Whether there are further parts.
    more: bool,
}

#[derive(Deserialize)]
struct Taken {
    id: Uuid,
    payload: Box<RawValue>,
}

impl<T: DeserializeOwned + Send + 'static> CloseEvents<T> {
    pub(in super::super) fn new(scope: &Arc<Scope>, name: &str) -> Self {
        let key = scope.next_key(WaitKind::Close.as_str(), name);
        Self { scope: scope.clone(), key, name: name.to_owned(), value: PhantomData }
    }

    async fn taken(self) -> Result<Vec<T>> {
        let Self { scope, key, name, .. } = self;
        if let Some(problem) = unfit(WaitKind::Event, &name) {
            return Err(invalid(problem));
        }
        let _under_way = scope.set_out(&key);
        let parts = scope.branch(&journal_key::below(&key));
        let mut taken = Vec::new();
        let mut part_key = key;
        loop {
            let part = Waiting::of_call(&scope, WaitKind::Close, &name, &part_key);
            let (values, more) = Box::pin(read(part)).await?;
            taken.extend(values);
            if !more {
                return Ok(taken);
            }
            part_key = parts.next_key("more", "");
        }
    }
}

/// The messages of a part that can be read, and whether there are further parts. The others are refused.
async fn read<T: DeserializeOwned>(mut waiting: Waiting<'static>) -> Result<(Vec<T>, bool)> {
    let what = format!("event `{}`", waiting.name);
    loop {
        let over = std::future::poll_fn(|cx| waiting.poll_over(cx)).await;
        if over.outcome != Some(WaitOutcome::Received) {
            waiting.close();
            return Err(Error::of_kind(ErrorKind::Cancelled, format!("the close of {what} was cancelled")));
        }
        let Part { messages, more } = read_payload(&format!("the close of {what}"), &over)?;
        let mut values = Vec::with_capacity(messages.len());
        let mut refused = Vec::new();
        for message in messages {
            match payload::decode(&what, message.payload.get()) {
                Ok(value) => values.push(value),
                Err(error) => refused.push((message.id, error.to_string())),
            }
        }
        match refused.first() {
            None => {
                waiting.close();
                return Ok((values, more));
            }
            Some((_, reason)) if waiting.was_used() => {
                let report = divergence::unreadable(&waiting.key, reason);
                return waiting.scope.run.clone().stop(Verdict::Diverged(report)).await;
            }
            // The close is over again, without these, when they are recorded as refused.
            Some(_) => {
                for (id, reason) in refused {
                    waiting.put_back(&RecordedWait { message_id: Some(id), ..over.clone() }, &reason);
                }
            }
        }
    }
}

awaits! { [T: DeserializeOwned + Send + 'static] CloseEvents<T>: 'static => Vec<T>, |close| close.taken() }

impl<T> fmt::Debug for CloseEvents<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CloseEvents").field(&self.key).finish()
    }
}
