//! Drives one execution from its claim to its rest or its end, each stage a named function.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::ending::{Ending, Left};
use super::flow::Flow;
use super::process::Process;
use crate::error::{Error, Failure};
use crate::model::Claimed;
use crate::registry::Registered;
use crate::running::hold::Verdict;
use crate::running::rest::Rest;
use crate::running::run::Run;
use crate::running::scope::Scope;
use crate::store::parks::ParkOutcome;
use crate::store::saves::Written;

/// How long foreign code may keep an execution from parking before that is worth a log line.
const FOREIGN_WAIT_WARNING: Duration = Duration::from_secs(60);

/// Pause before a refused end is written again: a person has to help, and that takes longer.
const PAUSE_WHILE_REFUSED: Duration = Duration::from_secs(2);

/// One execution under one claim, and the process that runs it.
pub(super) struct Drive<P> {
    pub(super) process: Arc<P>,
    pub(super) registered: Arc<Registered>,
    pub(super) run: Arc<Run>,
    pub(super) claimed: Claimed,
}

/// Why a stretch of running ended.
enum Stretch {
    Rests(Rest),
    /// A wait of an execution that goes on running may be over.
    Look,
    /// The time of the whole execution is over.
    Overtime,
}

impl<P: Process> Drive<P> {
    /// Runs the execution until its claim ends, and records how it ended.
    pub(super) async fn run(&self, flow: Result<Flow, Ending>) -> Left {
        let ending = match flow {
            Ok(flow) => self.there_and_back(flow).await,
            Err(ending) => ending,
        };
        self.conclude_or_stop(ending).await
    }

    /// Runs the workflow to its end or its rest; if it fails, turns round and undoes what it has done.
    async fn there_and_back(&self, flow: Flow) -> Ending {
        let failure = match self.advance(flow, self.claimed.deadline_at).await {
            Ending::Failed(failure) if self.run.rollback().is_none() => of_itself(failure),
            ending => return ending,
        };
        match self.turn_back(failure).await {
            Ok(flow) => self.advance(flow, None).await,
            Err(ending) => ending,
        }
    }

    /// Ends the claim. If the database refuses to record that end, the execution fails; if it refuses that, too, the execution
    /// is stopped.
    async fn conclude_or_stop(&self, mut ending: Ending) -> Left {
        loop {
            let is_failure = matches!(ending, Ending::Failed(_) | Ending::RolledBack(..) | Ending::Stopped(_));
            let was_stopped = matches!(ending, Ending::Stopped(_));
            let refused = match self.conclude(ending).await {
                Ok(left) => return left,
                Err(refused) => refused,
            };
            if was_stopped {
                // If it were released, the next claim would repeat steps that are not on record.
                tokio::time::sleep(PAUSE_WHILE_REFUSED).await;
                if self.process.is_draining() {
                    return Left::Refused;
                }
            }
            ending = if is_failure {
                Ending::Stopped(refused.message)
            } else if let Some(cause) = self.run.rollback() {
                Ending::undone(Box::new(cause), Err(Error::from_failure(*refused)))
            } else {
                match self.turn_back(refused).await {
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
                    return Ending::overtime();
                }
            };
            match (rest, &cause) {
                (Rest::Finished(undone), Some(cause)) => return Ending::undone(cause.clone(), undone),
                (Rest::Finished(Ok(output)), None) => {
                    self.leave_cut_off();
                    return Ending::returned(&flow.run, output);
                }
                (Rest::Finished(Err(error)), None) => return Ending::Failed(Box::new(error.failure().clone())),
                (Rest::Panicked(failure), None) => return Ending::Failed(failure),
                (Rest::Panicked(failure), Some(cause)) => {
                    return Ending::undone(cause.clone(), Err(Error::from_failure(*failure)));
                }
                (Rest::Ended(Verdict::Diverged(report)), _) => return Ending::Stopped(report),
                (Rest::Ended(Verdict::Released), _) => return Ending::Released,
                (Rest::Ended(Verdict::Lost), _) => return Ending::Lost,
                (Rest::Ended(Verdict::Continued(input)), _) => return Ending::continued(&flow.abandon(), input),
                (Rest::Ended(Verdict::Refused(failure)), _) => {
                    flow.abandon();
                    return match cause {
                        Some(cause) => Ending::undone(cause, Err(Error::from_failure(*failure))),
                        None => Ending::Failed(failure),
                    };
                }
                (Rest::Unregistered, _) => flow.run.ask_soon(),
                (Rest::Unwritten, _) => flow.run.flush_at_rest().await,
                (Rest::Waiting, _) => match self.park(flow).await {
                    Ok(resumed) => flow = resumed,
                    Err(ending) => return ending,
                },
            }
        }
    }

    /// Begins the rollback of an execution that has failed; if there is nothing to undo, it just fails.
    async fn turn_back(&self, failure: Box<Failure>) -> Result<Flow, Ending> {
        let run = &self.run;
        // A step that the failure has cut off may be committed all the same, and a child started; then they are undone, too.
        run.settled().await;
        let cause = (*failure).clone();
        // What such children did is in the database: the rollback begins anew, from the journal.
        let flow = match run.has_unread_children() {
            true => Err(Ending::Released),
            false => Ok(self.back(failure, Ending::Failed)?),
        };
        if run.flush().await == Written::Refused {
            match run.verdict_of_refusal() {
                Verdict::Released => return Err(Ending::Released),
                // It still fails, and undoes the steps that it knows.
                Verdict::Refused(_) => {}
                Verdict::Lost | Verdict::Diverged(_) | Verdict::Continued(_) => return Err(Ending::Lost),
            }
        }
        match self.process.begin_rollback(run, &cause).await {
            Ok(true) => {
                let flow = flow?;
                run.observed.rolls_back(&cause);
                run.turn_back(cause);
                Ok(flow)
            }
            Ok(false) => Err(Ending::Lost),
            Err(error) => {
                tracing::error!(execution_id = %run.id, %error, "cannot begin a rollback");
                Err(Ending::undone(Box::new(cause), Err(error)))
            }
        }
    }

    /// Runs until it rests, or until its deadline comes or its waits are worth a look.
    async fn run_until(&self, flow: &mut Flow, deadline_at: Option<DateTime<Utc>>) -> Stretch {
        // What was woken by its deadline must not park again.
        if deadline_at.is_some_and(|deadline| deadline <= self.run.clock().now()) {
            return Stretch::Overtime;
        }
        let deadline = async {
            match deadline_at {
                Some(deadline) => self.run.clock().reached(deadline).await,
                None => std::future::pending().await,
            }
        };
        let (run, root) = (flow.run.clone(), flow.root());
        // Most stretches are short: only one that is not gets timers.
        let mut rest = std::pin::pin!(flow.until_rest());
        if let Poll::Ready(rest) = futures_util::poll!(&mut rest) {
            return Stretch::Rests(rest);
        }
        tokio::select! {
            biased;
            rest = &mut rest => Stretch::Rests(rest),
            () = deadline => Stretch::Overtime,
            () = run.until_look(self.process.poll_interval()) => Stretch::Look,
            never = warn_of_foreign_waits(&root) => match never {},
        }
    }

    /// Parks the execution, or returns its code if waits are over already.
    async fn park(&self, flow: Flow) -> Result<Flow, Ending> {
        let run = &flow.run;
        match run.park().await {
            Ok(ParkOutcome::Parked { wake_at }) => {
                if let Some(wake_at) = wake_at {
                    self.process.set_timer(wake_at);
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

/// A failure as the execution's own. A child that was cancelled, rolled back or expired does not mean that a client asked for
/// that here.
fn of_itself(mut failure: Box<Failure>) -> Box<Failure> {
    use crate::error::ErrorKind::{Cancelled, Expired, Failed, RolledBack};
    if matches!(failure.kind, Cancelled | RolledBack | Expired) {
        failure.kind = Failed;
    }
    failure
}

/// Logs when workflow code waits for something that is neither a step nor a wait: such an execution keeps its slot.
async fn warn_of_foreign_waits(root: &Scope) -> Infallible {
    loop {
        tokio::time::sleep(FOREIGN_WAIT_WARNING).await;
        if root.waits_for_foreign_code() {
            tracing::warn!(execution_id = %root.execution_id(), "this execution keeps its slot: its workflow awaits something that is no step and no wait");
        }
    }
}
