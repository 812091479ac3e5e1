//! Notices code that does not return, from the heartbeat's thread: a runtime that does not answer, and executions whose poll does not end.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Worker;
use super::process::Process;
use crate::ids::ExecutionId;
use crate::running::run::Run;

/// The code that does not return, for the table of workers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stuck {
    /// How long the runtime has been silent, if longer than a lease.
    pub(crate) unresponsive_for: Option<Duration>,
    /// The executions whose code has not returned for a lease.
    pub(crate) executions: Vec<ExecutionId>,
}

/// Asks the runtime for a sign of life, and watches the polls of running executions.
#[derive(Debug)]
pub(super) struct Watch {
    /// How long a runtime may be silent and a poll may take: a lease.
    patience: Duration,
    questions: watch::Sender<u64>,
    answered: Arc<AtomicU64>,
    asked_at: Instant,
    /// Whether the silence was reported.
    reported: bool,
    /// The polls that were under way at the last look, each with the time at which it was first seen.
    polls: HashMap<(ExecutionId, u64), Poll>,
}

#[derive(Debug, Clone, Copy)]
struct Poll {
    seen_at: Instant,
    reported: bool,
}

impl Watch {
    /// A watch over the runtime that this is called on.
    pub(super) fn start(patience: Duration) -> Self {
        let (questions, asked) = watch::channel(0);
        let answered = Arc::new(AtomicU64::new(0));
        tokio::spawn(answer(asked, answered.clone()));
        Self { patience, questions, answered, asked_at: Instant::now(), reported: false, polls: HashMap::new() }
    }

    /// Looks once, and logs what is new.
    pub(super) fn look(&mut self, worker: &Worker) -> Stuck {
        let now = Instant::now();
        let runs = worker.held().runs();
        Stuck { unresponsive_for: self.look_at_runtime(now), executions: self.look_at_polls(now, &runs) }
    }

    fn look_at_runtime(&mut self, now: Instant) -> Option<Duration> {
        let question = *self.questions.borrow();
        if self.answered.load(Ordering::Acquire) == question {
            if std::mem::take(&mut self.reported) {
                tracing::info!("the application's runtime answers again");
            }
            self.asked_at = now;
            self.questions.send_replace(question + 1);
            return None;
        }
        let silence = now - self.asked_at;
        if silence < self.patience {
            return None;
        }
        if !std::mem::replace(&mut self.reported, true) {
            tracing::error!(
                ?silence,
                "the application's runtime does not answer: nothing goes on in this process, though its lease is kept; \
                 look for a loop without an await, or for a blocking call outside `spawn_blocking`"
            );
        }
        Some(silence)
    }

    fn look_at_polls(&mut self, now: Instant, runs: &[Arc<Run>]) -> Vec<ExecutionId> {
        let mut stuck = Vec::new();
        let mut polls = HashMap::new();
        for run in runs {
            let Some(number) = run.polling.under_way() else { continue };
            let known = self.polls.get(&(run.id, number)).copied();
            let mut poll = known.unwrap_or(Poll { seen_at: now, reported: false });
            let took = now - poll.seen_at;
            if took >= self.patience {
                if !std::mem::replace(&mut poll.reported, true) {
                    tracing::error!(
                        execution_id = %run.id,
                        ?took,
                        "the code of this execution does not return: it keeps a thread of the runtime, and can be neither cancelled nor \
                         timed out; look for a loop without an await, or for a blocking call outside `spawn_blocking`"
                    );
                }
                stuck.push(run.id);
            }
            polls.insert((run.id, number), poll);
        }
        self.polls = polls;
        stuck.sort_unstable();
        stuck
    }
}

/// Answers until the worker is gone.
async fn answer(mut asked: watch::Receiver<u64>, answered: Arc<AtomicU64>) {
    loop {
        let question = *asked.borrow_and_update();
        answered.store(question, Ordering::Release);
        if asked.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_runtime_is_silent_once_it_has_not_answered_for_a_lease_and_no_longer_when_it_answers() {
        let mut watch = Watch::start(LEASE);
        let begin = Instant::now();
        let answered = async |watch: &Watch| {
            while watch.answered.load(Ordering::Acquire) != *watch.questions.borrow() {
                tokio::task::yield_now().await;
            }
        };
        assert_eq!(watch.look_at_runtime(begin), None);
        answered(&watch).await;
        assert_eq!(watch.look_at_runtime(begin + LEASE), None, "it answered in time");
        // This test does not await: the runtime has one thread.
        assert_eq!(watch.look_at_runtime(begin + LEASE + LEASE / 2), None);
        assert_eq!(watch.look_at_runtime(begin + LEASE * 2), Some(LEASE));
        assert_eq!(watch.look_at_runtime(begin + LEASE * 3), Some(LEASE * 2));
        answered(&watch).await;
        assert_eq!(watch.look_at_runtime(begin + LEASE * 3), None);
    }
}
