//! How a run waits: which waits its futures have, what it writes to the database and asks it, and what the answers change.

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use super::Run;
use crate::model::{NewWait, RecordedWait, RefusedMessage};
use crate::running::hold::{Hold, Verdict};
use crate::running::ledger::FamilyNews;
use crate::running::waits::Look;
use crate::store::parks::{Park, ParkOutcome};
use crate::store::saves::Written;

/// Pause after asking too early: about as long as reading the clock takes.
const PAUSE_WHEN_EARLY: Duration = Duration::from_millis(2);

/// Longest recorded reason, in bytes: an error may quote the whole message.
const LONGEST_REASON: usize = 1000;

impl Run {
    /// How the wait ended. Until it ends, its future is woken when it does, and a new wait is registered in the database.
    pub(crate) fn poll_wait(&self, key: &str, new: impl FnOnce() -> NewWait, waker: Waker) -> Poll<RecordedWait> {
        self.state().waits.poll(key, new, waker)
    }

    /// How a wait of an earlier run of the code ended; for code that only replays.
    pub(crate) fn replay_wait(&self, key: &str) -> Poll<RecordedWait> {
        self.state().waits.replay(key)
    }

    /// Removes a wait whose future was dropped. The next parking writes this to the database.
    pub(crate) fn drop_wait(&self, key: &str) {
        self.state().waits.drop_wait(key);
    }

    /// The first of these keys under which an earlier run of the code waited, and that this one has not asked for; with the
    /// digest that was recorded.
    pub(crate) fn find_known(&self, keys: impl Iterator<Item = String>) -> Option<(String, Option<u64>)> {
        self.state().waits.find_known(keys)
    }

    /// Whether an earlier run of the code knows how the wait of that key ended.
    pub(crate) fn has_ended(&self, key: &str) -> bool {
        self.state().waits.has_ended(key)
    }

    /// Whether an earlier run of the code went on after this wait: a later entry is recorded and was not asked for yet.
    pub(crate) fn has_gone_on_from(&self, key: &str) -> bool {
        let state = self.state();
        state.journal.continues_after(key) || state.waits.continues_after(key)
    }

    /// Reopens a wait if the code cannot use its message. The next parking reopens it in the database and records the reason.
    pub(crate) fn refuse_message(&self, scope: &str, over: &RecordedWait, reason: &str) {
        // Postgres holds no NUL.
        let reason = reason[..reason.floor_char_boundary(LONGEST_REASON)].replace('\0', "\u{fffd}");
        tracing::warn!(
            execution_id = %self.id,
            wait = over.key,
            answered_by = over.answered_by,
            reason,
            "a message was refused, and the wait goes on"
        );
        self.state().waits.refuse(scope, RefusedMessage { key: over.key.clone(), message_id: over.message_id, reason });
    }

    /// Notes that code in that scope received a message. Until the code makes its next durable call, the message may be unused.
    pub(crate) fn give_message(&self, scope: &str, key: &str) {
        self.state().waits.give_message(scope, key);
    }

    /// Notes that code in that scope makes another durable call: all messages given to it, around it or below it were used.
    pub(crate) fn use_messages(&self, scope: &str) {
        self.state().waits.use_messages(scope);
    }

    /// The waits of the branches that lost, all below `path` but `kept`, that are open or gave a message that was not used.
    pub(crate) fn unfinished_below(&self, path: &str, kept: &str) -> Vec<String> {
        self.state().waits.unfinished_below(path, kept)
    }

    /// Ends waits whose messages were not used, though their futures are gone.
    pub(crate) fn give_back(&self, unfinished: &[String]) {
        self.state().waits.give_back(unfinished);
    }

    /// Drops the waits of an earlier run of the code that no code will ask for, except those to keep.
    pub(crate) fn drop_known_waits(&self, is_kept: impl Fn(&str) -> bool) {
        self.state().waits.drop_known(is_kept);
    }

    /// Registers a back-off that is too long to be sat out in memory.
    pub(crate) fn register_backoff(&self, key: &str, until: DateTime<Utc>, waker: Waker) {
        self.state().waits.register_backoff(key, until, waker);
    }

    pub(crate) fn drop_backoff(&self, key: &str) {
        self.state().waits.drop_backoff(key);
    }

    /// Hands over waits that are over, and wakes their futures; those in a back-off look, too.
    pub(crate) fn resolve(&self, resolved: Vec<RecordedWait>) {
        resolved.iter().filter_map(|wait| wait.resolved_at).for_each(|at| self.latest.note(at));
        let wakers = self.state().waits.resolve(resolved);
        wakers.iter().for_each(Waker::wake_by_ref);
    }

    /// Lets every future that sits out a back-off look whether it is over.
    pub(crate) fn wake_backoffs(&self) {
        self.resolve(Vec::new());
    }

    /// Parks the execution, unless waits are over already.
    pub(crate) async fn park(&self) -> crate::error::Result<ParkOutcome> {
        let park = self.to_park(false);
        let outcome = self.ledger.park(&park, &|| false).await;
        self.parked(&park, &outcome);
        outcome
    }

    /// Asks the database about the run's waits while the run continues, and registers new ones.
    pub(crate) fn ask_soon(self: &Arc<Self>) {
        if self.state().waits.is_asking() {
            return;
        }
        let park = self.to_park(true);
        let (run, unanswered) = (self.clone(), self.expect_answer());
        tokio::spawn(async move {
            run.ask(&park).await;
            drop(unanswered);
            run.look_again.notify_one();
        });
    }

    /// Returns when no write of the code that has ended is on its way: neither a commit, nor a question about its waits, which
    /// may start a child.
    pub(crate) async fn settled(&self) {
        self.commits_settled().await;
        while {
            let mut state = self.state();
            state.settling = true;
            state.waits.is_asking()
        } {
            self.look_again.notified().await;
        }
    }

    /// Notes that a signal says that a wait may be over.
    pub(crate) fn nudge(&self) {
        self.state().waits.nudge();
        self.look_again.notify_one();
    }

    /// Returns when the database is to be asked about the waits of a run that continues: a wait is due, a signal says that one may
    /// be over, or the run has not asked for a poll interval.
    pub(crate) async fn until_look(&self, poll_interval: Duration) {
        loop {
            let Look::Later { registered, due } = self.next_look() else { return };
            let due = async {
                match due {
                    Some(due) => self.clock.reached(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                // In a fixed order, so that a simulation repeats itself.
                biased;
                () = due => return,
                () = self.look_again.notified() => {}
                () = tokio::time::sleep(poll_interval), if registered => return,
            }
        }
    }

    fn next_look(&self) -> Look {
        let state = self.state();
        // A run that must be replayed has nothing to ask: the answer would be refused.
        if state.outdated { Look::Later { registered: false, due: None } } else { state.waits.next_look() }
    }

    fn to_park(&self, stays: bool) -> Park {
        let mut state = self.state();
        let Hold { worker, epoch } = state.hold;
        let question = state.waits.ask();
        Park {
            worker,
            id: self.id,
            epoch,
            since: self.clock.now(),
            stays,
            open: question.open,
            watched: question.watched,
            waits: question.waits,
            dropped: question.dropped,
            orphaned: question.orphaned,
            refused: question.refused,
            wake_at: question.wake_at,
        }
    }

    /// Notes what the database knows now.
    fn parked(&self, park: &Park, outcome: &crate::error::Result<ParkOutcome>) {
        let accepted = matches!(outcome, Ok(ParkOutcome::Parked { .. } | ParkOutcome::Resolved { .. }));
        if !accepted {
            // The end of the execution still has to end the waits that were dropped.
            return self.state().waits.withdraw(&park.dropped, &park.orphaned, &park.refused);
        }
        self.state().waits.answered(park.waits.iter());
        let children = park.waits.iter().filter_map(|wait| wait.details.as_ref()?.child.as_ref());
        children.for_each(|child| self.ledger.tell(FamilyNews::Started(child.queue.clone())));
        if !park.orphaned.is_empty() {
            self.ledger.tell(FamilyNews::Orphaned(park.orphaned.clone(), oneshot::channel().0));
        }
        park.waits.iter().filter(|wait| wait.is_awaited()).for_each(|wait| self.observed.waits(wait, park.since));
    }

    async fn ask(&self, park: &Park) {
        // What led to a wait, or to its end, is on record before it: a replay comes to the same waits.
        if self.until_sent_is_committed().await == Written::Refused {
            self.state().waits.withdraw(&park.dropped, &park.orphaned, &park.refused);
            return self.lose();
        }
        let outcome = self.ledger.park(park, &|| self.state().settling).await;
        self.parked(park, &outcome);
        match outcome {
            Ok(ParkOutcome::Parked { wake_at }) => {
                if wake_at.is_some_and(|due| due <= self.clock.now()) {
                    // This process's clock runs ahead of the database's: read it again rather than ask in a circle.
                    self.clock.doubt();
                    tokio::time::sleep(PAUSE_WHEN_EARLY).await;
                }
                self.state().waits.set_next_due(wake_at);
            }
            Ok(ParkOutcome::Resolved { waits, wake_at }) => {
                self.state().waits.set_next_due(wake_at);
                self.resolve(waits);
            }
            // The code has come to its end meanwhile.
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
}
