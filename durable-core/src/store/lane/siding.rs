//! Where a lane puts items that would delay the others: items that need a lock of another transaction, and large items.
//!
//! A siding tries its items apart from each other, again and again, each until it is written. An item waits for earlier items
//! about the same subject, so the order is kept: while a siding has a subject, new items with that subject go to the same
//! siding.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::Histogram;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::super::outage::{self, LONGEST_PAUSE_WHEN_HELD_UP};
use super::super::{Session, Store};
use super::line::Load;
use super::{Batch, Entry, flush};
use crate::supervision::supervise_with;
use crate::telemetry;

/// Items of this many bytes do not go out with small items.
const HEAVY: usize = 256 * 1024;

/// First pause after a round in which nothing could be written: about as long as a commit takes.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Most items retried before new items get their turn.
const STRETCH: usize = 64;

/// How long items are held up before that is logged.
const WARN_AFTER: Duration = Duration::from_secs(5);

/// The sidings of one lane.
#[derive(Debug)]
pub(super) struct Sidings<B: Batch> {
    held: mpsc::UnboundedSender<Entry<B>>,
    heavy: mpsc::UnboundedSender<Entry<B>>,
    subjects: Subjects,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Track {
    Held,
    Heavy,
}

impl<B: Batch> Sidings<B> {
    pub(super) fn subjects(&self) -> Subjects {
        self.subjects.clone()
    }

    pub(super) fn open(batch: &Arc<B>, store: &Store) -> Self {
        let subjects = Subjects::default();
        let open = || {
            let (queue, entries) = mpsc::unbounded_channel();
            let siding = Siding::new(batch.clone(), Session::passing(store.aside()), subjects.clone());
            tokio::spawn(supervise_with(store.health.clone(), B::WHAT, (siding, entries), async |mut line| {
                let (siding, entries) = &mut *line;
                siding.carry(entries).await;
            }));
            queue
        };
        Self { held: open(), heavy: open(), subjects: subjects.clone() }
    }

    /// Takes an entry that must not go out on the lane; returns any other entry.
    pub(super) fn divert(&self, entry: Entry<B>) -> Option<Entry<B>> {
        match self.track_of(&entry) {
            Some(track) => {
                self.put(track, entry);
                None
            }
            None => Some(entry),
        }
    }

    /// Whether [`divert`](Self::divert) would take the entry.
    pub(super) fn would_divert(&self, entry: &Entry<B>) -> bool {
        self.track_of(entry).is_some()
    }

    fn track_of(&self, entry: &Entry<B>) -> Option<Track> {
        match self.subjects.track_of(entry) {
            Some(track) => Some(track),
            None if entry.aside => Some(Track::Held),
            None if B::size(&entry.item) >= HEAVY => Some(Track::Heavy),
            None => None,
        }
    }

    /// Takes entries that could not be written together.
    pub(super) fn take_over(&self, entries: Vec<Entry<B>>) {
        for entry in entries {
            self.put(self.subjects.track_of(&entry).unwrap_or(Track::Held), entry);
        }
    }

    fn put(&self, track: Track, entry: Entry<B>) {
        self.subjects.enter(B::subjects(&entry.item), track);
        let queue = if track == Track::Held { &self.held } else { &self.heavy };
        // A siding ends after its lane.
        let _ = queue.send(entry);
    }
}

/// The subjects of items on a lane's sidings: on which siding, and in how many items.
#[derive(Debug, Clone, Default)]
pub(super) struct Subjects(Arc<Mutex<HashMap<u64, (Track, usize)>>>);

impl Subjects {
    fn track_of<B: Batch>(&self, entry: &Entry<B>) -> Option<Track> {
        let subjects = self.lock();
        if subjects.is_empty() {
            return None;
        }
        B::subjects(&entry.item).find_map(|subject| subjects.get(&subject)).map(|(track, _)| *track)
    }

    /// See [`Lane::divert`](super::Lane::divert).
    pub(super) fn divert(&self, subjects: Vec<u64>) -> Diverted {
        self.enter(subjects.iter().copied(), Track::Held);
        Diverted { of: self.clone(), subjects }
    }

    fn enter(&self, entered: impl Iterator<Item = u64>, track: Track) {
        let mut subjects = self.lock();
        for subject in entered {
            subjects.entry(subject).or_insert((track, 0)).1 += 1;
        }
    }

    fn leave(&self, left: &[u64]) {
        let mut subjects = self.lock();
        for subject in left {
            if let Some((_, items)) = subjects.get_mut(subject) {
                *items -= 1;
                if *items == 0 {
                    subjects.remove(subject);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, (Track, usize)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// While it lives, items with these subjects go to a siding.
#[derive(Debug)]
pub(crate) struct Diverted {
    of: Subjects,
    subjects: Vec<u64>,
}

impl Drop for Diverted {
    fn drop(&mut self) {
        self.of.leave(&self.subjects);
    }
}

/// One siding, at work.
struct Siding<B: Batch> {
    batch: Arc<B>,
    session: Session,
    subjects: Subjects,
    /// Items that are held up, and the items behind them, in order.
    held: Vec<Entry<B>>,
    /// How many of them were tried in this round without success.
    tried: usize,
    /// Whether something was written in this round.
    progress: bool,
    pause: Duration,
    /// When the items that are held up are tried again.
    next_round: Instant,
    held_since: Option<Instant>,
    warned: bool,
    roundtrip: Histogram,
}

impl<B: Batch> Siding<B> {
    fn new(batch: Arc<B>, session: Session, subjects: Subjects) -> Self {
        Self {
            batch,
            session,
            subjects,
            held: Vec::new(),
            tried: 0,
            progress: false,
            pause: FIRST_PAUSE,
            next_round: Instant::now(),
            held_since: None,
            warned: false,
            roundtrip: telemetry::roundtrip(B::WHAT),
        }
    }

    /// Writes incoming items until the lane has ended and everything is written. New items do not wait for a round to end, and
    /// a stream of new items does not delay a round.
    async fn carry(&mut self, entries: &mut mpsc::UnboundedReceiver<Entry<B>>) {
        loop {
            let first = if self.held.is_empty() {
                match entries.recv().await {
                    Some(entry) => Some(entry),
                    None => return,
                }
            } else if self.is_due() {
                entries.try_recv().ok()
            } else {
                tokio::select! {
                    Some(entry) = entries.recv() => Some(entry),
                    () = tokio::time::sleep_until(self.next_round) => None,
                }
            };
            if let Some(first) = first {
                self.write_fresh(first, entries).await;
            }
            if self.is_due() {
                self.try_again().await;
            }
            self.report();
        }
    }

    /// Whether a round is under way, or begins now.
    fn is_due(&self) -> bool {
        !self.held.is_empty() && (self.tried > 0 || self.next_round <= Instant::now())
    }

    /// Writes items that were not tried here before.
    async fn write_fresh(&mut self, first: Entry<B>, entries: &mut mpsc::UnboundedReceiver<Entry<B>>) {
        let mut fresh = vec![first];
        while fresh.len() < B::LIMIT
            && let Ok(entry) = entries.try_recv()
        {
            fresh.push(entry);
        }
        let behind = subjects_of(&self.held);
        let held = self.write_apart(fresh, behind).await;
        if self.held.is_empty() {
            self.next_round = Instant::now() + self.pause;
        }
        self.held.extend(held);
    }

    /// Tries the next stretch of items that are held up.
    async fn try_again(&mut self) {
        let end = self.held.len().min(self.tried + STRETCH);
        let rest = self.held.split_off(end);
        let stretch = self.held.split_off(self.tried);
        let behind = subjects_of(&self.held);
        let count = stretch.len();
        let held = self.write_apart(stretch, behind).await;
        self.progress |= held.len() < count;
        self.held.extend(held);
        self.tried = self.held.len();
        self.held.extend(rest);
        if self.tried == self.held.len() {
            self.pause = if self.progress { FIRST_PAUSE } else { LONGEST_PAUSE_WHEN_HELD_UP.min(self.pause * 2) };
            self.next_round = Instant::now() + self.pause;
            (self.tried, self.progress) = (0, false);
        }
    }

    /// Writes the entries in order, in as few statements as possible; returns the entries that are held up, and the entries
    /// behind them.
    async fn write_apart(&mut self, entries: Vec<Entry<B>>, mut behind: HashSet<u64>) -> Vec<Entry<B>> {
        let mut held = Vec::new();
        // The first batch is the last.
        let mut batches = in_batches(entries);
        batches.reverse();
        while let Some(batch) = batches.pop() {
            let (later, batch) = apart_from_those_behind(batch, &mut behind);
            held.extend(later);
            if batch.is_empty() {
                continue;
            }
            let subjects: Vec<u64> = batch.iter().flat_map(|entry| B::subjects(&entry.item)).collect();
            let Err((mut batch, error)) = flush(&*self.batch, &mut self.session, batch, &self.roundtrip).await else {
                self.subjects.leave(&subjects);
                continue;
            };
            if batch.len() > 1 {
                let second = batch.split_off(batch.len() / 2);
                batches.extend([second, batch]);
                continue;
            }
            let Some(lone) = batch.pop() else { continue };
            if !outage::is_held_up(&error) {
                self.subjects.leave(&subjects);
                lone.refuse(&error);
                continue;
            }
            behind.extend(&subjects);
            let Entry { item, written, aside, again } = lone;
            match B::held_up(item) {
                Ok(outcome) => {
                    self.subjects.leave(&subjects);
                    let _ = written.send(Ok(outcome));
                }
                Err(item) => held.push(Entry { item, written, aside, again }),
            }
        }
        held
    }

    /// Logs once that items are held up for long, and once that the hold-up is over.
    fn report(&mut self) {
        if self.held.is_empty() {
            self.held_since = None;
            if std::mem::take(&mut self.warned) {
                tracing::info!("no other transaction holds it up any more: can {}", B::WHAT);
            }
            return;
        }
        let since = *self.held_since.get_or_insert_with(Instant::now);
        if !self.warned && since.elapsed() >= WARN_AFTER {
            self.warned = true;
            tracing::warn!(
                held_up = self.held.len(),
                "another transaction holds locks: cannot {} for {} executions; the others go on",
                B::WHAT,
                self.held.len()
            );
        }
    }
}

/// Entries that have a subject of `behind`, or one of an earlier such entry; and the others.
fn apart_from_those_behind<B: Batch>(batch: Vec<Entry<B>>, behind: &mut HashSet<u64>) -> (Vec<Entry<B>>, Vec<Entry<B>>) {
    batch.into_iter().partition(|entry| {
        let is_behind = B::subjects(&entry.item).any(|subject| behind.contains(&subject));
        if is_behind {
            behind.extend(B::subjects(&entry.item));
        }
        is_behind
    })
}

fn subjects_of<B: Batch>(entries: &[Entry<B>]) -> HashSet<u64> {
    entries.iter().flat_map(|entry| B::subjects(&entry.item)).collect()
}

/// Batches, each small enough for one statement.
fn in_batches<B: Batch>(entries: Vec<Entry<B>>) -> Vec<Vec<Entry<B>>> {
    let mut batches = Vec::new();
    let mut load: Option<Load<B>> = None;
    for entry in entries {
        let left_over = match &mut load {
            Some(load) => load.add(entry),
            None => Some(entry),
        };
        if let Some(entry) = left_over {
            batches.extend(load.replace(Load::of(entry)).map(|full| full.entries));
        }
    }
    batches.extend(load.map(|last| last.entries));
    batches
}
