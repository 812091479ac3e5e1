//! How a run ends before its workflow does: from outside, from inside, and when a write of it did not count.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::Run;
use crate::plan::spoil::{Spoil, is_spoiled};
use crate::running::hold::Verdict;

impl Run {
    /// Ends the run from outside.
    pub(crate) fn end(&self, verdict: Verdict) {
        // A run that makes room for the next one is still ended from outside.
        self.state().verdict.take_if(|verdict| matches!(verdict, Verdict::Continued(_)));
        self.give_up(verdict);
        self.cancelled.send_replace(true);
    }

    /// Ends the run at its next poll, unless something else ended it before.
    pub(crate) fn give_up(&self, verdict: Verdict) {
        self.state().verdict.get_or_insert(verdict);
        self.bell.ring();
    }

    /// Why the run is not to be polled any more, if anything ended it.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.state().verdict.clone()
    }

    /// Asks the run to end at its next durable call.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.cancelled.send_replace(true);
    }

    /// Whether it was not asked to stop.
    pub(crate) fn may_go_on(&self) -> bool {
        self.state().verdict.is_none() && !self.draining.load(Ordering::Relaxed)
    }

    /// Ends the run because one of its writes did not count, unless that has been handled.
    pub(crate) fn lose(&self) {
        if !self.state().outdated {
            self.give_up(Verdict::Lost);
        }
    }

    /// How the run ends because one of its writes did not count.
    pub(crate) fn verdict_of_refusal(&self) -> Verdict {
        let state = self.state();
        match &state.verdict {
            _ if state.outdated => Verdict::Released,
            Some(verdict) => verdict.clone(),
            None => Verdict::Lost,
        }
    }

    /// Forces a replay: the record of a step is not the outcome that the code went on with. Running steps are finished first.
    pub(super) fn outdate(&self) {
        self.draining.store(true, Ordering::Relaxed);
        let mut state = self.state();
        state.outdated = true;
        state.stopped = true;
        drop(state);
        self.bell.ring();
    }

    /// Ends the run from inside: the calling future never returns, and the engine drops it.
    pub(crate) async fn stop<T>(&self, verdict: Verdict) -> T {
        self.give_up(verdict);
        std::future::pending().await
    }

    /// Stops here if the worker shuts down. The run ends when nothing else in it is under way: other branches finish their steps.
    pub(crate) async fn stop_if_draining(&self) {
        if self.draining.load(Ordering::Relaxed) {
            self.state().stopped = true;
            self.bell.ring();
            std::future::pending().await
        }
    }

    /// Waits while the lease may have run out, as when the database is away: no step begins that another worker may be running.
    pub(crate) async fn await_lease(&self) {
        if is_spoiled(Spoil::IgnoreLease) || *self.ledger.lease().borrow() > Instant::now() {
            return;
        }
        let mut lease = self.ledger.lease().clone();
        if lease.wait_for(|until| *until > Instant::now()).await.is_err() {
            self.stop::<()>(Verdict::Released).await;
        }
    }
}
