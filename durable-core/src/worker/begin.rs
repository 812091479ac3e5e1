//! Begins a claim of an execution: with an empty journal, with code that was parked in memory, or by replaying a journal.

use std::sync::Arc;

use super::drive::Drive;
use super::ending::Ending;
use super::flow::Flow;
use super::process::Process;
use crate::error::{ErrorKind, Failure};
use crate::model::{Checkpoint, Claimed, JournalRecords, Outcome};
use crate::plan::{divergence, journal_key, rollback};
use crate::registry::Registered;
use crate::running::hold::Hold;

/// How an execution begins.
pub(super) enum Begin {
    /// It has never run: its journal is empty, and need not be read.
    Fresh,
    /// It continues in memory.
    Cached(Flow),
    /// It runs from its start, over its journal.
    Replayed(JournalRecords),
}

impl<P: Process> Drive<P> {
    /// The run of this claim and its code; instead of code an ending, if the code does not fit the journal.
    pub(super) fn begin(
        process: &Arc<P>,
        registered: &Arc<Registered>,
        claimed: Claimed,
        begin: Begin,
    ) -> (Self, Result<Flow, Ending>) {
        let drive = |run, claimed| Self { process: process.clone(), registered: registered.clone(), run, claimed };
        let journal = match begin {
            Begin::Cached(flow) => {
                flow.run.wake(Hold::by(&claimed), claimed.resolved.clone().unwrap_or_default());
                return (drive(flow.run.clone(), claimed), Ok(flow));
            }
            Begin::Fresh => None,
            Begin::Replayed(journal) => Some(journal),
        };
        let drive = drive(process.new_run(&claimed), claimed);
        let flow = drive.begin_flow(journal);
        (drive, flow)
    }

    fn begin_flow(&self, journal: Option<JournalRecords>) -> Result<Flow, Ending> {
        let Self { registered, run, claimed, .. } = self;
        if claimed.is_first() {
            run.metrics.started(run.clock().since(claimed.ready_at));
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
                Err(_) if leaves_nothing && self.is_overtime() => return Err(Ending::overtime()),
                Err(report) => return Err(Ending::Stopped(report)),
            }
        }
        let Some(cause) = &claimed.rollback else { return Ok(Flow::forward(run, registered, claimed.input.clone())) };
        // Observers are notified when a rollback begins; a rollback that is in the journal has begun before.
        if !run.is_recorded_below(journal_key::UNDO) {
            run.observed.rolls_back(cause);
        }
        self.back(Box::new(cause.clone()), Ending::nothing_undone)
    }

    /// Records the steps that a crash cut off in branches that have lost. A rollback of the parent undoes them, too.
    pub(super) fn leave_cut_off(&self) {
        for key in rollback::may_remain(&self.registered.compensations, self.run.take_passed_over()) {
            let failure = Failure::new(ErrorKind::Cancelled, "cut off: its workflow no longer waits for it");
            self.run.leave_undoable(Checkpoint::of(key, Outcome::Error(Box::new(failure))));
        }
    }

    fn is_overtime(&self) -> bool {
        let Self { run, claimed, .. } = self;
        claimed.rollback.is_none() && claimed.deadline_at.is_some_and(|deadline| deadline <= run.clock().now())
    }

    /// The code of a rollback; `Err` if there is nothing to undo, or if the code does not know how.
    pub(super) fn back(&self, cause: Box<Failure>, nothing: impl FnOnce(Box<Failure>) -> Ending) -> Result<Flow, Ending> {
        let Self { registered, run, claimed, .. } = self;
        match rollback::chain(&claimed.workflow, &registered.compensations, run.cut_off(), run.undoable()) {
            Ok(chain) if chain.is_empty() => Err(nothing(cause)),
            Ok(chain) => Ok(Flow::back(run, registered, chain)),
            Err(report) => Err(Ending::Stopped(report)),
        }
    }
}

/// The journal with every step under the name that the code has for it now.
pub(super) fn under_current_names(
    workflow: &str,
    registered: &Registered,
    mut journal: JournalRecords,
) -> Result<JournalRecords, String> {
    // A graph keeps what it has recorded of a node that its code no longer has.
    let current = |key: &mut String| match divergence::current_key(workflow, &registered.steps, key.clone()) {
        Ok(current) => {
            *key = current;
            Ok(())
        }
        Err(_) if registered.door.is_some() => Ok(()),
        Err(report) => Err(report),
    };
    journal.checkpoints.iter_mut().try_for_each(|checkpoint| current(&mut checkpoint.key))?;
    journal.attempts.iter_mut().try_for_each(|attempt| current(&mut attempt.key))?;
    if registered.door.is_some() {
        return Ok(journal);
    }
    for wait in &journal.waits {
        divergence::check_routed(workflow, &registered.steps, &wait.key)?;
    }
    Ok(journal)
}
