//! One execution on record: its journal, its waits, its mailbox, its parent, and what its code has done with the messages that it
//! received.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::family::ChildEnd;
use super::message::{Message, id_of, payload_of};
use super::parking::{has_received, is_kept};
use crate::error::Failure;
use crate::ids::{ExecutionId, WorkerId};
use crate::model::{
    Checkpoint, ClaimedStep, Due, ExecutionState, ExecutionValue, FailedAttempt, JournalRecords, NewValue, NewWait, Outcome,
    ParentPolicy, RecordedWait, StoredNode, Tags, ValueState, WaitKind, WaitOutcome,
};
use crate::payload::{Json, Payload};
use crate::plan::graph::CHANGES;
use crate::store::saves::NextState;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Running,
    Waiting,
    Stopped,
    Completed,
    Failed,
    Cancelled,
    Compensated,
    CompensationFailed,
}

impl State {
    pub(super) fn after(next: &NextState) -> Self {
        match next {
            NextState::Completed(_) => Self::Completed,
            NextState::Failed(_) => Self::Failed,
            NextState::RolledBack(ExecutionState::Compensated, _) => Self::Compensated,
            NextState::RolledBack(ExecutionState::Cancelled, _) => Self::Cancelled,
            NextState::RolledBack(ExecutionState::CompensationFailed, _) => Self::CompensationFailed,
            NextState::RolledBack(..) => Self::Failed,
            NextState::Stopped(_) => Self::Stopped,
            NextState::Released => Self::Pending,
        }
    }
}

/// The parent of an execution, and what the end of the parent means for it.
#[derive(Debug, Clone)]
pub(crate) struct Parent {
    pub(crate) id: ExecutionId,
    /// The key of the parent's wait for the child.
    pub(crate) key: String,
    pub(crate) policy: ParentPolicy,
    pub(crate) by_compensation: bool,
    /// How often the parent had continued as new when it started the child.
    pub(crate) iteration: u32,
    /// Whether the parent was notified of the end of the child.
    pub(crate) notified: bool,
}

/// One execution on record.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) workflow: String,
    pub(crate) queue: String,
    /// Of the executions of a workflow, one has the key.
    pub(crate) key: Option<String>,
    pub(crate) input: String,
    /// The input that it was started with.
    pub(crate) first_input: String,
    pub(crate) parent: Option<Parent>,
    /// The completed execution whose steps it undoes.
    pub(crate) undoes: Option<ExecutionId>,
    /// The step that it runs, if it runs no workflow.
    pub(crate) step: Option<ClaimedStep>,
    pub(crate) undo_on_failure: bool,
    pub(crate) state: State,
    pub(crate) worker: Option<WorkerId>,
    pub(crate) epoch: i32,
    /// How often it has continued as new, and the namespace that it has since.
    pub(crate) continuations: u32,
    pub(crate) namespace: Option<ExecutionId>,
    pub(crate) claims: i16,
    pub(crate) paused: bool,
    pub(crate) rollback: Option<Failure>,
    /// How long it may take from its first claim.
    pub(super) time_limit: Option<Duration>,
    pub(crate) deadline_at: Option<DateTime<Utc>>,
    /// The checkpoints with their ordinals.
    pub(crate) checkpoints: BTreeMap<String, (u64, Checkpoint)>,
    pub(crate) attempts: BTreeMap<(String, u32), FailedAttempt>,
    pub(crate) waits: BTreeMap<String, WaitRow>,
    /// The values that it has set, by name.
    pub(crate) values: BTreeMap<String, ExecutionValue>,
    /// Its nodes, if it is a graph, by name.
    pub(crate) nodes: BTreeMap<String, StoredNode>,
    pub(crate) tags: Tags,
    /// Messages that no wait has taken, by their arrival, each with the time at which it was sent.
    pub(crate) mailbox: BTreeMap<u64, (Message, DateTime<Utc>)>,
    /// How many messages the code could not read.
    pub(crate) refusals: usize,
    pub(crate) wake_at: Option<DateTime<Utc>>,
    /// The output, or the failure; also of an execution that was stopped.
    pub(crate) end: Option<String>,
    /// When it ended, and the ordinal of its end.
    pub(crate) finished: Option<(DateTime<Utc>, u64)>,
    /// The idempotency keys of the steps whose bodies have begun.
    pub(crate) begun: BTreeSet<Uuid>,
    /// The idempotency keys of the steps that had ended when it continued as new.
    pub(crate) past_steps: BTreeSet<Uuid>,
    /// The values that transactions of steps have written.
    pub(crate) written: Vec<u64>,
    pub(crate) use_of: Use,
}

/// What the code of an execution has done with its messages. The code says so itself.
#[derive(Debug, Default)]
pub(crate) struct Use {
    /// How many waits for a message of a name the code in a process polls.
    pub(crate) polled: BTreeMap<(WorkerId, &'static str), usize>,
    /// Messages that the code in a process has, and has not gone on from.
    pub(crate) in_hand: BTreeMap<(WorkerId, u64), usize>,
    /// Messages that the code has gone on from.
    pub(crate) used: BTreeSet<u64>,
}

#[derive(Debug)]
pub(crate) struct WaitRow {
    pub(crate) kind: WaitKind,
    pub(crate) name: String,
    pub(crate) outcome: Option<WaitOutcome>,
    /// Whether its message is of no use to another wait.
    keeps_message: bool,
    /// The message that it has received, with its arrival.
    pub(crate) message: Option<(u64, Message)>,
    /// The messages that a close has taken, with their arrivals and the times at which they were sent.
    pub(crate) taken: Vec<(u64, Message, DateTime<Utc>)>,
    /// The child that it is for.
    pub(crate) child: Option<ExecutionId>,
    /// How the child ended.
    pub(crate) end: Option<ChildEnd>,
    pub(super) due_at: Option<DateTime<Utc>>,
    resolved_at: Option<DateTime<Utc>>,
    /// The ordinal of the end of a child.
    pub(crate) resolved_ordinal: Option<u64>,
    ordinal: u64,
}

impl Record {
    /// An execution that is pending.
    pub(super) fn new(input: &str) -> Self {
        Self {
            workflow: String::new(),
            queue: String::new(),
            key: None,
            input: input.to_owned(),
            first_input: input.to_owned(),
            parent: None,
            undoes: None,
            step: None,
            undo_on_failure: false,
            state: State::Pending,
            worker: None,
            epoch: 0,
            continuations: 0,
            namespace: None,
            claims: 0,
            paused: false,
            rollback: None,
            time_limit: None,
            deadline_at: None,
            checkpoints: BTreeMap::new(),
            values: BTreeMap::new(),
            nodes: BTreeMap::new(),
            tags: Tags::new(),
            attempts: BTreeMap::new(),
            waits: BTreeMap::new(),
            mailbox: BTreeMap::new(),
            refusals: 0,
            wake_at: None,
            end: None,
            finished: None,
            begun: BTreeSet::new(),
            past_steps: BTreeSet::new(),
            written: Vec::new(),
            use_of: Use::default(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        use State::{Cancelled, Compensated, CompensationFailed, Completed, Failed};
        matches!(self.state, Completed | Failed | Cancelled | Compensated | CompensationFailed)
    }

    /// Whether it has not ended and is not rolled back.
    pub(crate) fn goes_on(&self) -> bool {
        !self.is_over() && self.rollback.is_none()
    }

    /// Whether it had ended when the other execution ended, or has ended and the other has not.
    pub(crate) fn ended_before(&self, other: &Self) -> bool {
        self.finished.is_some() && other.finished.is_none_or(|finished| self.finished < Some(finished))
    }

    pub(crate) fn is_child_of(&self, parent: ExecutionId, policy: ParentPolicy) -> bool {
        self.parent.as_ref().is_some_and(|of| of.id == parent && of.policy == policy)
    }

    /// The state that people are shown.
    pub(crate) fn shown(&self) -> ExecutionState {
        match self.state {
            State::Completed => ExecutionState::Completed,
            State::Failed => ExecutionState::Failed,
            State::Cancelled => ExecutionState::Cancelled,
            State::Compensated => ExecutionState::Compensated,
            State::CompensationFailed => ExecutionState::CompensationFailed,
            State::Stopped => ExecutionState::Stopped,
            _ if self.rollback.is_some() => ExecutionState::Compensating,
            State::Pending => ExecutionState::Pending,
            State::Running => ExecutionState::Running,
            State::Waiting => ExecutionState::Waiting,
        }
    }

    pub(super) fn is_held_by(&self, worker: WorkerId) -> bool {
        self.state == State::Running && self.worker == Some(worker)
    }

    /// Resumes the execution, if it is paused or was stopped.
    pub(crate) fn resume(&mut self) {
        self.paused = false;
        if self.state == State::Stopped {
            self.state = State::Pending;
        }
    }

    pub(super) fn wake(&mut self) {
        if self.state == State::Waiting {
            self.state = State::Pending;
        }
    }

    pub(crate) fn journal(&self) -> JournalRecords {
        JournalRecords {
            checkpoints: self.checkpoints.values().map(|(_, checkpoint)| checkpoint.clone()).collect(),
            attempts: self.attempts.values().cloned().collect(),
            waits: self.waits.iter().map(|(key, wait)| wait.recorded(key)).collect(),
            newest: None,
        }
    }

    /// The waits that have ended.
    pub(crate) fn resolved(&self) -> Vec<RecordedWait> {
        self.waits.iter().filter(|(_, wait)| wait.outcome.is_some()).map(|(key, wait)| wait.recorded(key)).collect()
    }

    /// The outcome of a step on record.
    pub(crate) fn output(&self, key: &str) -> Option<&str> {
        match &self.checkpoints.get(key)?.1.outcome {
            Outcome::Output(output) => Some(output.as_str()),
            Outcome::Error(_) => None,
        }
    }

    /// Gives each message to the wait that was first to ask for it; the oldest message first.
    pub(super) fn deliver(&mut self, now: DateTime<Utc>) {
        for (arrival, (message, sent_at)) in std::mem::take(&mut self.mailbox) {
            // A wait whose deadline has passed takes only what came before it.
            let in_time = |wait: &WaitRow| wait.due_at.is_none_or(|due_at| due_at > now || due_at >= sent_at);
            let fits = self.waits.values_mut().filter(|wait| is_kept(wait.kind) && wait.is_for(&message) && in_time(wait));
            match fits.min_by_key(|wait| wait.ordinal) {
                Some(wait) => wait.receive(arrival, message, now),
                None => drop(self.mailbox.insert(arrival, (message, sent_at))),
            }
        }
    }

    /// Whether the execution has closed the events of this name.
    pub(crate) fn has_closed(&self, name: &str) -> bool {
        self.waits.values().any(|wait| wait.kind == WaitKind::Close && has_received(wait.outcome) && wait.name == name)
    }

    /// Closes the events for which a close is registered, and ends the waits for events that are closed.
    pub(super) fn close_events(&mut self, now: DateTime<Utc>) {
        let mut closing: Vec<&mut WaitRow> =
            self.waits.values_mut().filter(|wait| wait.kind == WaitKind::Close && wait.outcome.is_none()).collect();
        closing.sort_by_key(|wait| wait.ordinal);
        for close in closing {
            let is_taken =
                |_: &u64, (message, _): &mut (Message, _)| message.kind == WaitKind::Event && message.name == close.name;
            let taken = self.mailbox.extract_if(.., is_taken);
            close.taken = taken.map(|(arrival, (message, sent_at))| (arrival, message, sent_at)).collect();
            (close.outcome, close.resolved_at) = (Some(WaitOutcome::Received), Some(now));
        }
        let closed: BTreeSet<String> =
            self.waits.values().filter(|wait| wait.kind == WaitKind::Close).map(|wait| wait.name.clone()).collect();
        let closed: BTreeSet<String> = closed.into_iter().filter(|name| self.has_closed(name)).collect();
        let in_time = |wait: &WaitRow| wait.due_at.is_none_or(|due_at| due_at > now);
        let open = self.waits.values_mut().filter(|wait| wait.kind == WaitKind::Event && wait.outcome.is_none() && in_time(wait));
        for wait in open.filter(|wait| closed.contains(&wait.name)) {
            (wait.outcome, wait.resolved_at) = (Some(WaitOutcome::Closed), Some(now));
        }
    }

    pub(super) fn publish(&mut self, arrival: u64, message: &Message, now: DateTime<Utc>) -> bool {
        let mut took = false;
        let in_time = |wait: &WaitRow| wait.due_at.is_none_or(|due_at| due_at > now);
        for wait in self.waits.values_mut().filter(|wait| wait.is_for(message) && in_time(wait)) {
            wait.receive(arrival, message.clone(), now);
            took = true;
        }
        took
    }

    pub(super) fn end_due(&mut self, now: DateTime<Utc>) {
        let open = self.waits.values_mut().filter(|wait| wait.outcome.is_none());
        for wait in open.filter(|wait| wait.due_at.is_some_and(|due_at| due_at <= now)) {
            wait.outcome = Some(if wait.kind == WaitKind::Sleep { WaitOutcome::Elapsed } else { WaitOutcome::TimedOut });
            wait.resolved_at = Some(now);
        }
    }

    /// Sets the values and the tag that come with a new checkpoint.
    pub(super) fn set_values(&mut self, checkpoint: &Checkpoint) {
        if let Some(tag) = &checkpoint.tag {
            self.tags.insert(tag.name.clone(), tag.value.clone());
        }
        checkpoint.sets.iter().for_each(|new| self.set_value(new));
    }

    fn set_value(&mut self, new: &NewValue) {
        let json = |payload: &Payload| Json::of_text(payload.as_str().to_owned()).unwrap_or_default();
        let value = ExecutionValue {
            name: new.name.clone(),
            revision: self.values.get(&new.name).map_or(1, |before| before.revision + 1),
            set_at: DateTime::UNIX_EPOCH,
            value: json(&new.value),
            metadata: new.metadata.as_ref().map(json),
            stale: false,
        };
        let Some(node) = &new.node else { return drop(self.values.insert(new.name.clone(), value)) };
        let stored = StoredNode {
            name: new.name.clone(),
            state: node.state,
            revision: node.revision,
            set_at: node.set_at.unwrap_or(DateTime::UNIX_EPOCH),
            record: serde_json::from_str(node.record.as_str()).expect("what a driver writes can be read"),
            value: new.value.clone(),
            metadata: new.metadata.clone(),
        };
        self.nodes.insert(new.name.clone(), stored);
        if node.state.has_value() {
            let value = ExecutionValue { revision: node.revision, stale: node.state == ValueState::Stale, ..value };
            self.values.insert(new.name.clone(), value);
        } else {
            self.values.remove(&new.name);
        }
    }

    pub(super) fn cancel_waits(&mut self, now: DateTime<Utc>) {
        for wait in self.waits.values_mut().filter(|wait| wait.outcome.is_none()) {
            (wait.outcome, wait.resolved_at) = (Some(WaitOutcome::Cancelled), Some(now));
        }
    }

    /// Ends a wait; a message that it has received goes back to its place in the mailbox.
    pub(super) fn drop_wait(&mut self, key: &str) {
        let Some(wait) = self.waits.get_mut(key) else { return };
        let gives_back = wait.kind.takes_messages() && !wait.keeps_message;
        if wait.outcome.is_some() && !(has_received(wait.outcome) && gives_back) {
            return;
        }
        wait.outcome = Some(WaitOutcome::Cancelled);
        for (arrival, message, sent_at) in std::mem::take(&mut wait.taken) {
            self.mailbox.insert(arrival, (message, sent_at));
        }
        if let (Some((arrival, message)), Some(sent_at)) = (wait.message.take(), wait.resolved_at) {
            self.mailbox.insert(arrival, (message, sent_at));
        }
    }

    /// Opens a wait again whose message the code cannot use. A close stays over, without the message.
    pub(super) fn refuse(&mut self, key: &str, message: Option<Uuid>) {
        let refused = |(arrival, ..): &mut (u64, _, _)| message == Some(id_of(*arrival));
        if let Some(close) = self.waits.get_mut(key).filter(|wait| wait.kind == WaitKind::Close) {
            self.refusals += close.taken.extract_if(.., refused).count();
            return;
        }
        let given = |wait: &&mut WaitRow| message.is_some() && wait.message_id() == message;
        let Some(wait) = self.waits.get_mut(key).filter(given) else { return };
        (wait.outcome, wait.message) = (None, None);
        self.refusals += 1;
    }

    /// The messages that waits have received, and that neither the code of this process has, nor polls for, nor has used.
    pub(super) fn forgotten_messages(&self, worker: WorkerId) -> impl Iterator<Item = String> {
        let mut waiting: BTreeMap<&str, usize> = BTreeMap::new();
        let mut received: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for ((of, name), count) in &self.use_of.polled {
            if *of == worker {
                *waiting.entry(name).or_default() += count;
            }
        }
        // The driver of a graph does not say what it does with changes.
        let is_tracked = |wait: &&WaitRow| has_received(wait.outcome) && is_kept(wait.kind) && wait.name != CHANGES;
        for wait in self.waits.values().filter(is_tracked) {
            let Some((_, message)) = &wait.message else { continue };
            let has = self.use_of.in_hand.get(&(worker, message.number)).is_some_and(|count| *count > 0);
            if !has && !self.use_of.used.contains(&message.number) {
                received.entry(&wait.name).or_default().push(message.number);
            }
        }
        let lost = received.into_iter().filter(move |(name, messages)| messages.len() > waiting.get(name).copied().unwrap_or(0));
        let lost = lost.map(|(name, messages)| format!("has lost one of the messages {messages:?} for `{name}`"));
        lost.collect::<Vec<_>>().into_iter()
    }
}

impl WaitRow {
    pub(super) fn new(wait: &NewWait, ordinal: u64, now: DateTime<Utc>) -> Self {
        let due_at = match wait.due {
            Due::Never => None,
            Due::After(delay) => Some(now + delay),
            Due::At(time) => Some(time),
        };
        let (kind, name) = (wait.kind, wait.name.clone());
        let keeps_message = wait.details.as_ref().is_some_and(|details| details.digest.is_some());
        let (outcome, message, taken, child, end, resolved_at, resolved_ordinal) = Default::default();
        Self { kind, name, outcome, keeps_message, message, taken, child, end, due_at, resolved_at, resolved_ordinal, ordinal }
    }

    fn is_for(&self, message: &Message) -> bool {
        self.outcome.is_none() && self.kind == message.kind && self.name == message.name
    }

    fn receive(&mut self, arrival: u64, message: Message, now: DateTime<Utc>) {
        self.outcome = Some(WaitOutcome::Received);
        self.message = Some((arrival, message));
        self.resolved_at = Some(now);
    }

    /// The child has ended.
    pub(super) fn receive_end(&mut self, end: ChildEnd, ordinal: u64, now: DateTime<Utc>) {
        self.outcome = Some(WaitOutcome::Received);
        self.end = Some(end);
        self.resolved_at = Some(now);
        self.resolved_ordinal = Some(ordinal);
    }

    fn message_id(&self) -> Option<Uuid> {
        self.message.as_ref().map(|(arrival, _)| id_of(*arrival))
    }

    /// What a close has taken, as `close_events.sql` writes it.
    fn part(&self) -> Option<String> {
        if self.kind != WaitKind::Close || !has_received(self.outcome) {
            return None;
        }
        let message = |(arrival, message, _): &(u64, Message, _)| {
            format!(r#"{{"id": "{}", "payload": {}}}"#, id_of(*arrival), payload_of(message))
        };
        let messages: Vec<String> = self.taken.iter().map(message).collect();
        Some(format!(r#"{{"messages": [{}], "more": false}}"#, messages.join(", ")))
    }

    pub(super) fn recorded(&self, key: &str) -> RecordedWait {
        let payload = self.message.as_ref().map(|(_, message)| payload_of(message)).or_else(|| self.part());
        let payload = payload.or_else(|| self.end.as_ref().map(|end| end.text.clone()));
        RecordedWait {
            key: key.to_owned(),
            outcome: self.outcome,
            payload: payload.and_then(|payload| RawValue::from_string(payload).ok()),
            child_id: self.child,
            answered_by: None,
            resolved_at: self.resolved_at,
            message_id: self.message_id(),
            digest: None,
        }
    }
}
