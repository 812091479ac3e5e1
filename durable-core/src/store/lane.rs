//! Group commit: what is queued while one flush is in flight goes out together in the next, as one statement.
//!
//! A lane flushes at once when it is idle, and never waits for company: under load company comes by itself.
//! Callers return after the commit of the flush that carried their item. Through an outage a flush is repeated until it
//! succeeds; every batch is written so that a repetition after an unseen commit changes nothing.
//!
//! A lane may have a second [`line`] with a connection of its own, so that two flushes overlap under load. All items about one
//! subject take the same line, so they keep their order.
//!
//! A lane waits only briefly for a lock of another transaction, and never behind a large item: both go out on a [`siding`].

mod line;
mod siding;

use std::fmt::Debug;
use std::sync::Arc;

use metrics::Histogram;
use sqlx::PgConnection;
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot};
use tokio::time::Instant;

use self::line::{Line, Turn};
use self::siding::{Diverted, Sidings, Subjects};
use super::outage::{self, Pauses};
use super::{Session, Store};
use crate::error::{Error, ErrorKind, Result};
use crate::panics;
use crate::supervision::supervise_with;

/// Most bytes in one statement, unless one item has more: the server takes a gigabyte, and everything behind a statement waits
/// for it.
pub(crate) const MOST_BYTES: usize = 8 * 1024 * 1024;

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

    /// The subjects of the item (executions and keys), as hashes. An item never overtakes another that shares a subject.
    fn subjects(item: &Self::Item) -> impl Iterator<Item = u64>;

    /// How many bytes the item sends, roughly.
    fn size(item: &Self::Item) -> usize;

    /// The caller's answer when another transaction holds a lock that the item needs. `Err` gives the item back; then it is
    /// tried again until it is written.
    fn held_up(item: Self::Item) -> Result<Self::Outcome, Self::Item> {
        Err(item)
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
    line: mpsc::UnboundedSender<Entry<B>>,
    second_line: Option<mpsc::UnboundedSender<Entry<B>>>,
    subjects: Subjects,
}

impl<B: Batch> Clone for Lane<B> {
    fn clone(&self) -> Self {
        Self { line: self.line.clone(), second_line: self.second_line.clone(), subjects: self.subjects.clone() }
    }
}

#[derive(Debug)]
struct Entry<B: Batch> {
    item: B::Item,
    written: oneshot::Sender<Result<B::Outcome>>,
    /// Whether the item goes out on the siding from the start.
    aside: bool,
    /// Whether an earlier try may have been committed.
    again: bool,
}

impl<B: Batch> Entry<B> {
    fn answer(self, outcome: Result<B::Outcome>) {
        // The caller may be gone.
        let _ = self.written.send(outcome);
    }

    fn refuse(self, error: &sqlx::Error) {
        self.answer(Err(outage::user_error(B::WHAT, error)));
    }
}

impl<B: Batch> Lane<B> {
    /// Opens a lane; it closes, after its last flush, when the last clone is dropped.
    pub(crate) fn open(batch: Arc<B>, session: Session) -> Self {
        Self::open_double(batch, session, None)
    }

    /// As [`open`](Self::open), with a second line if there is a second session. Each item has one subject.
    pub(crate) fn open_double(batch: Arc<B>, session: Session, second: Option<Session>) -> Self {
        let (sidings, turn) = (Arc::new(Sidings::open(&batch, session.store())), Turn::default());
        let subjects = sidings.subjects();
        let open = |session: Session| {
            let (queue, entries) = mpsc::unbounded_channel();
            let health = session.store().health.clone();
            let line = Line::new(batch.clone(), session, entries, sidings.clone(), turn.clone());
            let carry = async |mut line: OwnedMutexGuard<Line<B>>| line.carry().await;
            tokio::spawn(supervise_with(health, B::WHAT, line, carry));
            queue
        };
        Self { line: open(session), second_line: second.map(open), subjects }
    }

    /// Writes one item; returns after its commit. Dropping the future does not take the item back.
    pub(crate) async fn write(&self, item: B::Item) -> Result<B::Outcome> {
        self.submit(item).await
    }

    /// Like [`write`](Self::write), for an item that may need a lock of another transaction.
    pub(crate) async fn write_aside(&self, item: B::Item) -> Result<B::Outcome> {
        self.queue(item, true).await
    }

    /// Diverts every item that shares a subject with this one to a siding, until the guard is dropped: such items would be held
    /// up, too.
    pub(crate) fn divert(&self, item: &B::Item) -> Diverted {
        self.subjects.divert(B::subjects(item).collect())
    }

    /// As [`write`](Self::write), but queued before the future is polled: items about one subject leave in the order in which
    /// they were submitted.
    pub(crate) fn submit(&self, item: B::Item) -> impl Future<Output = Result<B::Outcome>> + use<B> {
        self.queue(item, false)
    }

    fn queue(&self, item: B::Item, aside: bool) -> impl Future<Output = Result<B::Outcome>> + use<B> {
        let (written, outcome) = oneshot::channel();
        let queue = self.line_of(&item).clone();
        // A closed line drops the entry, and with it the sender that `outcome` waits for.
        let _ = queue.send(Entry { item, written, aside, again: false });
        async move { outcome.await.map_err(|_| dropped(&queue))? }
    }

    fn line_of(&self, item: &B::Item) -> &mpsc::UnboundedSender<Entry<B>> {
        let second = self.second_line.as_ref();
        second.filter(|_| B::subjects(item).any(|subject| subject % 2 == 1)).unwrap_or(&self.line)
    }
}

/// Why a lane did not answer: it was closed, or it panicked and lost this item.
fn dropped<B: Batch>(queue: &mpsc::UnboundedSender<Entry<B>>) -> Error {
    let why = if queue.is_closed() { "the engine has shut down" } else { "the engine has lost track of it; try again" };
    Error::of_kind(ErrorKind::Unavailable, format!("cannot {}: {why}", B::WHAT))
}

/// Writes the entries in one statement, through outages, and answers their callers. Returns the entries if another transaction
/// holds them up or the database refuses them.
async fn flush<B: Batch>(
    batch: &B,
    session: &mut Session,
    entries: Vec<Entry<B>>,
    roundtrip: &Histogram,
) -> Result<(), (Vec<Entry<B>>, sqlx::Error)> {
    let mut again = entries.iter().any(|entry| entry.again);
    let (items, callers): (Vec<_>, Vec<_>) = entries.into_iter().map(|entry| (entry.item, entry.written)).unzip();
    let mut pauses = Pauses::new();
    let error = loop {
        let asked = Instant::now();
        match flush_once(batch, session, &items, again).await {
            Ok(outcomes) => {
                roundtrip.record(asked.elapsed());
                pauses.report_recovery(B::WHAT);
                session.store().watched.note_written(items.iter().flat_map(B::subjects));
                for (written, outcome) in callers.into_iter().zip(outcomes) {
                    // The caller may be gone.
                    let _ = written.send(Ok(outcome));
                }
                return Ok(());
            }
            Err(error) if outage::is_outage(&error) => {
                again = true;
                if items.len() > 1 && outage::may_be_too_large(&error) {
                    break error;
                }
                tokio::time::sleep(pauses.next(B::WHAT, &error)).await;
            }
            Err(error) => {
                // Unless the database has refused it, the statement may have been committed.
                again |= error.as_database_error().is_none();
                break error;
            }
        }
    };
    let entries = items.into_iter().zip(callers).map(|(item, written)| Entry { item, written, aside: true, again });
    Err((entries.collect(), error))
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
            // The answer may have been read only in part.
            connection.close_on_drop();
            session.store().health.panicked(B::WHAT, &panicked);
            Err(sqlx::Error::Decode(panicked.to_string().into()))
        }
    }
}
