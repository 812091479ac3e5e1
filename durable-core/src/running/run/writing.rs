//! What a run writes of its steps: checkpoints, attempts, and the state that it goes to.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::working::Stuck;
use super::{Run, State};
use crate::error::{Failure, Result};
use crate::model::{Checkpoint, FailedAttempt, NewValue, Outcome};
use crate::payload::Payload;
use crate::running::BoxFuture;
use crate::running::hold::{Hold, Verdict};
use crate::running::outbox::Parcel;
use crate::running::recording::{self, Saved, Sent};
use crate::running::reporting::{StepEnd, Unreported};
use crate::store::attempts::AttemptRecord;
use crate::store::saves::{NextState, Save, Written};

/// A write that a future waits for. If the future is dropped, a task of its own waits for the answer.
struct Flush {
    run: Arc<Run>,
    number: u64,
    answer: Option<BoxFuture<'static, Saved>>,
}

impl Run {
    /// Leaves a checkpoint for the next write: the one before the next step begins, or the one that ends the execution.
    pub(crate) fn leave_checkpoint(&self, checkpoint: Checkpoint) {
        self.state().outbox.leave(checkpoint);
    }

    /// As [`leave_checkpoint`](Self::leave_checkpoint), for what a rollback undoes.
    pub(crate) fn leave_undoable(&self, checkpoint: Checkpoint) {
        let mut state = self.state();
        let undo_order = state.journal.enlist(&checkpoint);
        state.outbox.leave(Checkpoint { undo_order, ..checkpoint });
    }

    /// As [`leave_checkpoint`](Self::leave_checkpoint), for a step; its end is reported once it is committed.
    pub(crate) fn leave_step(&self, step: &'static str, checkpoint: Checkpoint, undoable: bool) {
        let end = self.end_of(step, &checkpoint);
        let mut state = self.state();
        let undo_order = if undoable { state.journal.enlist(&checkpoint) } else { None };
        state.outbox.leave_step(Checkpoint { undo_order, ..checkpoint }, end);
    }

    /// Leaves values for the write of the checkpoint under the key, if that was left last; for a write with a checkpoint of their own
    /// otherwise.
    pub(crate) fn leave_values(&self, key: Option<&str>, own_key: impl FnOnce() -> String, values: Vec<NewValue>) {
        let mut state = self.state();
        let values = match key {
            Some(key) => state.outbox.add_values(key, values),
            None => Some(values),
        };
        if let Some(sets) = values {
            state.outbox.leave(Checkpoint { sets, ..Checkpoint::of(own_key(), Outcome::Output(Payload::null())) });
        }
    }

    /// Waits until every checkpoint so far is committed. Does not return when the execution is no longer held.
    pub(crate) async fn commit_checkpoints(self: &Arc<Self>) {
        if self.flush().await == Written::Refused {
            self.lose();
            let _stuck = Stuck::begin(self);
            std::future::pending().await
        }
    }

    /// Writes every checkpoint that was left; returns when all so far are committed, or one was refused.
    pub(crate) async fn flush(self: &Arc<Self>) -> Written {
        match self.send() {
            Some((number, answer)) => Flush { run: self.clone(), number, answer: Some(answer) }.outcome().await,
            // Another branch may have sent the checkpoints, in a write that is still under way.
            None => self.until_sent_is_committed().await,
        }
    }

    /// Forgets every checkpoint that was left: this run writes nothing.
    pub(crate) fn discard_unsent(&self) {
        drop(self.state().outbox.take());
    }

    /// Writes every checkpoint that was left, now that nothing else can be polled. Returns at once if a future still works.
    pub(crate) async fn flush_at_rest(self: &Arc<Self>) {
        if self.is_busy() {
            self.flush_soon();
        } else if self.flush().await == Written::Refused {
            self.lose();
        }
    }

    /// Writes every checkpoint that was left while the run goes on.
    fn flush_soon(self: &Arc<Self>) {
        // Sent before this returns: otherwise the run would find them unsent again and again.
        if let Some((number, answer)) = self.send() {
            self.settle_later(number, answer);
        }
    }

    /// Sends every checkpoint that was left; with the number by which the write is settled.
    fn send(&self) -> Option<(u64, BoxFuture<'static, Saved>)> {
        let mut state = self.state();
        let (number, parcel) = state.outbox.send()?;
        Some((number, Box::pin(self.save(&state, parcel, None))))
    }

    /// Settles a write once it is answered, while the run goes on.
    fn settle_later(self: &Arc<Self>, number: u64, answer: BoxFuture<'static, Saved>) {
        // A runtime that is gone has taken the whole run with it.
        let Ok(runtime) = Handle::try_current() else { return };
        let (run, unanswered) = (self.clone(), self.expect_answer());
        runtime.spawn(async move {
            let saved = answer.await;
            if run.settle(number, saved) == Written::Refused {
                run.lose();
            }
            drop(unanswered);
        });
    }

    /// Notes the answer to a write.
    fn settle(&self, number: u64, saved: Saved) -> Written {
        let written = if let Saved::Written = saved { Written::Accepted } else { Written::Refused };
        match saved {
            Saved::Written | Saved::Lost => {}
            Saved::Replaced => self.outdate(),
            Saved::Unrecorded(failure) => self.give_up(Verdict::Refused(failure)),
        }
        self.state().outbox.settle(number, written);
        self.write_settled.notify_waiters();
        written
    }

    /// Returns when everything that was sent so far is committed, or part of it was refused.
    pub(crate) async fn until_sent_is_committed(&self) -> Written {
        let sent = self.state().outbox.sent();
        self.until_committed(sent).await
    }

    async fn until_committed(&self, number: u64) -> Written {
        loop {
            // Before the look, or a write that is settled in between is missed.
            let settled = self.write_settled.notified();
            if let Some(written) = self.state().outbox.outcome(number) {
                return written;
            }
            settled.await;
        }
    }

    /// Writes the state the execution goes to, together with the checkpoints that were left.
    pub(crate) async fn finish(&self, next: NextState) -> Saved {
        self.settled().await;
        // Earlier writes may still be refused; then the execution does not end like this.
        self.until_sent_is_committed().await;
        let (outdated, verdict) = {
            let state = self.state();
            (state.outdated && next.is_end(), state.verdict.clone())
        };
        if let (NextState::Completed(_), Some(Verdict::Refused(failure))) = (&next, verdict) {
            return Saved::Unrecorded(failure);
        }
        let answer = {
            let mut state = self.state();
            let parcel = state.outbox.take();
            self.save(&state, parcel, Some(if outdated { NextState::Released } else { next }))
        };
        let saved = answer.await;
        self.until_answered().await;
        if let (Saved::Written, true) = (&saved, outdated) { Saved::Replaced } else { saved }
    }

    fn save(&self, state: &State, parcel: Parcel, next: Option<NextState>) -> impl Future<Output = Saved> + use<> {
        let Hold { worker, epoch } = state.hold;
        let (checkpoints, leaves_waits) = (parcel.checkpoints, state.waits.leaves_open());
        let save =
            Save { worker, id: self.id, epoch, checkpoints, next, latest: self.latest.clone(), leaves_waits, again: false };
        Sent { ledger: self.ledger.clone(), save, unreported: self.unreported(parcel.ends) }.answer()
    }

    /// Records an attempt and waits for its commit; fails with what the database said if it refuses that. Does not return when
    /// the execution is no longer held.
    pub(crate) async fn record_attempt(self: &Arc<Self>, attempt: FailedAttempt) -> Result<(), Box<Failure>> {
        let (key, failure) = (attempt.key.clone(), attempt.failure.clone());
        match self.record_attempt_soon(attempt).await {
            Ok(Ok(Written::Accepted)) => Ok(()),
            Ok(Err(error)) if !recording::is_of_engine(&error) => {
                Err(recording::refused_attempt(&key, failure.as_deref(), &error))
            }
            _ => self.stop(Verdict::Lost).await,
        }
    }

    /// Sends an attempt to be recorded; that goes on also if the receiver is dropped.
    pub(crate) fn record_attempt_soon(self: &Arc<Self>, attempt: FailedAttempt) -> oneshot::Receiver<Result<Written>> {
        let Hold { worker, epoch } = self.hold();
        let recorded = self.ledger.record_attempt(AttemptRecord { worker, epoch, attempt });
        let (answer, outcome) = oneshot::channel();
        let unanswered = self.expect_answer();
        tokio::spawn(async move {
            // The step may have been dropped.
            let _ = answer.send(recorded.await);
            drop(unanswered);
        });
        outcome
    }

    pub(super) fn end_of(&self, step: &'static str, checkpoint: &Checkpoint) -> StepEnd {
        StepEnd::of(step, checkpoint, self.observed.is_watched())
    }

    pub(super) fn unreported(&self, ends: Vec<StepEnd>) -> Unreported {
        Unreported { ends, observed: self.observed.clone(), metrics: self.metrics.clone() }
    }
}

impl Flush {
    /// Waits for the commit, and for the commits of all earlier checkpoints.
    async fn outcome(mut self) -> Written {
        let Some(answer) = &mut self.answer else { return Written::Refused };
        let saved = answer.await;
        self.answer = None;
        match self.run.settle(self.number, saved) {
            Written::Accepted => self.run.until_committed(self.number).await,
            Written::Refused => Written::Refused,
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        // The branch that wrote is gone, and others count on its write.
        if let Some(answer) = self.answer.take() {
            self.run.settle_later(self.number, answer);
        }
    }
}
