//! Group commit: what is queued while one flush is in flight goes out together in the next, as one statement.
//!
//! A lane flushes at once when it is idle, and never waits for company: under load company comes by itself.
//! Callers return after the commit of the flush that carried their item. Through an outage a flush is repeated until it
//! succeeds; every batch is written so that a repetition after an unseen commit changes nothing.

use std::fmt::Debug;
use std::sync::Arc;

use metrics::Histogram;
use sqlx::PgConnection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::outage::{self, Pauses};
use super::{Session, Store};
use crate::error::{Error, ErrorKind, Result};
use crate::panics;
use crate::supervision::supervise_with;
use crate::telemetry;

/// What one lane writes.
pub(crate) trait Batch: Send + Sync + 'static {
    /// One caller's part of a batch.
    type Item: Debug + Send + Sync + 'static;
    /// What that caller gets back after the commit.
    type Outcome: Debug + Send + 'static;

    /// What the lane does, for log lines: fits after "cannot".
    const WHAT: &'static str;

    /// Most items in one statement: bounds its memory, its locks, and how long the others wait.
    const LIMIT: usize;

    /// Whether two items may go out in one statement.
    fn go_together(_first: &Self::Item, _next: &Self::Item) -> bool {
        true
    }

    /// Writes the items as one statement, and returns an outcome for each, in order.
    /// `again` says that an earlier try of the same items may have been committed.
    fn flush(
        &self,
        store: &Store,
        connection: &mut PgConnection,
        items: &[Self::Item],
        again: bool,
    ) -> impl Future<Output = Result<Vec<Self::Outcome>, sqlx::Error>> + Send;
}

/// The way into a lane; items of all clones share its flushes.
#[derive(Debug)]
pub(crate) struct Lane<B: Batch> {
    queue: mpsc::UnboundedSender<Entry<B>>,
}

impl<B: Batch> Clone for Lane<B> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

#[derive(Debug)]
struct Entry<B: Batch> {
    item: B::Item,
    written: oneshot::Sender<Result<B::Outcome>>,
}

impl<B: Batch> Lane<B> {
    /// Opens a lane; it closes, after its last flush, when the last clone is dropped.
    pub(crate) fn open(batch: Arc<B>, session: Session) -> Self {
        let (queue, entries) = mpsc::unbounded_channel();
        let health = session.store().health.clone();
        tokio::spawn(supervise_with(health, B::WHAT, (session, entries), move |mut line| {
            let batch = batch.clone();
            async move {
                let (session, entries) = &mut *line;
                carry(batch, session, entries).await;
            }
        }));
        Self { queue }
    }

    /// Writes one item; returns after its commit. Dropping the future does not take the item back.
    pub(crate) async fn write(&self, item: B::Item) -> Result<B::Outcome> {
        self.submit(item).await
    }

    /// As [`write`](Self::write), but queued before the future is polled: items leave in the order in which they were submitted.
    pub(crate) fn submit(&self, item: B::Item) -> impl Future<Output = Result<B::Outcome>> + use<B> {
        let (written, outcome) = oneshot::channel();
        // A closed lane drops the entry, and with it the sender that `outcome` waits for.
        let _ = self.queue.send(Entry { item, written });
        let queue = self.queue.clone();
        async move { outcome.await.map_err(|_| dropped(&queue))? }
    }
}

/// Why a lane has not answered: it was closed, or it panicked and goes on without this item.
fn dropped<B: Batch>(queue: &mpsc::UnboundedSender<Entry<B>>) -> Error {
    let why = if queue.is_closed() { "the engine has shut down" } else { "the engine has lost track of it; try again" };
    Error::of_kind(ErrorKind::Unavailable, format!("cannot {}: {why}", B::WHAT))
}

async fn carry<B: Batch>(batch: Arc<B>, session: &mut Session, entries: &mut mpsc::UnboundedReceiver<Entry<B>>) {
    let mut queued = Vec::with_capacity(B::LIMIT);
    let roundtrip = telemetry::roundtrip(B::WHAT);
    // The one with which the next flush begins.
    let mut left_over = None;
    loop {
        let Some(first) = (match left_over.take() {
            Some(entry) => Some(entry),
            None => entries.recv().await,
        }) else {
            return;
        };
        queued.push(first);
        // Callers of the last flush have just been answered: those that are ready to write again join this one.
        tokio::task::yield_now().await;
        while queued.len() < B::LIMIT
            && let Ok(entry) = entries.try_recv()
        {
            if queued.first().is_some_and(|first| !B::go_together(&first.item, &entry.item)) {
                left_over = Some(entry);
                break;
            }
            queued.push(entry);
        }
        let (items, written): (Vec<_>, Vec<_>) = queued.drain(..).map(|entry| (entry.item, entry.written)).unzip();
        match flush_through_outages(&*batch, session, &items, false, &roundtrip).await {
            Ok(outcomes) => {
                for (written, outcome) in written.into_iter().zip(outcomes) {
                    let _ = written.send(Ok(outcome));
                }
            }
            Err(error) if items.len() == 1 => reply(written, &error, B::WHAT),
            // One bad item must not fail its neighbours: each gets a statement of its own.
            Err(error) => {
                // Unless the database has refused it, the statement may have been committed.
                let again = error.as_database_error().is_none();
                for (item, written) in items.into_iter().zip(written) {
                    match flush_through_outages(&*batch, session, &[item], again, &roundtrip).await {
                        Ok(outcomes) => drop(outcomes.into_iter().next().map(|outcome| written.send(Ok(outcome)))),
                        Err(error) => reply(vec![written], &error, B::WHAT),
                    }
                }
            }
        }
    }
}

fn reply<T>(written: Vec<oneshot::Sender<Result<T>>>, error: &sqlx::Error, what: &str) {
    for written in written {
        let _ = written.send(Err(outage::user_error(what, error)));
    }
}

async fn flush_once<B: Batch>(
    batch: &B,
    session: &mut Session,
    items: &[B::Item],
    again: bool,
) -> Result<Vec<B::Outcome>, sqlx::Error> {
    let mut connection = session.connection().await?;
    match panics::catch_in(batch.flush(session.store(), &mut connection, items, again)).await {
        Ok(outcomes) => session.give_back(connection, outcomes),
        Err(panicked) => {
            // The answer may be read half.
            connection.close_on_drop();
            session.store().health.panicked(B::WHAT, &panicked);
            Err(sqlx::Error::Decode(panicked.to_string().into()))
        }
    }
}

async fn flush_through_outages<B: Batch>(
    batch: &B,
    session: &mut Session,
    items: &[B::Item],
    mut again: bool,
    roundtrip: &Histogram,
) -> Result<Vec<B::Outcome>, sqlx::Error> {
    let mut pauses = Pauses::new();
    loop {
        let asked = Instant::now();
        match flush_once(batch, session, items, again).await {
            Ok(outcomes) => {
                roundtrip.record(asked.elapsed());
                pauses.report_recovery(B::WHAT);
                return Ok(outcomes);
            }
            Err(error) if outage::is_outage(&error) => {
                again = true;
                tokio::time::sleep(pauses.next(B::WHAT, &error)).await;
            }
            Err(error) => return Err(error),
        }
    }
}
