//! What the clients of a simulated world do: send, answer, publish, cancel, roll back, pause and resume.

use super::program::{EVENTS, QUESTIONS, TOPICS};
use super::world::World;
use crate::error::{ErrorKind, Failure};
use crate::ids::ExecutionId;
use crate::model::WaitKind;
use crate::running::memory::{self, Message, Record, State};
use crate::store::families::EndedEarly;

impl World {
    /// An execution that has not ended, if there is one.
    pub(super) fn any_execution(&mut self) -> ExecutionId {
        let book = memory::lock(&self.book);
        let unfinished = book.records.iter().filter(|(_, record)| !record.is_over()).map(|(id, _)| *id);
        let mut ids: Vec<ExecutionId> = unfinished.collect();
        if ids.is_empty() {
            ids.extend(book.records.keys());
        }
        ids[self.random.index(ids.len())]
    }

    /// A client sends an event, whether anything waits for it or not.
    pub(super) fn send(&mut self) {
        let id = self.any_execution();
        let name = EVENTS[self.random.index(EVENTS.len())];
        self.send_to(id, WaitKind::Event, name, true);
        self.signal();
    }

    /// A person answers a question, asked or not; some answers are not what was asked for.
    pub(super) fn answer_question(&mut self) {
        let id = self.any_execution();
        let name = QUESTIONS[self.random.index(QUESTIONS.len())];
        let fits = !self.random.one_in(4);
        self.send_to(id, WaitKind::Input, name, fits);
        self.signal();
    }

    /// Half of the signals are lost.
    pub(super) fn signal(&mut self) {
        if self.random.one_in(2) {
            self.processes.iter().for_each(|process| process.nudge());
        }
    }

    pub(super) fn new_message(&mut self, kind: WaitKind, name: &str, fits: bool) -> Message {
        self.messages += 1;
        Message { kind, name: name.to_owned(), number: self.messages, fits, change: None }
    }

    fn send_to(&mut self, id: ExecutionId, kind: WaitKind, name: &str, fits: bool) {
        let message = self.new_message(kind, name, fits);
        let (number, now) = (message.number, self.now());
        let mut book = memory::lock(&self.book);
        if book.records.get(&id).is_some_and(|record| record.is_over()) {
            return;
        }
        let taken = book.send(id, message, now);
        drop(book);
        if fits {
            self.sent.entry(id).or_default().insert(number);
        }
        self.note(&format!("{id} is sent {} `{name}` {number}, fits {fits}, taken {taken}", kind.as_str()));
    }

    /// A client publishes to a topic: every execution that waits for it now receives the message.
    pub(super) fn publish(&mut self) {
        let name = TOPICS[self.random.index(TOPICS.len())];
        let message = self.new_message(WaitKind::Topic, name, true);
        let now = self.now();
        let took = memory::lock(&self.book).publish(&message, now);
        for id in &took {
            self.sent.entry(*id).or_default().insert(message.number);
        }
        self.note(&format!("`{name}` {} is published, taken {}", message.number, took.len()));
        self.signal();
    }

    /// Sends what any execution may wait for.
    pub(super) fn send_everything(&mut self) {
        if self.has_graphs {
            return self.finish_graphs();
        }
        let ids: Vec<ExecutionId> = memory::lock(&self.book).records.keys().copied().collect();
        for id in ids {
            EVENTS.iter().for_each(|name| self.send_to(id, WaitKind::Event, name, true));
            QUESTIONS.iter().for_each(|name| self.send_to(id, WaitKind::Input, name, true));
        }
    }

    /// A client cancels an execution, or has it rolled back. The signal to its process may be lost.
    pub(super) fn end_early(&mut self) {
        let id = self.any_execution();
        let compensate = self.random.one_in(2);
        let failure = Failure::new(if compensate { ErrorKind::RolledBack } else { ErrorKind::Cancelled }, "by request");
        let now = self.now();
        let ended_early = memory::lock(&self.book).end_early(id, &failure, compensate, now);
        if ended_early.is_empty() {
            return;
        }
        self.note(&format!("{id} is {}", if compensate { "to be rolled back" } else { "cancelled" }));
        // The client may die before it notifies the parent.
        for child in ended_early.iter().filter(|ended| ended.awaited && self.random.one_in(2)) {
            memory::lock(&self.book).notify_parent(child.id, now);
        }
        self.announce(&ended_early);
    }

    /// Executions were ended with others. The signals to their processes may be lost.
    pub(super) fn announce(&mut self, ended_early: &[EndedEarly]) {
        for EndedEarly { id, ended, .. } in ended_early {
            self.note(&format!("  {id} is {}", if *ended { "cancelled" } else { "to be rolled back" }));
            if self.random.one_in(2) {
                self.processes.iter().for_each(|process| process.hear_of_end(*id));
            }
        }
    }

    pub(super) fn pause(&mut self) {
        let id = self.any_execution();
        let mut book = memory::lock(&self.book);
        let Some(record) = book.records.get_mut(&id).filter(|record| !record.is_over()) else { return };
        record.paused = true;
        drop(book);
        self.note(&format!("{id} is paused"));
    }

    pub(super) fn resume(&mut self) {
        let id = self.any_execution();
        let mut book = memory::lock(&self.book);
        let is_at_rest = |record: &&mut Record| record.paused || record.state == State::Stopped;
        let Some(record) = book.records.get_mut(&id).filter(is_at_rest) else { return };
        record.resume();
        drop(book);
        self.note(&format!("{id} is resumed"));
    }

    pub(super) fn resume_all(&mut self) {
        memory::lock(&self.book).records.values_mut().for_each(Record::resume);
    }
}
