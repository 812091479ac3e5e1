//! The ledger in memory, answered as soon as something waits for its answer.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::{CancelledChildren, Claim, Done, EndedEarly, Held, Notified, OnRecord, World};
use crate::error::{ErrorKind, Failure, Result};
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::ExecutionState;
use crate::model::WaitKind;
use crate::plan::graph::CHANGES;
use crate::running::ledger::Ledger;
use crate::running::memory::{self, Book, Memory, Message, Rollback, Verdict};
use crate::store::saves::{Save, Written};

pub(super) struct InMemory {
    book: Arc<Mutex<Book>>,
    ledger: Memory,
}

/// The time of this world, which stands still.
fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

impl InMemory {
    async fn answer_with<T>(&self, verdict: Verdict, asked: impl Future<Output = T>) -> T {
        let mut asked = pin!(asked);
        std::future::poll_fn(|cx| {
            loop {
                if let Poll::Ready(answer) = asked.as_mut().poll(cx) {
                    return Poll::Ready(answer);
                }
                let mut book = memory::lock(&self.book);
                let answer = book.carry_out(0, verdict, now()).expect("the ledger was not asked");
                drop(book);
                answer.arrive();
            }
        })
        .await
    }
}

impl World for InMemory {
    type Sending = (ExecutionId, String, u64);

    async fn new() -> Self {
        let book = Arc::<Mutex<Book>>::default();
        let (lease, worker) = (watch::Sender::new(Instant::now()), watch::Sender::new(WorkerId::new()));
        Self { ledger: Memory::new(book.clone(), lease.subscribe(), worker.subscribe()), book }
    }

    fn ledger(&self) -> &dyn Ledger {
        &self.ledger
    }

    async fn answer<T>(&self, asked: impl Future<Output = T>) -> T {
        self.answer_with(Verdict::Commit, asked).await
    }

    async fn now(&self) -> DateTime<Utc> {
        now()
    }

    async fn add_worker(&self) -> WorkerId {
        WorkerId(Uuid::new_v4())
    }

    async fn declare_lost(&self, worker: WorkerId) {
        memory::lock(&self.book).lost.insert(worker);
    }

    async fn rescue(&self, worker: WorkerId) {
        memory::lock(&self.book).rescue(worker);
    }

    async fn start(&self, worker: WorkerId) -> Held {
        let id = ExecutionId::new();
        memory::lock(&self.book).create(id, "null", None);
        self.claim(id, worker).await.expect("a new execution is pending").held
    }

    async fn claim(&self, id: ExecutionId, worker: WorkerId) -> Option<Claim> {
        let mut book = memory::lock(&self.book);
        if !book.claim(id, worker, now()) {
            return None;
        }
        let record = &book.records[&id];
        let held = Held { worker, id, epoch: Epoch(record.epoch) };
        Some(Claim { held, claims: record.claims, resolved: record.resolved() })
    }

    async fn offer(&self, id: ExecutionId, name: &str, value: u64) -> bool {
        let message = Message { kind: WaitKind::Event, name: name.to_owned(), number: value, fits: true, change: None };
        let mut book = memory::lock(&self.book);
        let is_closed = book.records.get(&id).is_some_and(|record| record.has_closed(name));
        book.send(id, message, now());
        !is_closed
    }

    async fn change(&self, id: ExecutionId, value: u64) -> bool {
        let message = Message { kind: WaitKind::Event, name: CHANGES.to_owned(), number: value, fits: true, change: None };
        let mut book = memory::lock(&self.book);
        let is_accepted = book.accepts(id, &message);
        book.send(id, message, now());
        is_accepted
    }

    async fn begin_to_send(&self, id: ExecutionId, name: &str, value: u64) -> Self::Sending {
        memory::lock(&self.book).sending.insert(id);
        (id, name.to_owned(), value)
    }

    async fn finish(&self, (id, name, value): Self::Sending) {
        memory::lock(&self.book).sending.remove(&id);
        self.send(id, &name, value).await;
    }

    async fn save_again(&self, save: Save) -> Written {
        memory::lock(&self.book).save(&save, true, now())
    }

    async fn save_unwritable(&self, save: Save) -> Result<Written> {
        self.answer_with(Verdict::Refuse, self.ledger.save(save)).await
    }

    async fn exists(&self, id: ExecutionId) -> bool {
        memory::lock(&self.book).records.contains_key(&id)
    }

    async fn notify_parent(&self, child: ExecutionId) -> Notified {
        memory::lock(&self.book).notify_parent(child, now())
    }

    async fn end_early(&self, id: ExecutionId, done: Done) -> Vec<EndedEarly> {
        let failure = Failure::new(ErrorKind::Cancelled, "by request");
        memory::lock(&self.book).end_early(id, &failure, done == Done::Undone, now())
    }

    async fn begin_rollback(&self, held: Held, cause: &Failure) -> Option<Vec<EndedEarly>> {
        let Held { worker, id, epoch } = held;
        memory::lock(&self.book).begin_rollback(&Rollback { worker, id, epoch, cause: cause.clone() }, now())
    }

    async fn cancel_children(&self, children: &[ExecutionId]) -> CancelledChildren {
        memory::lock(&self.book).cancel_children(children, now())
    }

    async fn cancel_orphans(&self) {
        memory::lock(&self.book).cancel_orphans(now());
    }

    async fn on_record(&self, id: ExecutionId) -> OnRecord {
        let book = memory::lock(&self.book);
        let record = &book.records[&id];
        let state = record.shown();
        OnRecord {
            state,
            input: record.input.clone(),
            output: record.end.clone().filter(|_| state == ExecutionState::Completed),
            journal: record.journal(),
            mailbox: record.mailbox.values().map(|(message, _)| message.number.to_string()).collect(),
            refusals: record.refusals,
        }
    }
}
