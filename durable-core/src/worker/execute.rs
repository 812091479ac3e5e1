//! Drives one execution: run → park or finish, each stage a named function.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Worker;
use super::cache::Parked;
use super::claim::Begin;
use crate::context::Context;
use crate::context::run::{Body, Hold, Rest, Run, Verdict};
use crate::error::{ErrorKind, Failure, Result};
use crate::ids::{Epoch, ExecutionId};
use crate::model::{Claimed, ExecutionState, JournalRecords, ResolvedWait};
use crate::payload::Payload;
use crate::plan::divergence;
use crate::registry::Registered;
use crate::signals::Slot;
use crate::store::executions::{self, Finished};
use crate::store::parks::ParkOutcome;
use crate::store::saves::{NextState, Written};
use crate::store::{self, journal};

/// Pause before a parking is tried again that met a message on its way: about as long as a commit takes.
const PAUSE_WHEN_BUSY: Duration = Duration::from_millis(2);

/// How long foreign code may keep an execution from parking before that is worth a log line.
const FOREIGN_WAIT_WARNING: Duration = Duration::from_secs(60);

/// How a stretch of driving ended.
enum Ending {
    Completed(Payload),
    Failed(Box<Failure>),
    Stopped(String),
    Released,
    /// Another worker holds the execution, or nobody: nothing is to be written.
    Lost,
    /// It waits; whoever wakes it claims it anew.
    Parked,
}

impl Worker {
    /// Runs an execution in a task of its own; the slot is free again when it parks or ends.
    pub(super) fn spawn(self: &Arc<Self>, slot: Slot, claimed: Claimed, begin: Begin) {
        let worker = self.clone();
        if claimed.claims > self.options.max_claims {
            tokio::spawn(async move { worker.poison(&claimed).await });
            return;
        }
        let Some(registered) = self.registry.find(&claimed.workflow, claimed.version) else {
            tracing::error!(execution_id = %claimed.id, workflow = %claimed.workflow, "claimed a workflow that is not registered");
            return;
        };
        let (run, body) = self.prepare(registered, &claimed, begin);
        // Known as running from here on, before anyone can ask.
        self.running().insert(run.id, run.clone());
        if self.is_draining() {
            run.drain();
        }
        tokio::spawn(async move {
            let ending = match body {
                Ok(body) => worker.drive(&run, body, claimed.deadline_at).await,
                Err(report) => Ending::Stopped(report),
            };
            worker.conclude(&run, &claimed.queue, ending).await;
            worker.let_go(run.id, claimed.epoch);
            drop(slot);
        });
    }

    fn prepare(&self, registered: &Registered, claimed: &Claimed, begin: Begin) -> (Arc<Run>, Result<Body, String>) {
        let hold = Hold { worker: self.id(), epoch: claimed.epoch };
        match begin {
            Begin::Cached(cached) => {
                cached.run.wake(hold, claimed.resolved.clone());
                (cached.run, Ok(cached.body))
            }
            Begin::Fresh => self.begin(registered, claimed, hold, None),
            Begin::Replayed(journal) => self.begin(registered, claimed, hold, Some(journal)),
        }
    }

    /// The run and its future; `Err` with a report when the journal has steps that the code does not know.
    fn begin(
        &self,
        registered: &Registered,
        claimed: &Claimed,
        hold: Hold,
        journal: Option<JournalRecords>,
    ) -> (Arc<Run>, Result<Body, String>) {
        let run = Run::new(claimed.id, hold, self.lanes.clone(), self.clock.clone());
        if let Some(journal) = journal {
            match under_current_names(&claimed.workflow, registered, journal) {
                Ok(journal) => run.load(journal, claimed.claims > 1),
                Err(report) => return (run, Err(report)),
            }
        }
        let body = registered.start(Context::new(run.clone()), claimed.input.clone());
        (run, Ok(body))
    }

    async fn drive(self: &Arc<Self>, run: &Arc<Run>, mut body: Body, deadline: Option<DateTime<Utc>>) -> Ending {
        loop {
            let Some(rest) = self.run_until(run, &mut body, deadline).await else {
                return Ending::Failed(Box::new(Failure::new(
                    ErrorKind::TimedOut,
                    "the execution took longer than its workflow's timeout",
                )));
            };
            match rest {
                Rest::Finished(Ok(output)) => return completed(run, output),
                Rest::Finished(Err(error)) => return Ending::Failed(Box::new(error.failure().clone())),
                Rest::Panicked(failure) => return Ending::Failed(failure),
                Rest::Ended(Verdict::Diverged(report)) => return Ending::Stopped(report),
                Rest::Ended(Verdict::Released) => return Ending::Released,
                Rest::Ended(Verdict::Lost) => return Ending::Lost,
                Rest::Unwritten => {
                    if run.write_checkpoints().await == Written::Refused {
                        return Ending::Lost;
                    }
                }
                Rest::Waiting => match self.park(run, body).await {
                    Ok((resumed, waits)) => {
                        body = resumed;
                        run.resolve(waits);
                    }
                    Err(ending) => return ending,
                },
            }
        }
    }

    /// Runs until it rests; `None` when its deadline comes first.
    async fn run_until(&self, run: &Arc<Run>, body: &mut Body, deadline_at: Option<DateTime<Utc>>) -> Option<Rest> {
        let deadline = async {
            match deadline_at {
                Some(deadline) => self.clock.reached(deadline).await,
                None => std::future::pending().await,
            }
        };
        // What was woken by its deadline must not park again.
        if deadline_at.is_some_and(|deadline| deadline <= self.clock.now()) {
            return None;
        }
        // Most stretches are short: only one that is not gets timers.
        let mut rest = std::pin::pin!(run.until_rest(body));
        if let std::task::Poll::Ready(rest) = futures_util::poll!(&mut rest) {
            return Some(rest);
        }
        tokio::select! {
            biased;
            rest = &mut rest => Some(rest),
            () = deadline => None,
            never = warn_of_foreign_waits(run) => match never {},
        }
    }

    /// Parks the execution, or gives back its future with the waits that are over already.
    async fn park(&self, run: &Arc<Run>, body: Body) -> Result<(Body, Vec<ResolvedWait>), Ending> {
        // Asked before the cache may drop the future: what a dropped future waited for is no longer waited for.
        let park = run.to_park();
        // In the cache before the database says so: from then on any claim may ask for it.
        let evicted = self.parked().put(run.id, Parked { run: run.clone(), body });
        drop(evicted);
        let parked = loop {
            match self.lanes.parks.write(park.clone()).await {
                Ok(ParkOutcome::Busy) => tokio::time::sleep(PAUSE_WHEN_BUSY).await,
                other => break other,
            }
        };
        match parked {
            Ok(ParkOutcome::Parked { wake_at }) => {
                if let Some(wake_at) = wake_at {
                    self.signals.set_timer(wake_at);
                }
                Err(Ending::Parked)
            }
            Ok(ParkOutcome::Resolved(waits)) => match self.parked().take(run.id) {
                Some(cached) => Ok((cached.body, waits)),
                // The cache had no room: the execution is run anew from its journal.
                None => Err(Ending::Released),
            },
            Ok(ParkOutcome::Busy | ParkOutcome::Lost) => {
                self.parked().take(run.id);
                Err(Ending::Lost)
            }
            Err(error) => {
                self.parked().take(run.id);
                tracing::error!(execution_id = %run.id, %error, "cannot park");
                Err(Ending::Failed(Box::new(error.failure().clone())))
            }
        }
    }

    /// Writes how it ended, and tells those who wait for it.
    async fn conclude(&self, run: &Arc<Run>, queue: &str, ending: Ending) {
        let (next, finished) = match ending {
            Ending::Parked | Ending::Lost => return,
            Ending::Released => (NextState::Released, None),
            Ending::Stopped(report) => {
                tracing::error!(execution_id = %run.id, "stopped: {report}");
                (NextState::Stopped(failure_payload(&Failure::new(ErrorKind::Diverged, report))), None)
            }
            Ending::Completed(output) => (NextState::Completed(output.clone()), Some((ExecutionState::Completed, Ok(output)))),
            Ending::Failed(failure) => {
                tracing::warn!(execution_id = %run.id, error = %failure, "an execution failed");
                (NextState::Failed(failure_payload(&failure)), Some((ExecutionState::Failed, Err(*failure))))
            }
        };
        if run.finish(next).await == Written::Refused {
            return;
        }
        match finished {
            Some((state, Ok(output))) => {
                self.signals.finished(&Finished { id: run.id, state, output: Some(output), error: None })
            }
            Some((state, Err(failure))) => {
                self.signals.finished(&Finished { id: run.id, state, output: None, error: Some(failure) })
            }
            None => self.signals.queued(queue),
        }
    }

    fn let_go(&self, id: ExecutionId, epoch: Epoch) {
        let mut running = self.running();
        // After a parking the same execution may be running here again already, under a later epoch.
        if running.get(&id).is_some_and(|current| current.hold().epoch == epoch) {
            running.remove(&id);
        }
        drop(running);
        self.run_ended.notify_waiters();
    }

    async fn poison(&self, claimed: &Claimed) {
        let failure = Failure::new(
            ErrorKind::Poisoned,
            format!("claimed {} times without coming to rest: it seems to kill its workers", claimed.claims - 1),
        );
        tracing::error!(execution_id = %claimed.id, "{failure}");
        let store = &self.store;
        let written = store::run("fail a poisoned execution", self.options.patience, || {
            executions::poison(store, &store.pool, self.id(), (claimed.id, claimed.epoch), &failure)
        })
        .await;
        if written.is_ok() {
            self.signals.finished(&Finished {
                id: claimed.id,
                state: ExecutionState::Failed,
                output: None,
                error: Some(failure),
            });
        }
    }

    /// Drops an execution that was kept parked in memory: it has ended.
    pub(crate) fn forget(&self, id: ExecutionId) {
        self.parked().take(id);
    }
}

/// Says so when workflow code waits for something that is neither a step nor a wait: such an execution keeps its slot.
async fn warn_of_foreign_waits(run: &Run) -> Infallible {
    loop {
        tokio::time::sleep(FOREIGN_WAIT_WARNING).await;
        if run.waits_for_foreign_code() {
            tracing::warn!(execution_id = %run.id, "this execution keeps its slot: its workflow awaits something that is no step and no wait");
        }
    }
}

fn completed(run: &Run, output: Payload) -> Ending {
    let unasked = run.unasked();
    if unasked.is_empty() {
        Ending::Completed(output)
    } else {
        Ending::Stopped(divergence::unasked(&run.id.to_string(), &unasked))
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
    Ok(journal)
}

fn failure_payload(failure: &Failure) -> Payload {
    Payload(journal::failure_text(failure).into())
}
