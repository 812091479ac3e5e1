//! The messages to a graph, one after another: the wait for the next one is open while nodes run.

use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::context::wait::Waiting;
use crate::model::{Due, RecordedWait, WaitKind, WaitOutcome};
use crate::plan::graph::CHANGES;
use crate::plan::journal_key;
use crate::running::branch::Branch;
use crate::running::scope::Scope;

/// The waits for messages of one execution. Their keys are numbered: `event set_inputs`, `event set_inputs#2`.
pub(super) struct Messages {
    root: Arc<Scope>,
    /// The number of the last wait.
    number: u32,
    open: Option<Branch<'static, Message>>,
    is_closed: bool,
}

/// What the wait for a message has come to.
pub(super) enum Arrived {
    Message {
        /// The number of its wait.
        number: u32,
        message: Box<Message>,
    },
    /// No message can arrive any more.
    Closed,
}

/// A message, with the wait that has received it.
pub(super) struct Message {
    waiting: Waiting<'static>,
    pub(super) over: RecordedWait,
}

impl Messages {
    pub(super) fn to(root: &Arc<Scope>) -> Self {
        Self { root: root.clone(), number: 0, open: None, is_closed: false }
    }

    /// Whether the wait for the next message is open, or an earlier run of the code has opened it.
    pub(super) fn is_open(&self) -> bool {
        !self.is_closed && (self.open.is_some() || (1..=2).any(|next| self.is_known(self.number + next)))
    }

    /// The next message. Opens the wait for it.
    pub(super) fn poll(&mut self, waker: &Waker) -> Poll<Arrived> {
        while !self.is_closed {
            let mut open = self.open.take().unwrap_or_else(|| self.next(Due::Never));
            let Poll::Ready(message) = open.poll(waker) else {
                self.open = Some(open);
                break;
            };
            match message.over.outcome {
                Some(WaitOutcome::Received) => {
                    return Poll::Ready(Arrived::Message { number: self.number, message: Box::new(message) });
                }
                // It was given up for one that closes, and the message that came then was applied.
                Some(WaitOutcome::Cancelled) => {}
                _ => {
                    self.is_closed = true;
                    return Poll::Ready(Arrived::Closed);
                }
            }
        }
        Poll::Pending
    }

    /// Stops accepting messages. The next wait takes a message that was accepted earlier, or ends at once. After that,
    /// `send_change.sql` refuses messages.
    pub(super) fn close(&mut self) {
        // First the old wait is dropped, so that a message that it has received goes to the new one.
        self.give_up();
        self.open = Some(self.next(Due::After(Duration::ZERO)));
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Drops the wait that is open. A message that it has received and that was not taken from here goes back into the mailbox.
    pub(super) fn give_up(&mut self) {
        self.open = None;
    }

    /// Refuses a message, visibly, and goes on waiting.
    pub(super) fn refuse(&mut self, Message { mut waiting, over }: Message, reason: &str) {
        waiting.put_back(&over, reason);
        let scope = self.root.branch("");
        // In its former scope it would keep a waker of this one, and the execution would not be parked.
        waiting.move_to(&scope);
        self.open = Some(until_over(scope, waiting));
    }

    fn next(&mut self, due: Due) -> Branch<'static, Message> {
        self.number += 1;
        // A wait that was given up before the database knew of it left a gap in the numbers.
        if !self.is_known(self.number) && self.is_known(self.number + 1) {
            self.number += 1;
        }
        let scope = self.root.branch("");
        let waiting = Waiting::for_change(&scope, key(self.number), due);
        until_over(scope, waiting)
    }

    fn is_known(&self, number: u32) -> bool {
        self.root.run.find_known(std::iter::once(key(number))).is_some()
    }
}

fn key(number: u32) -> String {
    journal_key::occurrence(WaitKind::Event.as_str(), CHANGES, number)
}

fn until_over(scope: Arc<Scope>, mut waiting: Waiting<'static>) -> Branch<'static, Message> {
    let over = async move {
        let over = std::future::poll_fn(|cx| waiting.poll_over(cx)).await;
        Message { waiting, over }
    };
    Branch::new(Some(scope), Box::pin(over))
}
