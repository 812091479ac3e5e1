//! Starts executions of workflows whose code is elsewhere: by name and version, with the input as it is.

use std::future::IntoFuture;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Durable;
use super::start::{Definition, StartOptions, checked};
use crate::context::step::BoxFuture;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::payload::{self, Payload};

/// The queue of a start by name that gives none; it is also that of workflows that name none.
const QUEUE: &str = "default";

/// Longest name of a workflow, in characters; as the macro has it.
const LONGEST_NAME: usize = 100;

/// A start by name; await it. See [`Durable::start_by_name`].
#[derive(Debug)]
#[must_use = "a start does nothing until it is awaited"]
pub struct StartByName<'durable> {
    durable: &'durable Durable,
    workflow: String,
    version: u32,
    input: Result<Payload>,
    options: StartOptions,
}

impl StartByName<'_> {
    /// The version of the workflow; 1 by default.
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// The queue to start in; `default` by default, as the workflow's own is known to its code alone.
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.options.queue = Some(queue.into());
        self
    }

    /// As [`Start::key`](super::Start::key).
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.options.key = Some(key.into());
        self
    }

    /// As [`Start::deduplication_key`](super::Start::deduplication_key).
    pub fn deduplication_key(mut self, key: impl Into<String>) -> Self {
        self.options.deduplication_key = Some(key.into());
        self
    }

    /// As [`Start::debounce`](super::Start::debounce).
    pub fn debounce(mut self, key: impl Into<String>, period: Duration) -> Self {
        self.options.debounce = Some((key.into(), period));
        self
    }

    /// As [`Start::debounce_at_most`](super::Start::debounce_at_most).
    pub fn debounce_at_most(mut self, limit: Duration) -> Self {
        self.options.debounce_at_most = Some(limit);
        self
    }

    /// Higher is claimed first; 0 by default.
    pub fn priority(mut self, priority: i16) -> Self {
        self.options.priority = priority;
        self
    }

    /// As [`Start::time_to_live`](super::Start::time_to_live); without it, it never expires, as the workflow's own time to live is known
    /// to its code alone.
    pub fn time_to_live(mut self, time: Duration) -> Self {
        self.options.time_to_live = Some(time);
        self
    }

    /// Not before this time, by the database's clock.
    pub fn at(mut self, time: DateTime<Utc>) -> Self {
        self.options.start_at = Some(time);
        self
    }

    /// Not before this much time has passed, by the database's clock.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.options.delay = Some(delay);
        self
    }
}

impl<'durable> IntoFuture for StartByName<'durable> {
    type Output = Result<ExecutionId>;
    type IntoFuture = BoxFuture<'durable, Result<ExecutionId>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { durable, workflow, version, input, options } = self;
            if workflow.is_empty() || workflow.chars().count() > LONGEST_NAME || workflow.contains('\0') {
                let problem = format!("a workflow is named with 1 to {LONGEST_NAME} characters and no \\u0000");
                return Err(Error::of_kind(ErrorKind::Invalid, problem));
            }
            if i32::try_from(version).is_ok_and(|version| version >= 1) {
                let definition = Definition { workflow, version, queue: QUEUE, timeout: None };
                let started = durable.start_checked(vec![checked(definition, input, options)?]).await?;
                return started.first().map(|started| started.id).ok_or_else(|| Error::new("a start returned nothing"));
            }
            let problem = format!("workflow `{workflow}` has no version {version}; versions start at 1");
            Err(Error::of_kind(ErrorKind::Invalid, problem))
        })
    }
}

impl Durable {
    /// Starts an execution of a workflow by its name: for programs that do not have its code. The input is taken as it is;
    /// the workflow fails where it does not decode. Await the returned builder, after options such as `.queue("orders")`.
    ///
    /// ```no_run
    /// # async fn example(durable: &durable::Durable) -> durable::Result<()> {
    /// let id = durable.start_by_name("process_order", &42).queue("orders").key("order-42").await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`start`](Self::start); `Invalid` for a name or a version that no workflow can have.
    pub fn start_by_name<T: Serialize + ?Sized>(&self, workflow: impl Into<String>, input: &T) -> StartByName<'_> {
        let workflow = workflow.into();
        let input = payload::encode(&format!("the input of workflow `{workflow}`"), input);
        StartByName { durable: self, workflow, version: 1, input, options: StartOptions::default() }
    }
}
