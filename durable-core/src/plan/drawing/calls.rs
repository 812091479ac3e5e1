//! The calls of an execution by scope and in their order, as its journal has them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::error::ErrorKind;
use crate::ids::ExecutionId;
use crate::model::{
    Attempt, AttemptOutcome, Decision, ExecutionDetails, ExecutionState, NodeKind, NodeState, Step, Wait, WaitOutcome,
};
use crate::plan::journal_key;

/// The calls of `run`, or of one branch.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) calls: Vec<Call>,
    places: HashMap<String, usize>,
}

/// One durable call.
#[derive(Debug)]
pub(super) struct Call {
    /// Its journal key.
    pub(super) key: String,
    pub(super) kind: NodeKind,
    /// Its name in the journal; empty if it has none.
    pub(super) name: String,
    /// What is recorded of it, and of the waits that it consists of.
    pub(super) records: Vec<Record>,
    /// Its branches by number.
    pub(super) branches: BTreeMap<usize, Scope>,
    /// The branch that decided over the others.
    pub(super) decided: Option<usize>,
    /// Whether all that is recorded of it are waits.
    begins_with_a_wait: bool,
}

/// What is recorded of a call.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) state: NodeState,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) finished_at: Option<DateTime<Utc>>,
    pub(super) attempts: u32,
    pub(super) child: Option<ExecutionId>,
}

impl Scope {
    /// Everything that an execution has called, apart from its compensations.
    pub(super) fn of(details: &ExecutionDetails) -> Self {
        let mut scope = Self::default();
        let over = details.execution.state.is_finished();
        for step in details.steps.iter().filter(|step| !step.key.starts_with(journal_key::UNDO)) {
            scope.add(&step.key, Record::of_step(step, over), Some(Decision::of(step)));
        }
        for wait in details.waits.iter().filter(|wait| !wait.key.starts_with(journal_key::UNDO)) {
            scope.add(&wait.key, Record::of_wait(wait, details, over), None);
        }
        scope.sort();
        scope
    }

    /// Adds a record of a step, with the branch that it says has decided, or one of a wait.
    fn add(&mut self, key: &str, record: Record, step: Option<Option<usize>>) {
        let mut scope = self;
        let mut parts = journal_key::segments(key).peekable();
        while let Some((path, part)) = parts.next() {
            let call = scope.call(&format!("{path}{part}"), part);
            call.begins_with_a_wait &= step.is_none();
            let inner = parts.next_if(|(_, inner)| call.kind.is_fork() && journal_key::is_branch(inner));
            match inner.and_then(|(_, number)| number.parse().ok()) {
                Some(number) => scope = call.branches.entry(number).or_default(),
                // A wait for all consists of waits. What else is below a call, such as its reminders, is its own affair.
                None if parts.peek().is_none() || call.kind == NodeKind::All => {
                    call.decided = call.decided.or(step.flatten());
                    call.records.push(record);
                    return;
                }
                None => return,
            }
        }
    }

    fn call(&mut self, key: &str, part: &str) -> &mut Call {
        let calls = &mut self.calls;
        let place = *self.places.entry(part.to_owned()).or_insert_with(|| {
            calls.push(Call::new(key, part));
            calls.len() - 1
        });
        &mut calls[place]
    }

    /// Brings the calls into the order in which the code made them. Those of steps are in this order, and those of waits; a step
    /// that had ended when a wait began comes before it.
    fn sort(&mut self) {
        for call in &mut self.calls {
            call.branches.values_mut().for_each(Self::sort);
        }
        // The places are no longer asked for.
        self.places.clear();
        let calls = std::mem::take(&mut self.calls);
        let (steps, waits): (Vec<Call>, Vec<Call>) = calls.into_iter().partition(|call| !call.begins_with_a_wait);
        let mut waits = waits.into_iter().peekable();
        for step in steps {
            let ended = step.first_ended_at();
            while let Some(wait) = waits.next_if(|wait| wait.started_at() < ended) {
                self.calls.push(wait);
            }
            self.calls.push(step);
        }
        self.calls.extend(waits);
    }
}

impl Call {
    fn new(key: &str, part: &str) -> Self {
        let (kind, name) = journal_key::kind_and_name(part);
        let kind = NodeKind::of_word(kind);
        Self {
            key: key.to_owned(),
            kind,
            name: name.into_owned(),
            records: Vec::new(),
            branches: BTreeMap::new(),
            decided: None,
            begins_with_a_wait: true,
        }
    }

    pub(super) fn started_at(&self) -> Option<DateTime<Utc>> {
        let inner = self.branches.values().flat_map(|scope| &scope.calls).filter_map(Self::started_at);
        // The record of a decision is as late as the decision.
        let own = self.records.iter().filter_map(|record| record.started_at).filter(|_| !self.kind.is_fork());
        let first = own.chain(inner).min();
        first.or_else(|| self.records.iter().filter_map(|record| record.started_at).min())
    }

    fn first_ended_at(&self) -> Option<DateTime<Utc>> {
        let inner = self.branches.values().flat_map(|scope| &scope.calls).filter_map(Self::first_ended_at);
        let own = self.records.iter().filter_map(|record| record.finished_at.or(record.started_at));
        own.chain(inner).min()
    }

    /// The state of a fork: that of what goes on in its branches.
    pub(super) fn state(&self) -> NodeState {
        let inner = || self.branches.values().flat_map(|scope| &scope.calls).map(Self::state);
        let own = || self.records.iter().map(|record| record.state);
        let found = |state| inner().chain(own()).any(|found| found == state);
        match [NodeState::Running, NodeState::Waiting].into_iter().find(|state| found(*state)) {
            Some(under_way) => under_way,
            None if self.kind.is_fork() => NodeState::Done,
            None => own().next_back().unwrap_or(NodeState::Done),
        }
    }
}

impl Record {
    fn of_step(step: &Step, over: bool) -> Self {
        let (started_at, finished_at) = times(&step.attempts);
        let cut_off = step.error.as_ref().is_some_and(|error| error.kind == ErrorKind::Cancelled);
        let state = match (&step.output, &step.error) {
            (Some(_), _) => NodeState::Done,
            (None, Some(_)) if cut_off => NodeState::Dropped,
            (None, Some(_)) => NodeState::Failed,
            _ if over => NodeState::Dropped,
            _ if step.is_running() => NodeState::Running,
            _ => NodeState::Waiting,
        };
        Self {
            state,
            started_at,
            finished_at: finished_at.filter(|_| step.is_over()),
            attempts: number(&step.attempts),
            child: None,
        }
    }

    fn of_wait(wait: &Wait, details: &ExecutionDetails, over: bool) -> Self {
        let child = details.children.iter().find(|child| child.key == wait.key);
        let child_failed = child.is_some_and(|child| {
            matches!(child.state, ExecutionState::Failed | ExecutionState::CompensationFailed | ExecutionState::Compensated)
        });
        let state = match wait.outcome {
            Some(WaitOutcome::Received) if child_failed => NodeState::Failed,
            Some(WaitOutcome::Elapsed | WaitOutcome::Received | WaitOutcome::TimedOut) => NodeState::Done,
            Some(WaitOutcome::Cancelled | WaitOutcome::Closed) => NodeState::Dropped,
            None if over => NodeState::Dropped,
            None => NodeState::Waiting,
        };
        let child = wait.child_id.or(child.map(|child| child.id));
        Self { state, started_at: Some(wait.started_at), finished_at: wait.resolved_at, attempts: 0, child }
    }

    pub(super) fn of_compensation(compensation: &crate::model::Compensation) -> Self {
        let (started_at, finished_at) = times(&compensation.attempts);
        let runs = compensation.attempts.last().is_some_and(|last| last.outcome == AttemptOutcome::Running);
        let state = match (&compensation.output, &compensation.error) {
            (Some(_), _) => NodeState::Done,
            (None, Some(_)) => NodeState::Failed,
            _ if runs => NodeState::Running,
            _ => NodeState::Waiting,
        };
        Self { state, started_at, finished_at, attempts: number(&compensation.attempts), child: None }
    }

    pub(super) fn took(&self) -> Option<Duration> {
        (self.finished_at? - self.started_at?).to_std().ok()
    }
}

impl Decision {
    /// The branch that decided, if the entry is that of a decision.
    fn of(step: &Step) -> Option<usize> {
        let (kind, _) = journal_key::kind_and_name(journal_key::segments(&step.key).last()?.1);
        let decision: Self = step.output.as_ref()?.decode().ok().filter(|_| NodeKind::of_word(kind).is_fork())?;
        Some(decision.branch)
    }
}

/// When the first attempt began, and the last one ended.
fn times(attempts: &[Attempt]) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    (attempts.first().map(|first| first.started_at), attempts.last().and_then(|last| last.finished_at))
}

fn number(attempts: &[Attempt]) -> u32 {
    attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0)
}
