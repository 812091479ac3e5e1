//! How a run comes to rest: nothing in it runs, and something waits.

use std::sync::Arc;
use std::task::{self, Poll, Waker};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use super::{FamilyNews, OpenWait, Run, State, Verdict};
use crate::error::{Failure, Result};
use crate::model::{NewWait, RecordedWait};
use crate::payload::Payload;
use crate::store::parks::{Park, ParkOutcome};
use crate::store::saves::Written;

/// Pause after asking too early: about as long as reading the clock takes.
const PAUSE_WHEN_EARLY: Duration = Duration::from_millis(2);

/// Most waits that an execution asks for by name. With more waits, it gets all that ended since it last rested.
const MOST_WATCHED: usize = 16;

/// How far one stretch of running got.
#[derive(Debug)]
pub(crate) enum Rest {
    /// The workflow returned.
    Finished(Result<Payload>),
    /// The workflow panicked.
    Panicked(Box<Failure>),
    /// Checkpoints were left, and no step has begun that would write them.
    Unwritten,
    /// Nothing runs and something waits.
    Waiting,
    /// Something waits that the database does not know of, while something else runs.
    Unregistered,
    /// The run ends here.
    Ended(Verdict),
}

/// When to look what became of the waits of a run that goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Look {
    /// Somebody said that one may be over.
    Now,
    /// When the first is due; and now and then if the database knows of any, whose messages nobody may have heard.
    Later { registered: bool, due: Option<DateTime<Utc>> },
}

/// While it lives, a future of the run does something else than wait.
#[derive(Debug)]
pub(crate) struct Busy {
    run: Arc<Run>,
}

/// While it lives, something that the run has sent off to be written is not answered, and the run does something else than wait.
#[derive(Debug)]
pub(crate) struct Unanswered {
    run: Arc<Run>,
}

impl Run {
    /// Why the run is not to be polled any more, if anything ended it.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.state().verdict.clone()
    }

    /// Whether the run rests after a poll; `goes_on` says that its code will be polled again without an answer of the engine.
    pub(crate) fn rest_after(&self, polled: Result<Poll<Result<Payload>>, Box<Failure>>, goes_on: bool) -> Poll<Rest> {
        let state = self.state();
        if let Some(verdict) = state.verdict.clone() {
            return Poll::Ready(Rest::Ended(verdict));
        }
        match polled {
            Ok(Poll::Ready(_)) | Err(_) if state.outdated => return Poll::Ready(Rest::Ended(Verdict::Released)),
            Ok(Poll::Ready(result)) => return Poll::Ready(Rest::Finished(result)),
            Err(failure) => return Poll::Ready(Rest::Panicked(failure)),
            Ok(Poll::Pending) => {}
        }
        if state.stopped && state.busy == state.stuck {
            return Poll::Ready(Rest::Ended(Verdict::Released));
        }
        let goes_on = state.busy > 0 || state.answered > 0 || goes_on;
        let waits = !(state.waits.is_empty() && state.backoffs.is_empty());
        let unknown = state.unregistered > 0 || !state.dropped.is_empty() || !state.refused.is_empty();
        if !state.unwritten.is_empty() {
            Poll::Ready(Rest::Unwritten)
        } else if waits && !goes_on {
            Poll::Ready(Rest::Waiting)
        } else if unknown && !state.asking {
            Poll::Ready(Rest::Unregistered)
        } else {
            Poll::Pending
        }
    }

    /// Whether something in the run does something else than wait.
    pub(crate) fn is_busy(&self) -> bool {
        self.state().busy > 0
    }

    /// Counts a future as doing something until the guard is dropped.
    pub(crate) fn begin_work(self: &Arc<Self>) -> Busy {
        self.state().busy += 1;
        Busy { run: self.clone() }
    }

    /// Counts a write as unanswered until the guard is dropped; then the run is polled.
    pub(crate) fn begin_write(self: &Arc<Self>) -> Unanswered {
        let mut state = self.state();
        state.busy += 1;
        state.unanswered += 1;
        drop(state);
        Unanswered { run: self.clone() }
    }

    /// Returns when everything that was sent off is answered. The code has come to its end.
    pub(crate) async fn until_answered(&self) {
        self.state().settling = true;
        let answered = |cx: &mut task::Context<'_>| {
            self.bell.is_for(cx.waker());
            if self.state().unanswered > 0 { Poll::Pending } else { Poll::Ready(()) }
        };
        std::future::poll_fn(answered).await;
    }

    /// How the wait ended; until it does its future is woken when it is, and the database is told of a wait it does not know.
    pub(crate) fn poll_wait(&self, key: &str, new: impl FnOnce() -> NewWait, waker: Waker) -> Poll<RecordedWait> {
        let mut state = self.state();
        if let Some(open) = state.waits.get_mut(key) {
            open.waker = waker;
            if open.over.is_none() {
                return Poll::Pending;
            }
            return state.forget_wait(key).and_then(|open| open.over).map_or(Poll::Pending, Poll::Ready);
        }
        let (new, child) = match state.take_known(key) {
            Some(known) if known.outcome.is_some() => return Poll::Ready(known),
            // It was registered in an earlier life of the run.
            Some(known) => (None, known.child_id),
            None => {
                let new = new();
                let child = new.details.as_ref().and_then(|details| details.child.as_ref()).map(|child| child.id);
                (Some(new), child)
            }
        };
        state.unregistered += usize::from(new.is_some());
        state.waits.insert(key.to_owned(), OpenWait { new, over: None, waker, child });
        Poll::Pending
    }

    /// How a wait of an earlier life of the run ended; for code that only replays.
    pub(crate) fn replay_wait(&self, key: &str) -> Poll<RecordedWait> {
        let mut state = self.state();
        match state.known.get(key) {
            Some(known) if known.outcome.is_some() => state.take_known(key).map_or(Poll::Pending, Poll::Ready),
            _ => Poll::Pending,
        }
    }

    /// Forgets a wait whose future was dropped; the database hears of it with the next parking.
    pub(crate) fn drop_wait(&self, key: &str) {
        let mut state = self.state();
        let Some(open) = state.forget_wait(key) else { return };
        // One that is being registered right now counts as registered.
        if open.new.is_none() || state.asking {
            state.dropped.insert(key.to_owned());
            state.unheard |= open.child.is_some();
            state.orphaned.extend(open.child);
        }
    }

    /// Registers a back-off that is too long to be sat out in memory.
    pub(crate) fn register_backoff(&self, key: &str, until: DateTime<Utc>, waker: Waker) {
        self.state().backoffs.insert(key.to_owned(), (until, waker));
    }

    pub(crate) fn drop_backoff(&self, key: &str) {
        self.state().backoffs.remove(key);
    }

    /// Hands over waits that are over, and lets their futures look; those in a back-off look, too.
    pub(crate) fn resolve(&self, resolved: Vec<RecordedWait>) {
        let mut state = self.state();
        let mut wakers: Vec<Waker> = Vec::new();
        for wait in resolved {
            wait.resolved_at.inspect(|at| self.latest.note(*at));
            let Some(open) = state.waits.get_mut(&wait.key) else {
                state.resolve_known(wait);
                continue;
            };
            wakers.push(open.waker.clone());
            if open.over.replace(wait).is_none() {
                state.answered += 1;
            }
        }
        wakers.extend(state.backoffs.drain().map(|(_, (_, waker))| waker));
        drop(state);
        wakers.iter().for_each(Waker::wake_by_ref);
    }

    /// What to tell the database of the waits: those it does not know, and those that were dropped.
    pub(crate) fn to_park(&self, stays: bool) -> Park {
        let mut state = self.state();
        state.asking = true;
        state.nudged = false;
        Park {
            worker: state.hold.worker,
            id: self.id,
            epoch: state.hold.epoch,
            since: self.clock.now(),
            stays,
            open: state.waits.len() + state.known_open,
            watched: state.watched(),
            waits: state.new_waits(),
            dropped: std::mem::take(&mut state.dropped).into_iter().collect(),
            orphaned: std::mem::take(&mut state.orphaned),
            refused: std::mem::take(&mut state.refused),
            wake_at: state.backoffs.values().map(|(until, _)| *until).min(),
        }
    }

    /// Takes note of what the database knows now.
    pub(crate) fn parked(&self, park: &Park, accepted: bool) {
        let mut state = self.state();
        state.asking = false;
        if !accepted {
            return;
        }
        let news = &self.lanes.family.news;
        let children = park.waits.iter().filter_map(|wait| wait.details.as_ref()?.child.as_ref());
        for child in children {
            // Nobody listens in an engine that shuts down; polling finds the child.
            let _ = news.send(FamilyNews::Started(child.queue.clone()));
        }
        if !park.orphaned.is_empty() {
            let _ = news.send(FamilyNews::Orphaned(park.orphaned.clone(), oneshot::channel().0));
        }
        for wait in &park.waits {
            if let Some(open) = state.waits.get_mut(&wait.key)
                && open.new.take().is_some()
            {
                state.unregistered -= 1;
            }
        }
        drop(state);
        park.waits.iter().filter(|wait| wait.is_awaited()).for_each(|wait| self.observed.waits(wait, park.since));
    }

    /// Asks the database, while the run goes on, what became of its waits; registers those that it does not know.
    pub(crate) fn ask_soon(self: &Arc<Self>) {
        if self.state().asking {
            return;
        }
        let park = self.to_park(true);
        let (run, write) = (self.clone(), self.begin_write());
        tokio::spawn(async move {
            run.ask(&park).await;
            drop(write);
            run.asked.notify_one();
        });
    }

    /// Returns when no write of the code that has ended is on its way: neither a commit, nor a question about its waits, which
    /// may start a child.
    pub(crate) async fn settled(&self) {
        self.commits_settled().await;
        while {
            let mut state = self.state();
            state.settling = true;
            state.asking
        } {
            self.asked.notified().await;
        }
    }

    async fn ask(&self, park: &Park) {
        // What led to a wait, or to its end, is on record before it: a replay comes to the same waits.
        if self.until_written().await == Written::Refused {
            self.parked(park, false);
            return self.lose();
        }
        let outcome = self.lanes.parks.write_when_free(park, || self.state().settling).await;
        self.parked(park, matches!(outcome, Ok(ParkOutcome::Parked { .. } | ParkOutcome::Resolved { .. })));
        match outcome {
            Ok(ParkOutcome::Parked { wake_at }) => {
                if wake_at.is_some_and(|due| due <= self.clock.now()) {
                    // This process's clock runs ahead of the database's: read it again rather than ask in a circle.
                    self.clock.doubt();
                    tokio::time::sleep(PAUSE_WHEN_EARLY).await;
                }
                self.state().next_due = wake_at;
            }
            Ok(ParkOutcome::Resolved { waits, wake_at }) => {
                self.state().next_due = wake_at;
                self.resolve(waits);
            }
            // Nobody wants to know any more.
            Ok(ParkOutcome::Busy) => {}
            Ok(ParkOutcome::Lost) => self.give_up(Verdict::Lost),
            Ok(ParkOutcome::Unreadable(problem)) => {
                let report = format!("its waits cannot be read ({problem}); repair the rows, then resume it");
                self.give_up(Verdict::Diverged(report));
            }
            Err(error) => {
                tracing::error!(execution_id = %self.id, %error, "waits were refused");
                self.give_up(Verdict::Refused(Box::new(error.failure().clone())));
            }
        }
    }

    /// Somebody says that a wait may be over.
    pub(crate) fn note_nudge(&self) {
        self.state().nudged = true;
    }

    /// When the waits of a run that goes on are worth a look.
    pub(crate) fn next_look(&self) -> Look {
        let state = self.state();
        let backoff = state.backoffs.values().map(|(until, _)| *until).min();
        // While the database is being asked, only what is sat out in memory is looked at.
        let registered = !state.asking && state.waits.len() > state.unregistered;
        if registered && state.nudged {
            return Look::Now;
        }
        let due = if registered { state.next_due.into_iter().chain(backoff).min() } else { backoff };
        Look::Later { registered, due }
    }

    /// Lets every future that sits out a back-off look whether it is over.
    pub(crate) fn wake_backoffs(&self) {
        self.resolve(Vec::new());
    }
}

impl State {
    /// Takes a wait of the journal out, as it is asked for once.
    pub(crate) fn take_known(&mut self, key: &str) -> Option<RecordedWait> {
        let known = self.known.remove(key)?;
        self.known_open -= usize::from(known.outcome.is_none());
        Some(known)
    }

    /// The waits to register, in the order of their keys: of equal ones the first gets the first message, at every run.
    fn new_waits(&self) -> Vec<NewWait> {
        let mut waits: Vec<NewWait> = self.waits.values().filter_map(|open| open.new.clone()).collect();
        waits.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        waits
    }

    /// The waits that this run believes open, if they are few enough to be named.
    fn watched(&self) -> Vec<String> {
        if self.waits.len() + self.known_open > MOST_WATCHED {
            return Vec::new();
        }
        let known = self.known.values().filter(|wait| wait.outcome.is_none()).map(|wait| &wait.key);
        self.waits.keys().chain(known).cloned().collect()
    }

    /// Takes note of how a wait ended that nobody has asked for yet; any other was asked for before, or dropped.
    fn resolve_known(&mut self, wait: RecordedWait) {
        if let Some(known) = self.known.get_mut(&wait.key)
            && known.outcome.is_none()
        {
            self.known_open -= 1;
            *known = RecordedWait { digest: known.digest, ..wait };
        }
    }

    fn forget_wait(&mut self, key: &str) -> Option<OpenWait> {
        let open = self.waits.remove(key)?;
        self.unregistered -= usize::from(open.new.is_some());
        self.answered -= usize::from(open.over.is_some());
        Some(open)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.run.state().busy -= 1;
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        let mut state = self.run.state();
        state.busy -= 1;
        state.unanswered -= 1;
        drop(state);
        self.run.bell.ring();
    }
}
