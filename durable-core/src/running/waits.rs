//! The waits of an execution: those of its futures, those of its journal that the code has not asked for, and those dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::task::{Poll, Waker};

use chrono::{DateTime, Utc};

use super::subtree::{below, has_below, outside, remove_below};
use crate::ids::ExecutionId;
use crate::model::{NewWait, RecordedWait, RefusedMessage, WaitOutcome};
use crate::plan::journal_key;
use crate::plan::spoil::{Spoil, is_spoiled};

/// Most waits that an execution asks for by name. With more waits, it gets all that ended since it last rested.
const MOST_WATCHED: usize = 16;

/// Every wait is in one of five maps, so that how many there are of a kind is never counted by hand.
#[derive(Debug, Default)]
pub(super) struct Waits {
    /// Polled for by a future, and unknown to the database. Sorted: of equal waits the first gets the first message, at every
    /// run.
    unregistered: BTreeMap<String, Unregistered>,
    /// Polled for by a future, and open in the database.
    registered: BTreeMap<String, Registered>,
    /// Ended, but the future has not looked yet.
    over: BTreeMap<String, Over>,
    /// Recorded as open by an earlier run of the code, and not asked for yet.
    known_open: BTreeMap<String, RecordedWait>,
    /// Recorded as ended, and not asked for yet.
    known_over: BTreeMap<String, RecordedWait>,
    /// Keys of waits that were dropped, and that are open in the database.
    dropped: BTreeSet<String>,
    /// The children that dropped waits were for.
    orphaned: Vec<ExecutionId>,
    /// Messages that the code cannot use, not yet recorded in the database.
    refused: Vec<RefusedMessage>,
    /// Keys of waits whose message code below a fork has received and has not gone on from, by the path of its scope.
    unused: BTreeMap<String, Vec<String>>,
    backoffs: BTreeMap<String, (DateTime<Utc>, Waker)>,
    /// Whether a child may have completed whose end the code will never read.
    unread_child: bool,
    /// When the first of the registered waits is due.
    next_due: Option<DateTime<Utc>>,
    /// Whether the database is being asked about the waits.
    asking: bool,
    /// Whether the database may know an answer, since it was last asked.
    nudged: bool,
}

#[derive(Debug)]
struct Unregistered {
    new: NewWait,
    waker: Waker,
}

#[derive(Debug)]
struct Registered {
    waker: Waker,
    child: Option<ExecutionId>,
}

#[derive(Debug)]
struct Over {
    wait: RecordedWait,
    waker: Waker,
    child: Option<ExecutionId>,
}

/// What a flush writes about the waits, and asks about them.
#[derive(Debug)]
pub(super) struct Question {
    /// How many waits the run takes for open.
    pub(super) open: usize,
    /// Their keys, if they are few.
    pub(super) watched: Vec<String>,
    pub(super) waits: Vec<NewWait>,
    pub(super) dropped: Vec<String>,
    pub(super) orphaned: Vec<ExecutionId>,
    pub(super) refused: Vec<RefusedMessage>,
    pub(super) wake_at: Option<DateTime<Utc>>,
}

/// When to ask the database about the waits of a run that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// A signal said that a wait may be over.
    Now,
    /// When the first wait is due; and at every poll interval if the database knows of any, because a signal may be lost.
    Later { registered: bool, due: Option<DateTime<Utc>> },
}

impl Waits {
    /// Adds the waits of a journal.
    pub(super) fn load(&mut self, waits: Vec<RecordedWait>) {
        for wait in waits {
            let known = if wait.outcome.is_none() { &mut self.known_open } else { &mut self.known_over };
            known.insert(wait.key.clone(), wait);
        }
    }

    /// How the wait ended. Until it ends, its future is woken when it does; a wait that is not known yet is registered.
    pub(super) fn poll(&mut self, key: &str, new: impl FnOnce() -> NewWait, waker: Waker) -> Poll<RecordedWait> {
        if let Some(over) = self.over.remove(key) {
            return Poll::Ready(over.wait);
        }
        if let Some(registered) = self.registered.get_mut(key) {
            registered.waker = waker;
        } else if let Some(unregistered) = self.unregistered.get_mut(key) {
            unregistered.waker = waker;
        } else if let Some(known) = self.known_over.remove(key) {
            return Poll::Ready(known);
        } else if let Some(known) = self.known_open.remove(key) {
            self.registered.insert(known.key, Registered { waker, child: known.child_id });
        } else {
            self.unregistered.insert(key.to_owned(), Unregistered { new: new(), waker });
        }
        Poll::Pending
    }

    /// How a wait of an earlier run of the code ended; for code that only replays.
    pub(super) fn replay(&mut self, key: &str) -> Poll<RecordedWait> {
        self.known_over.remove(key).map_or(Poll::Pending, Poll::Ready)
    }

    /// Forgets a wait whose future was dropped; the next question tells the database.
    pub(super) fn drop_wait(&mut self, key: &str) {
        let child = if let Some(over) = self.over.remove(key) {
            over.child
        } else if let Some(registered) = self.registered.remove(key) {
            registered.child
        } else {
            // A wait that is being registered right now counts as registered.
            match self.unregistered.remove(key) {
                Some(unregistered) if self.asking => child_of(&unregistered.new),
                _ => return,
            }
        };
        self.dropped.insert(key.to_owned());
        self.unread_child |= child.is_some();
        self.orphaned.extend(child);
    }

    /// Reopens a wait whose message the code cannot use.
    pub(super) fn refuse(&mut self, scope: &str, refused: RefusedMessage) {
        if let Some(given) = self.unused.get_mut(scope) {
            given.retain(|key| *key != refused.key);
        }
        self.registered.insert(refused.key.clone(), Registered { waker: Waker::noop().clone(), child: None });
        self.refused.push(refused);
    }

    /// Hands over waits that have ended. The wakers returned are those of their futures, and of all in a back-off.
    pub(super) fn resolve(&mut self, resolved: Vec<RecordedWait>) -> Vec<Waker> {
        let mut wakers = Vec::new();
        for wait in resolved {
            let (waker, child) = if let Some(Registered { waker, child }) = self.registered.remove(&wait.key) {
                (waker, child)
            } else if let Some(Unregistered { new, waker }) = self.unregistered.remove(&wait.key) {
                (waker, child_of(&new))
            } else if let Some(over) = self.over.remove(&wait.key) {
                (over.waker, over.child)
            } else {
                // The code has not asked for it yet; any other wait was asked for before, or dropped.
                if let Some(known) = self.known_open.remove(&wait.key) {
                    self.known_over.insert(known.key, RecordedWait { digest: known.digest, ..wait });
                }
                continue;
            };
            if !is_spoiled(Spoil::ForgetWakers) {
                wakers.push(waker.clone());
            }
            self.over.insert(wait.key.clone(), Over { wait, waker, child });
        }
        wakers.extend(std::mem::take(&mut self.backoffs).into_values().map(|(_, waker)| waker));
        wakers
    }

    /// What to tell the database, and to ask it.
    pub(super) fn ask(&mut self) -> Question {
        self.asking = true;
        self.nudged = false;
        Question {
            open: self.open(),
            watched: self.watched(),
            waits: self
                .unregistered
                .values()
                .filter(|_| !is_spoiled(Spoil::ForgetWaits))
                .map(|unregistered| unregistered.new.clone())
                .collect(),
            dropped: std::mem::take(&mut self.dropped).into_iter().filter(|_| !is_spoiled(Spoil::ForgetDrops)).collect(),
            orphaned: std::mem::take(&mut self.orphaned),
            refused: std::mem::take(&mut self.refused).into_iter().filter(|_| !is_spoiled(Spoil::ForgetRefusals)).collect(),
            wake_at: self.next_backoff(),
        }
    }

    /// Takes out the waits that were dropped and the messages that were refused, for the write with which the journal ends.
    pub(super) fn leave(&mut self) -> (Vec<String>, Vec<RefusedMessage>) {
        let dropped = std::mem::take(&mut self.dropped).into_iter().filter(|_| !is_spoiled(Spoil::ForgetDrops));
        (dropped.collect(), std::mem::take(&mut self.refused))
    }

    /// Notes that a question was answered: the database knows these waits now.
    pub(super) fn answered<'key>(&mut self, registered: impl Iterator<Item = &'key NewWait>) {
        self.asking = false;
        for wait in registered {
            if let Some((key, Unregistered { new, waker })) = self.unregistered.remove_entry(&wait.key) {
                self.registered.insert(key, Registered { waker, child: child_of(&new) });
            }
        }
    }

    /// Takes back a question that was not sent, or not accepted: what it says of waits is still to be said.
    pub(super) fn withdraw(&mut self, dropped: &[String], orphaned: &[ExecutionId], refused: &[RefusedMessage]) {
        self.asking = false;
        self.dropped.extend(dropped.iter().cloned());
        self.orphaned.extend(orphaned);
        self.refused.extend(refused.iter().cloned());
    }

    pub(super) fn is_asking(&self) -> bool {
        self.asking
    }

    /// Notes that the database may know an answer.
    pub(super) fn nudge(&mut self) {
        self.nudged = true;
    }

    pub(super) fn set_next_due(&mut self, due: Option<DateTime<Utc>>) {
        self.next_due = due;
    }

    /// When to ask the database.
    pub(super) fn next_look(&self) -> Look {
        // While the database is being asked, only a back-off that is sat out in memory may end.
        let has_registered = !self.registered.is_empty() || !self.over.is_empty();
        let registered = has_registered && !self.asking;
        if registered && self.nudged {
            return Look::Now;
        }
        let backoff = self.next_backoff();
        let due = if registered { self.next_due.into_iter().chain(backoff).min() } else { backoff };
        Look::Later { registered, due }
    }

    pub(super) fn register_backoff(&mut self, key: &str, until: DateTime<Utc>, waker: Waker) {
        self.backoffs.insert(key.to_owned(), (until, waker));
    }

    pub(super) fn drop_backoff(&mut self, key: &str) {
        self.backoffs.remove(key);
    }

    /// Whether anything waits: for a message, a time, a child, or the end of a back-off.
    pub(super) fn has_any(&self) -> bool {
        self.polled() > 0 || !self.backoffs.is_empty()
    }

    /// Drops the recorded waits that are open and that the code does not ask for, except those to keep.
    pub(super) fn drop_known(&mut self, is_kept: impl Fn(&str) -> bool) {
        for (key, wait) in self.known_open.extract_if(.., |key, _| !is_kept(key)) {
            self.orphaned.extend(wait.child_id);
            self.dropped.insert(key);
        }
    }

    /// Whether a wait has ended and its future has not looked.
    pub(super) fn has_answered(&self) -> bool {
        !self.over.is_empty()
    }

    /// Whether something is to be written.
    pub(super) fn has_news(&self) -> bool {
        !(self.unregistered.is_empty() && self.dropped.is_empty() && self.refused.is_empty())
    }

    /// Whether waits may stand open in the database that no code asks for.
    pub(super) fn leaves_open(&self) -> bool {
        !(self.dropped.is_empty() && self.known_open.is_empty())
    }

    /// The first of these keys that is recorded and not asked for, with the digest that was recorded.
    pub(super) fn find_known(&self, mut keys: impl Iterator<Item = String>) -> Option<(String, Option<u64>)> {
        if self.known_open.is_empty() && self.known_over.is_empty() {
            return None;
        }
        keys.find_map(|key| {
            let known = self.known_open.get(&key).or_else(|| self.known_over.get(&key))?;
            Some((key, known.digest.map(i64::cast_unsigned)))
        })
    }

    /// Whether the wait is recorded as ended, and not asked for.
    pub(super) fn has_ended(&self, key: &str) -> bool {
        self.known_over.contains_key(key)
    }

    pub(super) fn has_entry(&self, key: &str) -> bool {
        self.known_open.contains_key(key) || self.known_over.contains_key(key)
    }

    pub(super) fn has_below(&self, path: &str) -> bool {
        has_below(&self.known_open, path) || has_below(&self.known_over, path)
    }

    /// Whether a wait is recorded that the code reaches only after this key.
    pub(super) fn continues_after(&self, key: &str) -> bool {
        self.known_open.keys().chain(self.known_over.keys()).any(|other| journal_key::comes_after(other, key))
    }

    /// The keys of waits that have ended and that the code has not asked for.
    pub(super) fn not_reached(&self) -> impl Iterator<Item = &String> {
        self.known_over.values().filter(|wait| !wait.is_cancelled()).map(|wait| &wait.key)
    }

    /// The keys that the code never asked for. A wait that was dropped is recorded as cancelled, and does not count.
    pub(super) fn unasked(&self) -> impl Iterator<Item = &String> {
        let over = self.known_over.values().filter(|wait| !wait.is_cancelled()).map(|wait| &wait.key);
        self.known_open.keys().chain(over)
    }

    /// Notes that the code in that scope received a message: until it goes on, the message may be unused.
    pub(super) fn give_message(&mut self, scope: &str, key: &str) {
        self.unused.entry(scope.to_owned()).or_default().push(key.to_owned());
    }

    /// Notes that the code in that scope goes on: messages given to it, around it or below it were used.
    pub(super) fn use_messages(&mut self, scope: &str) {
        if self.unused.is_empty() {
            return;
        }
        for (end, _) in scope.match_indices('/') {
            self.unused.remove(&scope[..=end]);
        }
        remove_below(&mut self.unused, scope, |_| true);
    }

    /// The waits below `path`, but not below `kept` in it, that are open or gave a message that was not used.
    pub(super) fn unfinished_below(&self, path: &str, kept: &str) -> Vec<String> {
        let lost = |key: &str| key.starts_with(path) && outside_of(path, kept, key);
        let polled = self.unregistered.keys().chain(self.registered.keys()).chain(self.over.keys());
        let polled = polled.filter(|key| lost(key));
        let known = below(&self.known_open, path).map(|(key, _)| key).filter(|key| lost(key));
        let unused = below(&self.unused, path).filter(|(scope, _)| lost(scope)).flat_map(|(_, keys)| keys);
        let unused = unused.filter(|_| !is_spoiled(Spoil::KeepUnused));
        let mut keys: Vec<String> = polled.chain(known).chain(unused).cloned().collect();
        keys.sort_unstable();
        keys
    }

    /// Passes over the recorded waits below `path`, except below `kept` in it. Messages of `unfinished` waits are given back.
    pub(super) fn pass_over(&mut self, path: &str, kept: &str, unfinished: &[String]) {
        remove_below(&mut self.unused, path, outside(path, kept));
        // The process that dropped these branches may have died before it wrote this.
        for wait in remove_below(&mut self.known_open, path, outside(path, kept)) {
            self.orphaned.extend(wait.child_id);
            self.dropped.insert(wait.key);
        }
        for wait in remove_below(&mut self.known_over, path, outside(path, kept)) {
            if wait.outcome == Some(WaitOutcome::Received) && unfinished.contains(&wait.key) {
                self.dropped.insert(wait.key);
            }
        }
    }

    /// Gives back messages of waits whose futures are gone.
    pub(super) fn give_back(&mut self, unfinished: &[String]) {
        self.dropped.extend(unfinished.iter().cloned());
    }

    pub(super) fn take_orphaned(&mut self) -> Vec<ExecutionId> {
        std::mem::take(&mut self.orphaned)
    }

    /// Notes that a child may have completed, and the code has not read its end.
    pub(super) fn note_unread_child(&mut self) {
        self.unread_child = true;
    }

    /// Whether a child may have completed whose end the code has not read.
    pub(super) fn has_unread_children(&self) -> bool {
        self.unread_child || self.known_open.values().chain(self.known_over.values()).any(|wait| wait.child_id.is_some())
    }

    fn polled(&self) -> usize {
        self.unregistered.len() + self.registered.len() + self.over.len()
    }

    fn open(&self) -> usize {
        self.polled() + self.known_open.len()
    }

    fn watched(&self) -> Vec<String> {
        if self.open() > MOST_WATCHED {
            return Vec::new();
        }
        let polled = self.unregistered.keys().chain(self.registered.keys()).chain(self.over.keys());
        polled.chain(self.known_open.keys()).cloned().collect()
    }

    fn next_backoff(&self) -> Option<DateTime<Utc>> {
        self.backoffs.values().map(|(until, _)| *until).min()
    }
}

fn outside_of(path: &str, kept: &str, key: &str) -> bool {
    !key[path.len()..].starts_with(kept)
}

fn child_of(new: &NewWait) -> Option<ExecutionId> {
    Some(new.details.as_ref()?.child.as_ref()?.id)
}

#[cfg(test)]
mod tests;
