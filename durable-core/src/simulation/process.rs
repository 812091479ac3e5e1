//! A simulated process: it holds executions as a worker does, and asks the book of its world instead of a database.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::graphs::SimulatedGraph;
use super::workflow::Simulated;
use crate::clock::Clock;
use crate::context::Workflow;
use crate::error::{Failure, Result};
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::{Claimed, ParentPolicy};
use crate::observer::Observed;
use crate::payload::Payload;
use crate::registry::Registry;
use crate::running::hold::Verdict;
use crate::running::ledger::SharedLedger;
use crate::running::memory::{self, Book, Entry, Memory, Rollback};
use crate::running::run::Run;
use crate::signals::{Slot, Slots};
use crate::store::executions::{Finished, Held};
use crate::store::journal::Journals;
use crate::telemetry::{Metrics, Tracing};
use crate::worker::simulated::{HeldExecutions, Left, Process, abandon, adopt, take_up};

/// Executions that a process runs at once.
const SLOTS: usize = 8;

/// Parked executions whose code a process keeps: few, so that some are replayed by the process that parked them.
const CACHED: usize = 2;

pub(super) struct SimulatedProcess {
    registry: Registry,
    worker: watch::Sender<WorkerId>,
    draining: AtomicBool,
    held: Mutex<HeldExecutions>,
    ledger: SharedLedger,
    lease: watch::Sender<Instant>,
    book: Arc<Mutex<Book>>,
    clock: Arc<Clock>,
    observed: Observed,
    slots: Arc<Slots>,
}

/// A lease that does not run out by itself.
fn lease_until() -> Instant {
    Instant::now() + Duration::from_secs(1_000_000)
}

impl SimulatedProcess {
    pub(super) fn start(
        worker: WorkerId,
        (workflow, graphs): (Simulated, SimulatedGraph),
        book: Arc<Mutex<Book>>,
        clock: Arc<Clock>,
        observed: Observed,
    ) -> Arc<Self> {
        let mut registry = Registry::default();
        if let Err(error) = registry.register(Arc::new(workflow)).and_then(|()| registry.register(Arc::new(graphs))) {
            unreachable!("each workflow is registered once: {error}");
        }
        let (lease, worker) = (watch::Sender::new(lease_until()), watch::Sender::new(worker));
        Arc::new(Self {
            registry,
            ledger: Arc::new(Memory::new(book.clone(), lease.subscribe(), worker.subscribe())),
            worker,
            draining: AtomicBool::new(false),
            held: Mutex::new(HeldExecutions::new(CACHED)),
            lease,
            book,
            clock,
            observed,
            slots: Slots::new(Simulated::QUEUE, SLOTS),
        })
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        memory::lock(&self.book)
    }

    pub(super) fn is_lost(&self) -> bool {
        self.book().lost.contains(&self.worker_id())
    }

    /// Whether it may claim: it takes work, and a slot is free.
    pub(super) fn free_slot(&self) -> Option<Slot> {
        if self.is_draining() { None } else { self.slots.take() }
    }

    /// An execution as the answer to a claim describes it now.
    pub(super) fn claimed(&self, id: ExecutionId, answer_is_small: bool) -> Option<Claimed> {
        let book = self.book();
        let record = book.records.get(&id)?;
        Some(Claimed {
            worker: self.worker_id(),
            id,
            epoch: Epoch(record.epoch),
            workflow: if record.workflow.is_empty() { Simulated::NAME.to_owned() } else { record.workflow.clone() },
            version: Simulated::VERSION,
            queue: Simulated::QUEUE.to_owned(),
            claims: record.claims,
            answer_lost: false,
            continued: false,
            deadline_at: record.deadline_at,
            input: Payload(record.input.as_str().into()),
            resolved: answer_is_small.then(|| record.resolved()),
            rollback: record.rollback.clone(),
            undoes: record.undoes,
            awaited: record.parent.as_ref().is_some_and(|parent| parent.policy == ParentPolicy::Await),
            limited: false,
            scheduled_for: None,
            namespace: record.namespace.unwrap_or(id),
            step: None,
            trace_context: None,
            started_at: None,
            ready_at: None,
        })
    }

    pub(super) fn take_up(self: &Arc<Self>, claimed: Claimed, slot: Slot) {
        take_up(self, [(claimed, slot)]);
    }

    /// The answer to a claim was lost.
    pub(super) fn lose_claim(&self) {
        self.held().doubt_claim();
    }

    /// Compares what it holds with the record, as the duty `reconcile` does.
    pub(super) async fn reconcile(self: &Arc<Self>) {
        let worker = self.worker_id();
        let believed = self.held().epochs(worker);
        let (lost, paused) = self.book().strays(worker, &believed);
        let (lost, paused) = {
            let held = self.held();
            (held.runs_at(worker, &believed, &lost), held.runs_at(worker, &believed, &paused))
        };
        lost.iter().for_each(|run| run.end(Verdict::Lost));
        paused.iter().for_each(|run| run.drain());
        self.held().doubt_again();
        let in_doubt = self.held().is_in_doubt();
        if in_doubt && let Err(error) = adopt(self).await {
            self.book().violations.push(format!("cannot ask what is held: {error}"));
        }
    }

    /// A signal says that these executions have ended here.
    pub(super) fn hear_of_end(&self, id: ExecutionId) {
        let ended = self.held().end(&[id]);
        ended.iter().for_each(|run| run.end(Verdict::Lost));
    }

    /// A signal says that waits may be over.
    pub(super) fn nudge(&self) {
        self.held().runs().iter().for_each(|run| run.nudge());
    }

    /// Asks every run to stop at its next durable call.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.held().runs().iter().for_each(|run| run.drain());
    }

    pub(super) fn holds_nothing(&self) -> bool {
        self.held().len() == 0
    }

    pub(super) fn lose_lease(&self) {
        self.lease.send_replace(Instant::now());
    }

    /// Continues as a new worker after the lease was lost.
    pub(super) fn register_anew(&self, next: WorkerId) {
        abandon(self);
        self.worker.send_replace(next);
        self.lease.send_replace(lease_until());
    }

    /// Its memory vanishes.
    pub(super) fn crash(&self) {
        self.lose_lease();
        self.draining.store(true, Ordering::Release);
        abandon(self);
    }
}

impl Process for SimulatedProcess {
    fn registry(&self) -> &Registry {
        &self.registry
    }

    fn worker_id(&self) -> WorkerId {
        *self.worker.borrow()
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    fn held(&self) -> MutexGuard<'_, HeldExecutions> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn max_claims(&self) -> i16 {
        i16::MAX
    }

    fn poll_interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn ledger(&self) -> &SharedLedger {
        &self.ledger
    }

    fn new_run(&self, claimed: &Claimed) -> Arc<Run> {
        let (tracing, metrics) = (Tracing::default(), Metrics::default());
        let metrics = metrics.of(&claimed.workflow, &claimed.queue);
        Run::new(claimed, self.ledger.clone(), self.clock.clone(), self.observed.clone(), tracing.of(claimed), metrics, None)
    }

    async fn load_journals(&self, ids: &[ExecutionId]) -> Result<Journals> {
        let (worker, ids) = (self.worker_id(), ids.to_vec());
        memory::ask(&self.book, |answer| Entry::Read(worker, ids, answer)).await
    }

    async fn ask_for_held(&self, known: &[(ExecutionId, Epoch)]) -> Result<Held, sqlx::Error> {
        let adopted = self.book().claim_held(self.worker_id(), known);
        let adopted = adopted.into_iter().filter_map(|id| {
            let claimed = self.claimed(id, false)?;
            // As `executions/held` does: this claim does not count as one after a crash.
            Some(Claimed { claims: claimed.claims - 1, ..claimed })
        });
        Ok(Held { adopted: adopted.collect(), unreadable: Vec::new(), passed_over: false })
    }

    fn slot_in(&self, _queue: &str) -> Option<Slot> {
        Some(self.slots.take_anyway())
    }

    async fn begin_rollback(&self, run: &Run, cause: &Failure) -> Result<bool> {
        let hold = run.hold();
        let rollback = Rollback { worker: hold.worker, id: run.id, epoch: hold.epoch, cause: cause.clone() };
        memory::ask(&self.book, |answer| Entry::Rollback(rollback, answer)).await
    }

    async fn end_poisoned(self: &Arc<Self>, claimed: &Claimed) -> Left {
        self.book().violations.push(format!("{} was claimed {} times without rest", claimed.id, claimed.claims));
        Left::Refused
    }

    fn set_timer(&self, _due_at: DateTime<Utc>) {}

    fn notify_queue(&self, _queue: &str) {}

    fn notify_finished(&self, _finished: &Finished) {}

    fn settle_family(self: &Arc<Self>, run: &Run, awaited: bool) {
        let (worker, orphans) = (self.worker_id(), run.take_orphaned());
        let mut book = self.book();
        if awaited {
            book.queue.entries.push_back(Entry::Notify(worker, run.id));
        }
        if !orphans.is_empty() {
            book.queue.entries.push_back(Entry::Abandon(worker, orphans, oneshot::channel().0));
        }
    }

    fn notify_left(&self) {}

    fn note_panic(&self, panicked: &Failure) {
        self.book().violations.push(format!("the engine panicked: {panicked}"));
    }
}
