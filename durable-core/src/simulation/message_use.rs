//! Notes what simulated code does with messages: which it polls for, has received, and has gone on from.
//!
//! From this, [`Record::forgotten_messages`](crate::running::memory::Record) finds a message that was given to a wait of a branch
//! which lost a race, and that did not go back to the mailbox.

use std::sync::{Arc, Mutex};

use crate::context::Context;
use crate::ids::{ExecutionId, WorkerId};
use crate::running::ambient;
use crate::running::memory::{self, Book};

/// While it lives, code polls for a message of this name.
pub(super) struct Polls {
    place: Place,
    name: &'static str,
}

/// While it lives, code has received a message and has not gone on from it.
pub(super) struct InHand {
    place: Place,
    message: u64,
}

#[derive(Clone)]
struct Place {
    book: Arc<Mutex<Book>>,
    id: ExecutionId,
    worker: WorkerId,
}

impl Polls {
    pub(super) fn begin(book: &Arc<Mutex<Book>>, cx: &Context, name: &'static str) -> Self {
        let worker = ambient::scope().map_or_else(|| WorkerId(uuid::Uuid::nil()), |scope| scope.run.hold().worker);
        let polls = Self { place: Place { book: book.clone(), id: cx.execution_id(), worker }, name };
        polls.count(|count| count + 1);
        polls
    }

    /// The code has received this message.
    pub(super) fn into_hand(self, message: u64) -> InHand {
        let in_hand = InHand { place: self.place.clone(), message };
        in_hand.count(|count| count + 1);
        in_hand
    }

    fn count(&self, change: impl FnOnce(usize) -> usize) {
        let mut book = memory::lock(&self.place.book);
        let Some(record) = book.records.get_mut(&self.place.id) else { return };
        let count = record.use_of.polled.entry((self.place.worker, self.name)).or_default();
        *count = change(*count);
    }
}

impl InHand {
    /// The code goes on from the message.
    pub(super) fn used(self) {
        let mut book = memory::lock(&self.place.book);
        let Some(record) = book.records.get_mut(&self.place.id) else { return };
        record.use_of.used.insert(self.message);
    }

    fn count(&self, change: impl FnOnce(usize) -> usize) {
        let mut book = memory::lock(&self.place.book);
        let Some(record) = book.records.get_mut(&self.place.id) else { return };
        let count = record.use_of.in_hand.entry((self.place.worker, self.message)).or_default();
        *count = change(*count);
    }
}

impl Drop for Polls {
    fn drop(&mut self) {
        self.count(|count| count.saturating_sub(1));
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.count(|count| count.saturating_sub(1));
    }
}
