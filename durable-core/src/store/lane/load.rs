//! Which entries go out together in the next flush, and which wait for a flush that is in flight.

use std::collections::{HashMap, HashSet, VecDeque};

use tokio::sync::mpsc;

use super::siding::Sidings;
use super::{Batch, Entry, MOST_BYTES};

/// The entries of one flush.
pub(super) struct Load<B: Batch> {
    pub(super) entries: Vec<Entry<B>>,
    bytes: usize,
}

impl<B: Batch> Load<B> {
    pub(super) fn of(first: Entry<B>) -> Self {
        Self { bytes: B::size(&first.item), entries: vec![first] }
    }

    /// The subjects of all entries; a subject may be there several times.
    pub(super) fn subjects(&self) -> Vec<u64> {
        self.entries.iter().flat_map(|entry| B::subjects(&entry.item)).collect()
    }

    fn has_room(&self) -> bool {
        self.entries.len() < B::LIMIT
    }

    /// Whether it has an entry with a subject of this one.
    fn is_about(&self, entry: &Entry<B>) -> bool {
        let subjects = B::subjects(&entry.item);
        self.entries.iter().any(|loaded| B::subjects(&loaded.item).iter().any(|subject| subjects.contains(subject)))
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

/// The subjects of the flushes in flight, each with the number of its items.
#[derive(Debug, Default)]
pub(super) struct InFlight(HashMap<u64, usize>);

impl InFlight {
    pub(super) fn enter(&mut self, subjects: &[u64]) {
        for subject in subjects {
            *self.0.entry(*subject).or_default() += 1;
        }
    }

    pub(super) fn leave(&mut self, subjects: &[u64]) {
        for subject in subjects {
            if let Some(items) = self.0.get_mut(subject) {
                *items -= 1;
                if *items == 0 {
                    self.0.remove(subject);
                }
            }
        }
    }
}

/// The entries that have not gone out yet.
pub(super) struct Backlog<B: Batch> {
    queue: mpsc::UnboundedReceiver<Entry<B>>,
    /// Entries that have left the queue, in order. They come before everything in the queue.
    passed_over: VecDeque<Entry<B>>,
}

impl<B: Batch> Backlog<B> {
    pub(super) fn new(queue: mpsc::UnboundedReceiver<Entry<B>>) -> Self {
        Self { queue, passed_over: VecDeque::new() }
    }

    /// How many entries have not gone out yet.
    pub(super) fn len(&self) -> usize {
        self.passed_over.len() + self.queue.len()
    }

    /// Returns when there is an entry; `false` if the lane is closed and everything has gone out.
    pub(super) async fn fill(&mut self) -> bool {
        if self.passed_over.is_empty() {
            self.passed_over.extend(self.queue.recv().await);
        }
        !self.passed_over.is_empty()
    }

    /// Takes the entries of the next flush, and puts entries on a siding that must go out there. An entry is passed over if it
    /// shares a subject with a flush in flight, or with an earlier entry that is passed over.
    pub(super) fn next_load(&mut self, in_flight: &InFlight, sidings: &Sidings<B>) -> Option<Load<B>> {
        let mut load: Option<Load<B>> = None;
        let mut earlier = std::mem::take(&mut self.passed_over);
        let mut behind: HashSet<u64> = HashSet::new();
        while load.as_ref().is_none_or(Load::has_room)
            && let Some(entry) = earlier.pop_front().or_else(|| self.queue.try_recv().ok())
        {
            // A lane with one flush at a time looks at no subjects here.
            let is_behind = !(in_flight.0.is_empty() && behind.is_empty())
                && B::subjects(&entry.item).iter().any(|subject| in_flight.0.contains_key(subject) || behind.contains(subject));
            let follows_load = || sidings.would_divert(&entry) && load.as_ref().is_some_and(|load| load.is_about(&entry));
            if is_behind || follows_load() {
                behind.extend(B::subjects(&entry.item));
                self.passed_over.push_back(entry);
                continue;
            }
            let Some(entry) = sidings.divert(entry) else { continue };
            let left_over = match &mut load {
                Some(load) => load.add(entry),
                None => {
                    load = Some(Load::of(entry));
                    None
                }
            };
            if let Some(entry) = left_over {
                // The next flush begins with it, unless entries that were passed over can go out by then.
                self.passed_over.push_back(entry);
                break;
            }
        }
        self.passed_over.append(&mut earlier);
        load
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sqlx::PgConnection;
    use tokio::sync::oneshot;

    use super::super::siding::tests::no_sidings;
    use super::*;
    use crate::store::Store;

    /// A write of one subject: the how many-th write of the subject it is.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    struct Write {
        subject: u64,
        nth: usize,
    }

    #[derive(Debug)]
    struct Writes;

    impl Batch for Writes {
        type Item = Write;
        type Outcome = ();
        const WHAT: &'static str = "write";
        const LIMIT: usize = 4;

        fn go_together(first: &Write, next: &Write) -> bool {
            first.subject.is_multiple_of(2) == next.subject.is_multiple_of(2)
        }

        fn subjects(item: &Write) -> Vec<u64> {
            vec![item.subject]
        }

        fn size(_: &Write) -> usize {
            1
        }

        async fn flush(&self, _: &Store, _: &mut PgConnection, items: &[Write], _: bool) -> Result<Vec<()>, sqlx::Error> {
            Ok(vec![(); items.len()])
        }
    }

    /// A backlog of writes of these subjects, in this order.
    fn backlog(subjects: &[u64]) -> Backlog<Writes> {
        let (queue, entries) = mpsc::unbounded_channel();
        for (place, subject) in subjects.iter().enumerate() {
            let nth = subjects[..place].iter().filter(|earlier| *earlier == subject).count();
            let item = Write { subject: *subject, nth };
            queue.send(Entry { item, written: oneshot::channel().0, aside: false, again: false }).unwrap();
        }
        Backlog::new(entries)
    }

    /// The subjects of the next load.
    fn next(backlog: &mut Backlog<Writes>, in_flight: &InFlight) -> Vec<u64> {
        backlog.next_load(in_flight, &no_sidings()).map(|load| load.subjects()).unwrap_or_default()
    }

    #[test]
    fn a_write_waits_for_the_flush_in_flight_that_shares_its_subject_and_the_others_pass_it() {
        let mut backlog = backlog(&[2, 4, 2, 6]);
        let mut in_flight = InFlight::default();
        in_flight.enter(&[2]);
        assert_eq!(next(&mut backlog, &in_flight), [4, 6]);
        assert!(next(&mut backlog, &in_flight).is_empty());
        assert_eq!(backlog.len(), 2);
        in_flight.leave(&[2]);
        assert_eq!(next(&mut backlog, &in_flight), [2, 2]);
    }

    #[test]
    fn a_subject_is_in_flight_until_its_last_item_has_left() {
        let mut backlog = backlog(&[2]);
        let mut in_flight = InFlight::default();
        in_flight.enter(&[2, 2]);
        in_flight.leave(&[2]);
        assert!(next(&mut backlog, &in_flight).is_empty());
        in_flight.leave(&[2]);
        assert_eq!(next(&mut backlog, &in_flight), [2]);
    }

    #[test]
    fn a_write_that_does_not_go_together_with_the_load_ends_it_and_begins_the_next() {
        let mut backlog = backlog(&[2, 3, 4]);
        let none = InFlight::default();
        assert_eq!(next(&mut backlog, &none), [2]);
        assert_eq!(next(&mut backlog, &none), [3]);
        assert_eq!(next(&mut backlog, &none), [4]);
    }

    proptest! {
        /// With two flushes in flight, which end in any order: every write goes out once, writes of one subject go out in order,
        /// and no two flushes in flight share a subject.
        #[test]
        fn writes_of_one_subject_never_overlap_and_keep_their_order(
            subjects in proptest::collection::vec(0_u64..6, 0..40),
            first_ends in proptest::collection::vec(any::<bool>(), 200),
        ) {
            let mut backlog = backlog(&subjects);
            let mut in_flight = InFlight::default();
            let mut flushes: VecDeque<Vec<Write>> = VecDeque::new();
            let mut written: Vec<Write> = Vec::new();
            for first_ends in first_ends {
                while flushes.len() < 2 && let Some(load) = backlog.next_load(&in_flight, &no_sidings()) {
                    let load: Vec<Write> = load.entries.iter().map(|entry| entry.item).collect();
                    for write in &load {
                        let others = flushes.iter().flatten();
                        prop_assert!(!others.clone().any(|other| other.subject == write.subject));
                    }
                    in_flight.enter(&load.iter().map(|write| write.subject).collect::<Vec<_>>());
                    flushes.push_back(load);
                }
                let ended = if first_ends { flushes.pop_front() } else { flushes.pop_back() };
                let Some(ended) = ended else { break };
                in_flight.leave(&ended.iter().map(|write| write.subject).collect::<Vec<_>>());
                written.extend(ended);
            }
            prop_assert_eq!(written.len(), subjects.len());
            for subject in 0..6 {
                let places = written.iter().filter(|write| write.subject == subject).map(|write| write.nth);
                prop_assert!(places.eq(0..subjects.iter().filter(|other| **other == subject).count()));
            }
        }
    }
}
