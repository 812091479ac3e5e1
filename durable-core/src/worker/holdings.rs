//! What this worker holds: each execution under one claim, from its answer until everything that was written under it is answered.
//!
//! The database may say that an execution rests before this process has heard so, and give it to this worker again: that claim
//! waits until the first is left. So an execution has one run in a process, what was written under one claim is in the journal, or
//! refused, before the next reads it, and what the database says of an epoch concerns that claim alone.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::cache::Cache;
use super::conclude::Left;
use super::flow::Flow;
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::Claimed;
use crate::running::hold::Hold;
use crate::running::run::Run;
use crate::signals::Slot;

/// The executions that this worker holds, and those that rest in its memory.
#[derive(Debug)]
pub(super) struct Holdings {
    held: HashMap<ExecutionId, Holding>,
    /// Executions that are being created as held by this worker.
    starting: HashSet<ExecutionId>,
    /// Whether the database is being asked what else this worker holds.
    asking: bool,
    parked: Cache,
    /// Where the database may have it that this worker holds more: which of them have run here.
    in_doubt: Option<HashSet<ExecutionId>>,
    /// Whether that is to be asked again later: a claim may be committed after its answer was given up.
    ask_again: bool,
}

/// One execution that is held.
#[derive(Debug)]
struct Holding {
    id: ExecutionId,
    hold: Hold,
    /// Once it runs: before, its journal may have to be read.
    run: Option<Arc<Run>>,
    /// The claim that came while it ran.
    next: Option<Box<(Claimed, Slot)>>,
}

/// A claim that begins now: no other of its execution is at work here.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) claimed: Claimed,
    pub(super) slot: Slot,
    /// The code that has rested in memory.
    pub(super) flow: Option<Flow>,
}

impl Holdings {
    /// None yet; at most so many rest in memory.
    pub(super) fn new(cached: usize) -> Self {
        Self {
            held: HashMap::new(),
            starting: HashSet::new(),
            asking: false,
            parked: Cache::new(cached),
            in_doubt: None,
            ask_again: false,
        }
    }

    /// Enters a claim. Returns it if it begins now; where it waits for an earlier one, the run that is to be ended for it, if it does
    /// not come to rest by itself.
    #[must_use]
    pub(super) fn enter(&mut self, claimed: Claimed, slot: Slot) -> (Option<Ready>, Option<Arc<Run>>) {
        if let Some(holding) = self.held.get_mut(&claimed.id) {
            if holding.knows_later_than(&claimed) {
                return (None, None);
            }
            if let Some(run) = holding.run.clone() {
                // One that has come to rest is about to hear so; any other was taken away before this process heard of it.
                let is_resting = holding.hold.is_followed_by(&claimed);
                holding.next = Some(Box::new((claimed, slot)));
                return (None, (!is_resting).then_some(run));
            }
        }
        self.held.insert(claimed.id, Holding::of(&claimed));
        let flow = self.parked.take(claimed.id);
        (Some(Ready { claimed, slot, flow }), None)
    }

    /// Whether the execution is held under this claim, and not under a later one.
    pub(super) fn has(&self, claimed: &Claimed) -> bool {
        self.held.get(&claimed.id).is_some_and(|holding| holding.hold == Hold::by(claimed))
    }

    /// Enters a run, and says whether it may begin: under its claim the execution is still held.
    pub(super) fn run(&mut self, run: &Arc<Run>) -> bool {
        match self.held.get_mut(&run.id) {
            Some(holding) if holding.hold == run.hold() => {
                holding.run = Some(run.clone());
                true
            }
            _ => false,
        }
    }

    /// Leaves an execution. Returns the claim that begins now, if one waits, and what is the caller's to drop, outside any lock.
    #[must_use]
    pub(super) fn leave(&mut self, claimed: &Claimed, left: Left) -> (Option<Ready>, Option<Flow>) {
        let (flow, is_refused) = match left {
            Left::Parked(flow) => (Some(flow), false),
            Left::Noted => (None, false),
            Left::Refused => (None, true),
        };
        let holding = match self.held.entry(claimed.id) {
            Entry::Occupied(entry) if entry.get().hold == Hold::by(claimed) => entry.remove(),
            // It never began, and has been claimed again since.
            _ => return (None, flow),
        };
        if is_refused {
            self.doubt(holding.run.map(|run| run.id));
        }
        if let Some((claimed, slot)) = holding.next.map(|next| *next) {
            self.held.insert(claimed.id, Holding::of(&claimed));
            return (Some(Ready { claimed, slot, flow }), None);
        }
        match flow {
            Some(flow) if flow.run.may_go_on() => (None, self.parked.put(claimed.id, flow)),
            told_to_stop => (None, told_to_stop),
        }
    }

    /// Notes that an execution is being created as held by this worker. Returns false while the worker asks the
    /// database what it holds: the answer would contain the execution, and the worker would claim it a second time.
    #[must_use]
    pub(super) fn begin_start(&mut self, id: ExecutionId) -> bool {
        !self.asking && self.starting.insert(id)
    }

    pub(super) fn end_start(&mut self, id: ExecutionId) {
        self.starting.remove(&id);
    }

    /// Notes that the database may have it that this worker holds more than this, and what of that has run here.
    pub(super) fn doubt(&mut self, have_run: impl IntoIterator<Item = ExecutionId>) {
        self.in_doubt.get_or_insert_default().extend(have_run);
    }

    /// As [`doubt`](Self::doubt), where the answer to a claim did not come.
    pub(super) fn doubt_claim(&mut self) {
        self.doubt([]);
        self.ask_again = true;
    }

    /// Some time has passed: what was to be asked again is in doubt once more.
    pub(super) fn doubt_again(&mut self) {
        if std::mem::take(&mut self.ask_again) {
            self.doubt([]);
        }
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        self.in_doubt.is_some()
    }

    /// Begins to settle what is in doubt: returns the claims that are known, and what of the rest has run here. Until
    /// [`end_asking`](Self::end_asking), no start begins as held.
    pub(super) fn take_doubts(&mut self) -> (Vec<(ExecutionId, Epoch)>, HashSet<ExecutionId>) {
        let known = self.held.values().flat_map(|holding| {
            let next = holding.next.as_ref().map(|next| Hold::by(&next.0));
            [Some(holding.hold), next].into_iter().flatten().map(|hold| (holding.id, hold.epoch))
        });
        let starting = self.starting.iter().map(|id| (*id, Epoch::FIRST));
        self.asking = true;
        (known.chain(starting).collect(), self.in_doubt.take().unwrap_or_default())
    }

    pub(super) fn end_asking(&mut self) {
        self.asking = false;
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// The epochs under which executions are held in that life.
    pub(super) fn epochs(&self, life: WorkerId) -> Vec<(ExecutionId, Epoch)> {
        let held = self.held.iter().filter(|(_, holding)| holding.hold.worker == life);
        held.map(|(id, holding)| (*id, holding.hold.epoch)).collect()
    }

    pub(super) fn runs(&self) -> Vec<Arc<Run>> {
        self.held.values().filter_map(|holding| holding.run.clone()).collect()
    }

    pub(super) fn run_of(&self, id: ExecutionId) -> Option<&Arc<Run>> {
        self.held.get(&id)?.run.as_ref()
    }

    /// Those of the executions that run in that life under one of these epochs.
    pub(super) fn runs_at(&self, life: WorkerId, epochs: &[(ExecutionId, Epoch)], ids: &[ExecutionId]) -> Vec<Arc<Run>> {
        let run_at_its_epoch = |id: &ExecutionId| {
            let (_, epoch) = epochs.iter().find(|(held, _)| held == id)?;
            let holding = self.held.get(id)?;
            holding.run.clone().filter(|_| holding.hold == Hold { worker: life, epoch: *epoch })
        };
        ids.iter().filter_map(run_at_its_epoch).collect()
    }

    /// Has nothing begin any more of executions that have ended; returns those that run.
    #[must_use]
    pub(super) fn end(&mut self, ids: &[ExecutionId]) -> Vec<Arc<Run>> {
        let held = ids.iter().filter_map(|id| {
            let holding = self.held.get_mut(id)?;
            holding.next = None;
            holding.run.clone()
        });
        held.collect()
    }

    /// Has nothing begin any more; returns what runs.
    #[must_use]
    pub(super) fn end_all(&mut self) -> Vec<Arc<Run>> {
        self.held.retain(|_, holding| holding.run.is_some());
        for holding in self.held.values_mut() {
            holding.next = None;
        }
        self.runs()
    }

    /// Takes out what rests in memory; the code is the caller's to drop, outside any lock.
    #[must_use]
    pub(super) fn forget(&mut self, id: ExecutionId) -> Option<Flow> {
        self.parked.take(id)
    }

    /// As [`forget`](Self::forget), for everything.
    #[must_use]
    pub(super) fn forget_all(&mut self) -> Vec<Flow> {
        self.parked.clear()
    }
}

impl Holding {
    fn of(claimed: &Claimed) -> Self {
        Self { id: claimed.id, hold: Hold::by(claimed), run: None, next: None }
    }

    /// Whether the answer to the claim comes after that to a later one of the same life.
    fn knows_later_than(&self, claimed: &Claimed) -> bool {
        let next = self.next.as_ref().map(|next| Hold::by(&next.0));
        let is_later = |hold: Hold| hold.worker == claimed.worker && hold.epoch >= claimed.epoch;
        is_later(self.hold) || next.is_some_and(is_later)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_the_database_is_asked_no_start_begins_as_held_and_those_before_are_known() {
        let mut holdings = Holdings::new(0);
        let (before, meanwhile) = (ExecutionId::new(), ExecutionId::new());
        assert!(holdings.begin_start(before));
        let (known, _) = holdings.take_doubts();
        assert_eq!(known, [(before, Epoch::FIRST)]);
        assert!(!holdings.begin_start(meanwhile));
        holdings.end_asking();
        assert!(holdings.begin_start(meanwhile));
    }
}
