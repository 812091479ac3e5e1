//! Executions that this worker holds. An entry lives from the moment a claim returns until every write made under it is answered.
//!
//! The database may record that an execution rests before this process has the answer, and give the execution to this worker
//! again. That next claim waits until the first one is left. So an execution has at most one run in a process. Everything written
//! under one claim is recorded, or refused, before the next claim reads the journal. And whatever the database says about an
//! epoch concerns that claim alone.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::cache::Cache;
use super::ending::Left;
use super::flow::Flow;
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::Claimed;
use crate::plan::spoil::{Spoil, is_spoiled};
use crate::running::hold::Hold;
use crate::running::run::Run;
use crate::signals::Slot;

/// The executions that a worker holds, and the parked executions whose code stays in its memory.
///
/// The maps are sorted, so that a simulation visits the executions in the same order each time.
#[derive(Debug)]
pub(crate) struct HeldExecutions {
    by_id: BTreeMap<ExecutionId, HeldExecution>,
    /// Executions that are being created as held by this worker.
    starting: BTreeSet<ExecutionId>,
    /// Whether this worker is asking the database what else it holds.
    asking: bool,
    parked: Cache,
    /// `Some` if this worker may hold more in the database than it knows; with the executions among them that have run here.
    in_doubt: Option<BTreeSet<ExecutionId>>,
    /// Whether to ask again later, because a claim may be committed after this worker gave up waiting for its answer.
    ask_again: bool,
}

/// One execution that is held.
#[derive(Debug)]
struct HeldExecution {
    id: ExecutionId,
    hold: Hold,
    /// `None` before the execution runs: its journal may have to be read first.
    run: Option<Arc<Run>>,
    /// The claim that arrived while this one was active.
    next: Option<Box<(Claimed, Slot)>>,
}

/// A claim that begins now, because no other claim of its execution is active here.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) claimed: Claimed,
    pub(crate) slot: Slot,
    /// The code of the execution, if it was parked in memory.
    pub(crate) flow: Option<Flow>,
}

impl HeldExecutions {
    /// Holds nothing yet; keeps the code of at most `cached` parked executions.
    pub(crate) fn new(cached: usize) -> Self {
        Self {
            by_id: BTreeMap::new(),
            starting: BTreeSet::new(),
            asking: false,
            parked: Cache::new(cached),
            in_doubt: None,
            ask_again: false,
        }
    }

    /// Adds a claim. Returns it if it begins now. If it must wait for an earlier claim whose run does not rest by itself, returns
    /// that run, and the caller ends it.
    #[must_use]
    pub(crate) fn enter(&mut self, claimed: Claimed, slot: Slot) -> (Option<Ready>, Option<Arc<Run>>) {
        if let Some(held) = self.by_id.get_mut(&claimed.id) {
            if held.knows_later_than(&claimed) {
                return (None, None);
            }
            if let Some(run) = held.run.clone() {
                // If this claim follows the one before, the run rests already in the database, and its answer is about to arrive.
                // Otherwise the run was lost, and this process does not know it yet.
                let is_resting = held.hold.is_followed_by(&claimed);
                held.next = Some(Box::new((claimed, slot)));
                return (None, (!is_resting).then_some(run));
            }
        }
        self.by_id.insert(claimed.id, HeldExecution::of(&claimed));
        let flow = self.parked.take(claimed.id);
        (Some(Ready { claimed, slot, flow }), None)
    }

    /// Whether the execution is held under this claim, and not under a later one.
    pub(crate) fn has(&self, claimed: &Claimed) -> bool {
        self.by_id.get(&claimed.id).is_some_and(|held| held.hold == Hold::by(claimed))
    }

    /// Adds a run, and returns whether it may begin: whether its execution is still held under its claim.
    #[must_use]
    pub(crate) fn run(&mut self, run: &Arc<Run>) -> bool {
        match self.by_id.get_mut(&run.id) {
            Some(held) if held.hold == run.hold() => {
                held.run = Some(run.clone());
                true
            }
            _ => false,
        }
    }

    /// Removes a claim that has ended. Returns the next claim if one waits, and code for the caller to drop outside any lock.
    #[must_use]
    pub(crate) fn leave(&mut self, claimed: &Claimed, left: Left) -> (Option<Ready>, Option<Flow>) {
        let (flow, is_refused) = match left {
            Left::Parked(flow) => (Some(flow), false),
            Left::Noted => (None, false),
            Left::Refused | Left::Continued(_) => (None, true),
        };
        let held = match self.by_id.entry(claimed.id) {
            Entry::Occupied(entry) if entry.get().hold == Hold::by(claimed) => entry.remove(),
            // The claim never began, and the execution has been claimed again since.
            _ => return (None, flow),
        };
        if is_refused {
            self.doubt(held.run.map(|run| run.id));
        }
        if let Some((claimed, slot)) = held.next.map(|next| *next).filter(|_| !is_spoiled(Spoil::ForgetNextClaim)) {
            self.by_id.insert(claimed.id, HeldExecution::of(&claimed));
            return (Some(Ready { claimed, slot, flow }), None);
        }
        match flow {
            Some(flow) if flow.run.may_go_on() => (None, self.parked.put(claimed.id, flow)),
            stopped => (None, stopped),
        }
    }

    /// Replaces a claim by the one under which its execution has begun anew; returns whether that one may begin now. Not if a
    /// later claim waits, and not if the execution is no longer held.
    #[must_use]
    pub(crate) fn go_on(&mut self, claimed: &Claimed, next: &Claimed) -> bool {
        match self.by_id.get_mut(&claimed.id) {
            Some(held) if held.hold == Hold::by(claimed) && held.next.is_none() => {
                *held = HeldExecution::of(next);
                true
            }
            _ => false,
        }
    }

    /// Notes that an execution is being created as held by this worker. Returns false while the worker asks the
    /// database what it holds: the answer would contain the execution, and the worker would claim it a second time.
    #[must_use]
    pub(crate) fn begin_start(&mut self, id: ExecutionId) -> bool {
        !self.asking && self.starting.insert(id)
    }

    pub(crate) fn end_start(&mut self, id: ExecutionId) {
        self.starting.remove(&id);
    }

    /// Notes that this worker may hold more in the database than it knows, and which of these executions have run here.
    pub(crate) fn doubt(&mut self, have_run: impl IntoIterator<Item = ExecutionId>) {
        if !is_spoiled(Spoil::ForgetDoubts) {
            self.in_doubt.get_or_insert_default().extend(have_run);
        }
    }

    /// As [`doubt`](Self::doubt), when the answer to a claim was lost.
    pub(crate) fn doubt_claim(&mut self) {
        self.doubt([]);
        self.ask_again = true;
    }

    /// Some time has passed since an answer was lost: the claim may have been committed after the database was asked.
    pub(crate) fn doubt_again(&mut self) {
        if std::mem::take(&mut self.ask_again) {
            self.doubt([]);
        }
    }

    pub(crate) fn is_in_doubt(&self) -> bool {
        self.in_doubt.is_some()
    }

    /// Begins to settle the doubt. Returns the claims that are known, and which of the other executions have run here. No start
    /// begins as held until [`end_asking`](Self::end_asking).
    pub(crate) fn take_doubts(&mut self) -> (Vec<(ExecutionId, Epoch)>, BTreeSet<ExecutionId>) {
        let known = self.by_id.values().flat_map(|held| {
            let next = held.next.as_ref().map(|next| Hold::by(&next.0));
            [Some(held.hold), next].into_iter().flatten().map(|hold| (held.id, hold.epoch))
        });
        let starting = self.starting.iter().map(|id| (*id, Epoch::FIRST));
        self.asking = true;
        (known.chain(starting).collect(), self.in_doubt.take().unwrap_or_default())
    }

    pub(crate) fn end_asking(&mut self) {
        self.asking = false;
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// The executions that this process holds as that worker, each with its epoch.
    pub(crate) fn epochs(&self, worker: WorkerId) -> Vec<(ExecutionId, Epoch)> {
        let of_worker = self.by_id.iter().filter(|(_, held)| held.hold.worker == worker);
        of_worker.map(|(id, held)| (*id, held.hold.epoch)).collect()
    }

    pub(crate) fn runs(&self) -> Vec<Arc<Run>> {
        self.by_id.values().filter_map(|held| held.run.clone()).collect()
    }

    pub(crate) fn run_of(&self, id: ExecutionId) -> Option<&Arc<Run>> {
        self.by_id.get(&id)?.run.as_ref()
    }

    /// The runs of those executions among `ids` that this process still runs as that worker, at the epoch given here.
    pub(crate) fn runs_at(&self, worker: WorkerId, epochs: &[(ExecutionId, Epoch)], ids: &[ExecutionId]) -> Vec<Arc<Run>> {
        let run_at_its_epoch = |id: &ExecutionId| {
            let (_, epoch) = epochs.iter().find(|(held, _)| held == id)?;
            let held = self.by_id.get(id)?;
            held.run.clone().filter(|_| held.hold == Hold { worker, epoch: *epoch })
        };
        ids.iter().filter_map(run_at_its_epoch).collect()
    }

    /// Drops the next claims of executions that have ended. Returns their runs, which the caller ends.
    #[must_use]
    pub(crate) fn end(&mut self, ids: &[ExecutionId]) -> Vec<Arc<Run>> {
        let runs = ids.iter().filter_map(|id| {
            let held = self.by_id.get_mut(id)?;
            held.next = None;
            held.run.clone()
        });
        runs.collect()
    }

    /// Drops every claim that does not run yet. Returns the runs, which the caller ends.
    #[must_use]
    pub(crate) fn end_all(&mut self) -> Vec<Arc<Run>> {
        self.by_id.retain(|_, held| held.run.is_some());
        for held in self.by_id.values_mut() {
            held.next = None;
        }
        self.runs()
    }

    /// Removes a parked execution from memory. The caller drops its code outside any lock.
    #[must_use]
    pub(crate) fn forget(&mut self, id: ExecutionId) -> Option<Flow> {
        self.parked.take(id)
    }

    /// As [`forget`](Self::forget), for every parked execution.
    #[must_use]
    pub(crate) fn forget_all(&mut self) -> Vec<Flow> {
        self.parked.clear()
    }
}

impl HeldExecution {
    fn of(claimed: &Claimed) -> Self {
        Self { id: claimed.id, hold: Hold::by(claimed), run: None, next: None }
    }

    /// Whether this claim is older than a claim that this worker already knows: its answer came late.
    fn knows_later_than(&self, claimed: &Claimed) -> bool {
        let next = self.next.as_ref().map(|next| Hold::by(&next.0));
        let is_later = |hold: Hold| hold.worker == claimed.worker && hold.epoch >= claimed.epoch;
        is_later(self.hold) || next.is_some_and(is_later)
    }
}

#[cfg(test)]
mod tests;
