//! The task of a lane: begins a flush when it may, and ends each flush that comes back.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use metrics::Histogram;

use super::load::{Backlog, InFlight};
use super::overlap::{ENOUGH, Overlap};
use super::siding::Sidings;
use super::{Batch, Entry, flush};
use crate::error::Failure;
use crate::panics;
use crate::store::Session;
use crate::store::outage;
use crate::telemetry;

/// A lane at work.
pub(super) struct Dispatcher<B: Batch> {
    batch: Arc<B>,
    /// The sessions on which no flush is in flight.
    idle: Vec<Session>,
    /// Whether there are several sessions.
    overlaps: bool,
    backlog: Backlog<B>,
    flushes: FuturesUnordered<BoxFuture<'static, Flushed<B>>>,
    subjects: InFlight,
    overlap: Overlap,
    sidings: Sidings<B>,
    roundtrip: Histogram,
}

/// A flush that is over.
struct Flushed<B: Batch> {
    session: Session,
    subjects: Vec<u64>,
    /// `Err` with the panic if the application's log or metrics panicked.
    result: Result<Result<(), Unwritten<B>>, Box<Failure>>,
}

/// The entries that a flush could not write, and the reason.
type Unwritten<B> = (Vec<Entry<B>>, sqlx::Error);

impl<B: Batch> Dispatcher<B> {
    pub(super) fn new(batch: Arc<B>, idle: Vec<Session>, backlog: Backlog<B>, overlap: Overlap, sidings: Sidings<B>) -> Self {
        let roundtrip = telemetry::roundtrip(B::WHAT);
        let (flushes, subjects) = (FuturesUnordered::new(), InFlight::default());
        let overlaps = idle.len() > 1;
        Self { batch, idle, overlaps, backlog, flushes, subjects, overlap, sidings, roundtrip }
    }

    /// Writes what is queued until the lane is closed and everything has gone out.
    pub(super) async fn carry(&mut self) {
        loop {
            if self.flushes.is_empty() {
                if !self.backlog.fill().await {
                    return;
                }
                // Callers of the last flush have just been answered: those that are ready to write again join this one.
                tokio::task::yield_now().await;
                if !self.begin() {
                    continue;
                }
            }
            while self.has_enough() && self.begin() {}
            tokio::select! {
                biased;
                Some(flushed) = self.flushes.next() => self.end(flushed),
                () = self.overlap.reached(), if !self.idle.is_empty() => {}
            }
        }
    }

    /// Whether enough is queued for a flush beside those in flight. If not, the lane is woken when it is.
    fn has_enough(&self) -> bool {
        if self.idle.is_empty() {
            return false;
        }
        let queued = self.backlog.len();
        self.overlap.wait_for(ENOUGH.saturating_sub(queued));
        queued >= ENOUGH
    }

    /// Begins a flush, if there is a session for it and an entry that may go out.
    fn begin(&mut self) -> bool {
        if self.idle.is_empty() {
            return false;
        }
        let Some(load) = self.backlog.next_load(&self.subjects, &self.sidings) else { return false };
        let Some(mut session) = self.idle.pop() else { return false };
        let subjects = if self.overlaps { load.subjects() } else { Vec::new() };
        self.subjects.enter(&subjects);
        let (batch, roundtrip) = (self.batch.clone(), self.roundtrip.clone());
        self.flushes.push(Box::pin(async move {
            let result = panics::catch_in(flush(&*batch, &mut session, load.entries, &roundtrip)).await;
            Flushed { session, subjects, result }
        }));
        true
    }

    /// Takes back the session of a flush. Entries that the flush could not write go to a siding before any entry behind them
    /// is looked at.
    fn end(&mut self, flushed: Flushed<B>) {
        let Flushed { session, subjects, result } = flushed;
        self.subjects.leave(&subjects);
        match result {
            Ok(Ok(())) => {}
            Ok(Err((entries, error))) => match <[Entry<B>; 1]>::try_from(entries) {
                Ok([lone]) if !outage::is_held_up(&error) => lone.refuse(&error),
                // A bad item must not fail its neighbours, and a held-up item must not delay them.
                Ok([lone]) => self.sidings.take_over(vec![lone]),
                Err(entries) => self.sidings.take_over(entries),
            },
            Err(panicked) => session.store().health.panicked(B::WHAT, &panicked),
        }
        self.idle.push(session);
    }
}
