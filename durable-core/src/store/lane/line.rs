//! A line of a lane: the task that gathers what is queued into loads, and writes one load at a time.
//!
//! The lines of a lane take turns, because the next load grows while the last one is being written. A line that has enough to
//! write does not wait for its turn: then two flushes overlap.

use std::sync::Arc;

use futures_util::FutureExt;
use metrics::Histogram;
use tokio::sync::{Mutex, MutexGuard, mpsc};

use super::super::outage;
use super::siding::Sidings;
use super::{Batch, Entry, MOST_BYTES, flush};
use crate::store::Session;
use crate::telemetry;

/// So many items do not wait for their turn: about as many as a flush carries if flushes do not overlap and 500 executions write.
/// With fewer, there would be more statements.
const ENOUGH: usize = 200;

/// Held while a load is written whose line has waited for its turn.
pub(super) type Turn = Arc<Mutex<()>>;

/// One line of a lane.
pub(super) struct Line<B: Batch> {
    batch: Arc<B>,
    session: Session,
    entries: mpsc::UnboundedReceiver<Entry<B>>,
    sidings: Arc<Sidings<B>>,
    turn: Turn,
    /// The entry with which the next load begins.
    left_over: Option<Entry<B>>,
    roundtrip: Histogram,
}

impl<B: Batch> Line<B> {
    pub(super) fn new(
        batch: Arc<B>,
        session: Session,
        entries: mpsc::UnboundedReceiver<Entry<B>>,
        sidings: Arc<Sidings<B>>,
        turn: Turn,
    ) -> Self {
        Self { batch, session, entries, sidings, turn, left_over: None, roundtrip: telemetry::roundtrip(B::WHAT) }
    }

    /// Writes what is queued, until the lane is closed and everything has gone out.
    pub(super) async fn carry(&mut self) {
        while let Some(first) = self.next().await {
            let Some(first) = self.sidings.divert(first) else { continue };
            let mut load = Load::of(first);
            // Callers of the last flush have just been answered. If they write again at once, they join this flush.
            tokio::task::yield_now().await;
            let turn = self.turn.clone();
            let _turn = self.fill(&mut load, &turn).await;
            if let Err((entries, error)) = flush(&*self.batch, &mut self.session, load.entries, &self.roundtrip).await {
                match <[Entry<B>; 1]>::try_from(entries) {
                    Ok([lone]) if !outage::is_held_up(&error) => lone.refuse(&error),
                    // A bad item must not fail its neighbours, and a held-up item must not delay them.
                    Ok([lone]) => self.sidings.take_over(vec![lone]),
                    Err(entries) => self.sidings.take_over(entries),
                }
            }
        }
    }

    async fn next(&mut self) -> Option<Entry<B>> {
        match self.left_over.take() {
            Some(entry) => Some(entry),
            None => self.entries.recv().await,
        }
    }

    /// Adds what is queued to the load, until it is the line's turn or the load is large enough to go out without it.
    async fn fill<'turn>(&mut self, load: &mut Load<B>, turn: &'turn Turn) -> Option<MutexGuard<'turn, ()>> {
        let mut turn = std::pin::pin!(turn.lock());
        loop {
            while self.left_over.is_none()
                && load.has_room()
                && let Ok(entry) = self.entries.try_recv()
            {
                self.add(load, entry);
            }
            if self.left_over.is_some() || load.is_enough() {
                return turn.now_or_never();
            }
            tokio::select! {
                biased;
                Some(entry) = self.entries.recv() => {
                    self.add(load, entry);
                    // Others that are ready to write join, too.
                    tokio::task::yield_now().await;
                }
                turn = &mut turn => return Some(turn),
            }
        }
    }

    /// Adds an entry to the load, unless it goes to a siding or comes after this load.
    fn add(&mut self, load: &mut Load<B>, entry: Entry<B>) {
        self.left_over = if self.sidings.would_divert(&entry) && load.is_about(&entry) {
            // It follows what this load writes of the same subject.
            Some(entry)
        } else {
            self.sidings.divert(entry).and_then(|entry| load.add(entry))
        };
    }
}

/// The entries of one statement.
pub(super) struct Load<B: Batch> {
    pub(super) entries: Vec<Entry<B>>,
    bytes: usize,
}

impl<B: Batch> Load<B> {
    pub(super) fn of(first: Entry<B>) -> Self {
        Self { bytes: B::size(&first.item), entries: vec![first] }
    }

    fn has_room(&self) -> bool {
        self.entries.len() < B::LIMIT
    }

    fn is_enough(&self) -> bool {
        self.entries.len() >= ENOUGH.min(B::LIMIT)
    }

    /// Whether it has an entry with a subject of this one.
    fn is_about(&self, entry: &Entry<B>) -> bool {
        let of_load = |subject| self.entries.iter().any(|loaded| B::subjects(&loaded.item).any(|loaded| loaded == subject));
        B::subjects(&entry.item).any(of_load)
    }

    /// Adds the entry, or returns it if it must go out by itself.
    pub(super) fn add(&mut self, entry: Entry<B>) -> Option<Entry<B>> {
        let size = B::size(&entry.item);
        let fits = self.has_room() && self.bytes.saturating_add(size) <= MOST_BYTES;
        if !fits || self.entries.first().is_some_and(|first| !B::go_together(&first.item, &entry.item)) {
            return Some(entry);
        }
        self.bytes += size;
        self.entries.push(entry);
        None
    }
}
