//! Publishes a payload to every execution that waits for a topic.

use std::future::IntoFuture;

use serde::Serialize;
use uuid::Uuid;

use super::Durable;
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::payload::{self, Payload};
use crate::store::publications::{self, Publication};

/// A publication; await it for the number of executions that it reached. See [`Durable::publish`].
#[derive(Debug)]
#[must_use = "nothing is published until it is awaited"]
pub struct Publish<'durable> {
    durable: &'durable Durable,
    topic: String,
    payload: Result<Payload>,
    correlation: Option<String>,
    key: Option<String>,
}

impl Publish<'_> {
    /// The subject of the publication, such as `order-42`: it reaches only waits with this correlation key. Without it, the
    /// publication reaches only waits without one.
    pub fn correlation(mut self, correlation: impl Into<String>) -> Self {
        self.correlation = Some(correlation.into());
        self
    }

    /// Publishes once for this topic and key, however often it is called. A further call completes a publication that was
    /// interrupted; it reaches no execution twice, and none that began to wait after the first call.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// What is published, once it is found to make sense.
    fn check(self) -> Result<Publication> {
        if self.topic.is_empty() {
            return Err(Error::of_kind(ErrorKind::Invalid, "a publication needs a topic; give the one that workflows wait on"));
        }
        let key = self.key.unwrap_or_else(|| Uuid::now_v7().to_string());
        for (what, text) in [("topic", Some(&self.topic)), ("correlation", self.correlation.as_ref()), ("key", Some(&key))] {
            let Some(text) = text else { continue };
            let topic: String = self.topic.escape_debug().take(80).collect();
            payload::check_indexed(format_args!("the {what} of a publication to `{topic}`"), text)?;
        }
        Ok(Publication { topic: self.topic, payload: self.payload?, correlation: self.correlation, key })
    }
}

impl<'durable> IntoFuture for Publish<'durable> {
    type Output = Result<u64>;
    type IntoFuture = BoxFuture<'durable, Result<u64>>;

    fn into_future(self) -> Self::IntoFuture {
        let durable = self.durable;
        let publication = self.check();
        Box::pin(async move { durable.publish_to_all(&publication?).await })
    }
}

impl Durable {
    /// Gives a payload to every execution that waits for the topic now; returns how many it reached. Nothing is kept for later
    /// waits. Await the returned builder, after options such as `.correlation("order-42")` and `.key("msg-7")`.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable) -> Result<()> {
    /// let reached = durable.publish("price_changed", &1999).correlation("product-7").key("change-12").await?;
    /// println!("{reached} executions got the new price");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Invalid` without a topic, `Payload` for a payload that cannot be stored. After `Unavailable` the publication may have
    /// reached some executions and not others: publish it again under the same key.
    pub fn publish<T: Serialize + ?Sized>(&self, topic: impl Into<String>, payload: &T) -> Publish<'_> {
        let topic = topic.into();
        let payload = payload::encode(format_args!("the publication to `{topic}`"), payload);
        Publish { durable: self, topic, payload, correlation: None, key: None }
    }

    /// Publishes batch after batch, until every waiting execution is reached.
    async fn publish_to_all(&self, publication: &Publication) -> Result<u64> {
        let mut count = 0;
        loop {
            let reached = self.run("publish", |pool| publications::publish(self.store(), pool, publication)).await?;
            let signals = &self.engine.signals;
            reached.queues.iter().for_each(|queue| signals.queued(queue));
            self.store().watched.note(reached.running.iter().copied());
            reached.running.iter().for_each(|id| signals.resolved(*id));
            count += u64::from(reached.count);
            if !reached.more {
                return Ok(count);
            }
        }
    }
}
