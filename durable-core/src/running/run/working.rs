//! What the futures of a run do besides waiting: while one of them works, the run does not rest.

use std::sync::Arc;
use std::task::{self, Poll};

use super::Run;

/// The guards that are alive, by kind.
#[derive(Debug, Default)]
pub(super) struct Work {
    futures: usize,
    /// Writes without an answer yet. They continue without the futures that began them.
    unanswered: usize,
    /// Futures among them that stopped because a write did not count.
    pub(super) stuck: usize,
}

impl Work {
    pub(super) fn busy(&self) -> usize {
        self.futures + self.unanswered
    }
}

/// While this guard lives, a future of the run works on something.
#[derive(Debug)]
pub(crate) struct Busy {
    run: Arc<Run>,
}

/// While this guard lives, something that the run has sent is not answered.
#[derive(Debug)]
pub(super) struct Unanswered {
    run: Arc<Run>,
}

/// While this guard lives, a future of the run counts as busy, but makes no progress.
pub(super) struct Stuck<'run>(&'run Run);

impl Run {
    /// Whether something in the run does something else than wait.
    pub(super) fn is_busy(&self) -> bool {
        self.state().work.busy() > 0
    }

    /// Counts a future as doing something until the guard is dropped.
    pub(crate) fn begin_work(self: &Arc<Self>) -> Busy {
        self.state().work.futures += 1;
        Busy { run: self.clone() }
    }

    /// Counts a write as unanswered until the guard is dropped; then the run is polled.
    pub(super) fn expect_answer(self: &Arc<Self>) -> Unanswered {
        self.state().work.unanswered += 1;
        Unanswered { run: self.clone() }
    }

    /// Returns when everything that was sent is answered. The code has come to its end.
    pub(crate) async fn until_answered(&self) {
        self.state().settling = true;
        let answered = |cx: &mut task::Context<'_>| {
            self.bell.is_for(cx.waker());
            if self.state().work.unanswered > 0 { Poll::Pending } else { Poll::Ready(()) }
        };
        std::future::poll_fn(answered).await;
    }
}

impl<'run> Stuck<'run> {
    pub(super) fn begin(run: &'run Run) -> Self {
        run.state().work.stuck += 1;
        run.bell.ring();
        Self(run)
    }
}

impl Drop for Stuck<'_> {
    fn drop(&mut self) {
        self.0.state().work.stuck -= 1;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.run.state().work.futures -= 1;
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.run.state().work.unanswered -= 1;
        self.run.bell.ring();
    }
}
