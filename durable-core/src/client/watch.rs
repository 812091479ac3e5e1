//! Watches an execution: its states, steps, waits and values, as they change.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio::sync::mpsc;

use super::Durable;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::Update;
use crate::store::watched::Watched;
use crate::upkeep::{BACKLOG, Subscription};

/// The updates of one execution, from [`Durable::watch`]. It is a [`Stream`], and [`next`](Self::next) reads it without one.
///
/// It does not keep the engine alive: after a shutdown it ends with an error of the kind `Unavailable`.
#[derive(Debug)]
#[must_use = "a watch does nothing unless it is read"]
pub struct Watch {
    id: ExecutionId,
    updates: mpsc::Receiver<Result<Update>>,
    is_behind: Arc<AtomicBool>,
    watched: Watched,
    /// Whether an update was received.
    has_begun: bool,
    /// Whether the last update said that the execution has ended, or there was an error.
    is_over: bool,
}

impl Durable {
    /// Watches an execution. The first update is a [snapshot](Update::Snapshot) of everything, whenever the watch begins; then
    /// each change follows, from whatever process it comes. The watch ends after the update with the end of the execution.
    ///
    /// Updates from one change arrive in the order of the variants of [`Update`]. Steps and waits are never left out. A state or
    /// a value that is replaced before it was read is left out: only the newest is sent. A watcher that has fallen 256 updates
    /// behind gets a new snapshot instead, and so does every watcher if the execution continues as new. During an outage of the
    /// database the watch waits, and afterwards it sends what has changed.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// use durable::Update;
    ///
    /// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
    /// let mut watch = durable.watch(id);
    /// while let Some(update) = watch.next().await {
    ///     match update? {
    ///         Update::Snapshot(details) => println!("{} steps so far", details.steps.len()),
    ///         Update::Step(step) => println!("{} has {} attempts", step.key, step.attempts.len()),
    ///         Update::Value(value) => println!("{} = {}", value.name, value.value),
    ///         Update::Execution(execution) => println!("it is {}", execution.state),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The watch yields an error and ends: `NotFound` for an execution that does not exist, or was deleted; `Conflict` if the
    /// process watches 10 000 executions already; `Unavailable` after a shutdown.
    pub fn watch(&self, id: ExecutionId) -> Watch {
        let (sender, updates) = mpsc::channel(BACKLOG);
        let is_behind = Arc::new(AtomicBool::new(true));
        let watched = self.store().watched.clone();
        // Without a receiver the engine has shut down, and the watch finds its channel closed.
        let _ = self.engine.subscriptions.send(Subscription { id, updates: sender, is_behind: is_behind.clone() });
        Watch { id, updates, is_behind, watched, has_begun: false, is_over: false }
    }
}

impl Watch {
    /// The id of the execution.
    pub fn id(&self) -> ExecutionId {
        self.id
    }

    /// The next update; `None` after the end of the execution. Dropping the future loses no update.
    pub async fn next(&mut self) -> Option<Result<Update>> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Update>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let polled = self.updates.poll_recv(context);
        if polled.is_pending() && self.has_begun && self.is_behind.load(Ordering::Acquire) {
            // There is room for a snapshot now.
            self.watched.note_heard(&[self.id]);
        }
        polled.map(|update| Some(self.received(update)))
    }

    fn received(&mut self, update: Option<Result<Update>>) -> Result<Update> {
        let update = update.unwrap_or_else(|| {
            let problem = format!("cannot watch execution {} any longer: the engine has shut down", self.id);
            Err(Error::of_kind(ErrorKind::Unavailable, problem))
        });
        self.has_begun = true;
        self.is_over = match &update {
            Ok(Update::Execution(execution)) => execution.state.is_finished(),
            Ok(Update::Snapshot(details)) => details.execution.state.is_finished(),
            Ok(_) => false,
            Err(_) => true,
        };
        update
    }
}

impl Stream for Watch {
    type Item = Result<Update>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}
