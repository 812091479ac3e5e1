//! Drives one execution: run → park or end, each stage a named function.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tracing::Instrument;

use super::Worker;
use super::claim::Begin;
use super::conclude::{Ending, Left};
use super::flow::Flow;
use crate::error::{Error, ErrorKind, Failure};
use crate::model::{Claimed, JournalRecords};
use crate::panics;
use crate::plan::{divergence, journal_key, rollback};
use crate::registry::Registered;
use crate::running::hold::{Hold, Verdict};
use crate::running::rest::Rest;
use crate::running::run::Run;
use crate::running::scope::Scope;
use crate::running::waits::Look;
use crate::signals::Slot;
use crate::store::parks::ParkOutcome;
use crate::store::saves::Written;
use crate::store::{self, Patience, executions};

/// How long foreign code may keep an execution from parking before that is worth a log line.
const FOREIGN_WAIT_WARNING: Duration = Duration::from_secs(60);

/// Pause before a refused end is written again: a person has to help, and that takes longer.
const PAUSE_WHILE_REFUSED: Duration = Duration::from_secs(2);

/// Why a stretch of running ended.
enum Stretch {
    Rests(Rest),
    /// Something may have become of the waits of an execution that goes on running.
    Look,
    /// The time of the whole execution is over.
    Overtime,
}

impl Worker {
    /// Runs an execution in a task of its own; the slot is free again when it parks or ends.
    pub(super) fn spawn(self: &Arc<Self>, claimed: Claimed, slot: Slot, begin: Begin) {
        if !self.holdings().has(&claimed) {
            // It came again while its journal was read, or the life was lost in which it was claimed.
            return;
        }
        let worker = self.clone();
        if claimed.claims > self.options.max_claims {
            tokio::spawn(async move {
                let left = worker.poison(&claimed).await;
                worker.leave(&claimed, left);
            });
            return;
        }
        let Some(registered) = self.registry.find(&claimed.workflow, claimed.version) else {
            tracing::error!(execution_id = %claimed.id, workflow = ?claimed.workflow, "claimed a workflow that is not registered");
            return self.leave(&claimed, Left::Refused);
        };
        let (run, flow) = self.prepare(registered, &claimed, begin);
        if !self.holdings().run(&run) {
            return;
        }
        if self.is_draining() {
            run.drain();
        }
        let hold = run.hold();
        let span = run.spans.claim(hold.worker, hold.epoch);
        let trace = run.trace.clone();
        // Boxed at once: a task is moved several times before it runs.
        let driven = Box::pin(async move {
            let to_the_end = async {
                let ending = match flow {
                    Ok(flow) => worker.drive(flow, &claimed).await,
                    Err(ending) => ending,
                };
                worker.conclude_or_stop(&run, &claimed, ending).await
            };
            // The engine's own code may panic, too. Then the execution is claimed again, and the claim counts.
            let left = panics::catch_in(to_the_end).await.unwrap_or_else(|panicked| {
                worker.store.health.panicked("drive an execution", &panicked);
                Left::Refused
            });
            worker.leave(&claimed, left);
            drop(slot);
            worker.make_room(&claimed);
        });
        tokio::spawn(async move {
            // The application's code: whatever becomes of it, the execution runs.
            if let Err(panicked) = panics::catch(|| trace.join(&span)) {
                tracing::error!(error = %panicked, "the application's propagation of traces panicked");
            }
            driven.instrument(span).await;
        });
    }

    fn prepare(&self, registered: &Registered, claimed: &Claimed, begin: Begin) -> (Arc<Run>, Result<Flow, Ending>) {
        match begin {
            Begin::Cached(flow) => {
                flow.run.wake(Hold::by(claimed), claimed.resolved.clone().unwrap_or_default());
                (flow.run.clone(), Ok(flow))
            }
            Begin::Fresh => self.begin(registered, claimed, None),
            Begin::Replayed(journal) => self.begin(registered, claimed, Some(journal)),
        }
    }

    /// The run and its code; `Err` with a report when the journal has steps that the code does not know.
    fn begin(
        &self,
        registered: &Registered,
        claimed: &Claimed,
        journal: Option<JournalRecords>,
    ) -> (Arc<Run>, Result<Flow, Ending>) {
        let observed = self.signals.observers.of(claimed.id, &claimed.workflow, claimed.version);
        let trace = self.signals.tracing.of(claimed);
        let metrics = self.metrics.of(&claimed.workflow, &claimed.queue);
        let run = Run::new(claimed, self.ledger.clone(), self.clock.clone(), observed, trace, metrics);
        if claimed.is_first() {
            run.metrics.started(self.since(claimed.ready_at));
            run.observed.started();
        }
        if let Some(cause) = &claimed.rollback {
            run.turn_back(cause.clone());
        }
        if let Some(journal) = journal {
            let leaves_nothing = journal.leaves_nothing();
            match under_current_names(&claimed.workflow, registered, journal) {
                Ok(journal) => run.load(journal, claimed.claims > 1),
                // Only code that knows the workflow can undo its steps.
                Err(_) if leaves_nothing && self.is_overtime(claimed) => return (run, Err(overtime())),
                Err(report) => return (run, Err(Ending::Stopped(report))),
            }
        }
        let flow = match &claimed.rollback {
            Some(cause) => {
                // Of a rollback that has left no trace yet, the observers have not heard.
                if !run.is_recorded_below(journal_key::UNDO) {
                    run.observed.rolls_back(cause);
                }
                back(&run, registered, &claimed.workflow, Box::new(cause.clone()), Ending::nothing_undone)
            }
            None => Ok(Flow::forward(&run, registered, claimed.input.clone())),
        };
        (run, flow)
    }

    fn is_overtime(&self, claimed: &Claimed) -> bool {
        claimed.rollback.is_none() && claimed.deadline_at.is_some_and(|deadline| deadline <= self.clock.now())
    }

    /// How long ago that was, by the database's clock.
    pub(crate) fn since(&self, time: Option<DateTime<Utc>>) -> Duration {
        time.and_then(|time| (self.clock.now() - time).to_std().ok()).unwrap_or_default()
    }

    /// Runs the workflow to its end or its rest; when it fails, turns round and undoes what it has done.
    async fn drive(&self, flow: Flow, claimed: &Claimed) -> Ending {
        let run = flow.run.clone();
        let failure = match self.advance(flow, claimed.deadline_at).await {
            Ending::Failed(failure) if run.rollback().is_none() => own(failure),
            ending => return ending,
        };
        match self.turn_back(&run, claimed, failure).await {
            Ok(flow) => self.advance(flow, None).await,
            Err(ending) => ending,
        }
    }

    /// Ends the claim. If the database refuses to record that end, the execution fails; if it refuses that, too, the execution
    /// is stopped.
    async fn conclude_or_stop(self: &Arc<Self>, run: &Arc<Run>, claimed: &Claimed, mut ending: Ending) -> Left {
        loop {
            let is_failure = matches!(ending, Ending::Failed(_) | Ending::RolledBack(..) | Ending::Stopped(_));
            let was_stopped = matches!(ending, Ending::Stopped(_));
            let refused = match self.conclude(run, claimed, ending).await {
                Ok(left) => return left,
                Err(refused) => refused,
            };
            if was_stopped {
                // If it were released, the next claim would repeat steps that are not on record.
                tokio::time::sleep(PAUSE_WHILE_REFUSED).await;
                if self.is_draining() {
                    return Left::Refused;
                }
            }
            ending = if is_failure {
                Ending::Stopped(refused.message)
            } else if let Some(cause) = run.rollback() {
                Ending::undone(Box::new(cause), Err(Error::from_failure(*refused)))
            } else {
                match self.turn_back(run, claimed, refused).await {
                    Ok(flow) => self.advance(flow, None).await,
                    Err(ending) => ending,
                }
            };
        }
    }

    /// Runs to the end or the rest of one direction.
    async fn advance(&self, mut flow: Flow, deadline: Option<DateTime<Utc>>) -> Ending {
        let cause = flow.run.rollback().map(Box::new);
        // A rollback takes as long as it takes.
        let deadline = deadline.filter(|_| cause.is_none());
        loop {
            let rest = match self.run_until(&mut flow, deadline).await {
                Stretch::Rests(rest) => rest,
                Stretch::Look => {
                    flow.run.wake_backoffs();
                    flow.run.ask_soon();
                    continue;
                }
                Stretch::Overtime => {
                    flow.abandon();
                    return overtime();
                }
            };
            match (rest, &cause) {
                (Rest::Finished(undone), Some(cause)) => return Ending::undone(cause.clone(), undone),
                (Rest::Finished(Ok(output)), None) => return Ending::returned(&flow.run, output),
                (Rest::Finished(Err(error)), None) => return Ending::Failed(Box::new(error.failure().clone())),
                (Rest::Panicked(failure), None) => return Ending::Failed(failure),
                (Rest::Panicked(failure), Some(cause)) => {
                    return Ending::undone(cause.clone(), Err(Error::from_failure(*failure)));
                }
                (Rest::Ended(Verdict::Diverged(report)), _) => return Ending::Stopped(report),
                (Rest::Ended(Verdict::Released), _) => return Ending::Released,
                (Rest::Ended(Verdict::Lost), _) => return Ending::Lost,
                (Rest::Ended(Verdict::Refused(failure)), _) => {
                    flow.abandon();
                    return match cause {
                        Some(cause) => Ending::undone(cause, Err(Error::from_failure(*failure))),
                        None => Ending::Failed(failure),
                    };
                }
                (Rest::Unregistered, _) => flow.run.ask_soon(),
                (Rest::Unwritten, _) if flow.run.is_busy() => flow.run.flush_soon(),
                (Rest::Unwritten, _) => {
                    if flow.run.flush().await == Written::Refused {
                        flow.run.lose();
                    }
                }
                (Rest::Waiting, _) => match self.park(flow).await {
                    Ok(resumed) => flow = resumed,
                    Err(ending) => return ending,
                },
            }
        }
    }

    /// Begins the rollback of an execution that has failed; where there is nothing to undo, it just fails.
    async fn turn_back(&self, run: &Arc<Run>, claimed: &Claimed, failure: Box<Failure>) -> Result<Flow, Ending> {
        let Some(registered) = self.registry.find(&claimed.workflow, claimed.version) else {
            return Err(Ending::Failed(failure));
        };
        // A step that the failure has cut off may be committed all the same, and a child started; then they are undone, too.
        run.settled().await;
        let cause = (*failure).clone();
        // What such children did stands in the database: the rollback begins anew, from the journal.
        let flow = match run.has_unheard_children() {
            true => Err(Ending::Released),
            false => Ok(back(run, registered, &claimed.workflow, failure, Ending::Failed)?),
        };
        if run.flush().await == Written::Refused {
            match run.verdict_of_refusal() {
                Verdict::Released => return Err(Ending::Released),
                // It still fails, and undoes the steps that it knows.
                Verdict::Refused(_) => {}
                Verdict::Lost | Verdict::Diverged(_) => return Err(Ending::Lost),
            }
        }
        let hold = run.hold();
        let (store, fence) = (&self.store, (run.id, hold.worker, hold.epoch));
        let begun =
            store::run("begin a rollback", Patience::Endless, || executions::begin_rollback(store, &store.pool, fence, &cause));
        match begun.await {
            Ok(Some(ended_early)) => {
                self.families.announce(&ended_early).await;
                let flow = flow?;
                run.observed.rolls_back(&cause);
                run.turn_back(cause);
                Ok(flow)
            }
            Ok(None) => Err(Ending::Lost),
            Err(error) => {
                tracing::error!(execution_id = %run.id, %error, "cannot begin a rollback");
                Err(Ending::undone(Box::new(cause), Err(error)))
            }
        }
    }

    /// Runs until it rests, or until its deadline comes or its waits are worth a look.
    async fn run_until(&self, flow: &mut Flow, deadline_at: Option<DateTime<Utc>>) -> Stretch {
        // What was woken by its deadline must not park again.
        if deadline_at.is_some_and(|deadline| deadline <= self.clock.now()) {
            return Stretch::Overtime;
        }
        let deadline = async {
            match deadline_at {
                Some(deadline) => self.clock.reached(deadline).await,
                None => std::future::pending().await,
            }
        };
        let (run, root) = (flow.run.clone(), flow.root());
        // Most stretches are short: only one that is not gets timers.
        let mut rest = std::pin::pin!(flow.until_rest());
        if let std::task::Poll::Ready(rest) = futures_util::poll!(&mut rest) {
            return Stretch::Rests(rest);
        }
        tokio::select! {
            biased;
            rest = &mut rest => Stretch::Rests(rest),
            () = deadline => Stretch::Overtime,
            () = self.look_at_waits(&run) => Stretch::Look,
            never = warn_of_foreign_waits(&root) => match never {},
        }
    }

    /// Returns when a wait of an execution that goes on running may be over: it is due, or somebody said so, or nobody has
    /// looked for a poll interval.
    async fn look_at_waits(&self, run: &Run) {
        loop {
            let Look::Later { registered, due } = run.next_look() else { return };
            let due = async {
                match due {
                    Some(due) => self.clock.reached(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => return,
                () = run.nudged.notified() => run.note_nudge(),
                () = run.asked.notified() => {}
                () = tokio::time::sleep(self.options.poll_interval), if registered => return,
            }
        }
    }

    /// Parks the execution, or gives back its code when waits are over already.
    async fn park(&self, flow: Flow) -> Result<Flow, Ending> {
        let run = &flow.run;
        match run.park().await {
            Ok(ParkOutcome::Parked { wake_at }) => {
                if let Some(wake_at) = wake_at {
                    self.signals.set_timer(wake_at);
                }
                Err(Ending::Parked(flow))
            }
            Ok(ParkOutcome::Resolved { waits, .. }) => {
                run.resolve(waits);
                Ok(flow)
            }
            Ok(ParkOutcome::Busy | ParkOutcome::Lost) => Err(Ending::Lost),
            Ok(ParkOutcome::Unreadable(problem)) => {
                Err(Ending::Stopped(format!("its waits cannot be read ({problem}); repair the rows, then resume it")))
            }
            Err(error) => {
                tracing::error!(execution_id = %run.id, %error, "cannot park");
                Err(match run.rollback() {
                    Some(cause) => Ending::undone(Box::new(cause), Err(error)),
                    None => Ending::Failed(Box::new(error.failure().clone())),
                })
            }
        }
    }
}

fn overtime() -> Ending {
    Ending::Failed(Box::new(Failure::new(ErrorKind::TimedOut, "the execution took longer than its workflow's timeout")))
}

/// A failure as that of the execution itself: that a child was cancelled, rolled back or expired was nobody's request to do so here.
fn own(mut failure: Box<Failure>) -> Box<Failure> {
    if matches!(failure.kind, ErrorKind::Cancelled | ErrorKind::RolledBack | ErrorKind::Expired) {
        failure.kind = ErrorKind::Failed;
    }
    failure
}

/// The code of a rollback; `Err` where there is nothing to undo, or nobody knows how.
fn back(
    run: &Arc<Run>,
    registered: &Registered,
    workflow: &str,
    cause: Box<Failure>,
    nothing: impl FnOnce(Box<Failure>) -> Ending,
) -> Result<Flow, Ending> {
    match rollback::chain(workflow, &registered.compensations, run.cut_off(), run.undoable()) {
        Ok(chain) if chain.is_empty() => Err(nothing(cause)),
        Ok(chain) => Ok(Flow::back(run, registered, chain)),
        Err(report) => Err(Ending::Stopped(report)),
    }
}

/// Says so when workflow code waits for something that is neither a step nor a wait: such an execution keeps its slot.
async fn warn_of_foreign_waits(root: &Scope) -> Infallible {
    loop {
        tokio::time::sleep(FOREIGN_WAIT_WARNING).await;
        if root.waits_for_foreign_code() {
            tracing::warn!(execution_id = %root.execution_id(), "this execution keeps its slot: its workflow awaits something that is no step and no wait");
        }
    }
}

/// The journal with every step under the name that the code has for it now.
fn under_current_names(workflow: &str, registered: &Registered, mut journal: JournalRecords) -> Result<JournalRecords, String> {
    for checkpoint in &mut journal.checkpoints {
        checkpoint.key = divergence::current_key(workflow, &registered.steps, std::mem::take(&mut checkpoint.key))?;
    }
    for attempt in &mut journal.attempts {
        attempt.key = divergence::current_key(workflow, &registered.steps, std::mem::take(&mut attempt.key))?;
    }
    for wait in &journal.waits {
        divergence::check_routed(workflow, &registered.steps, &wait.key)?;
    }
    Ok(journal)
}
