//! What a worker answers to the executions that it runs: from the database, through its signals and its families.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Worker;
use super::ending::Left;
use super::held::HeldExecutions;
use super::process::Process;
use super::take_up::make_room;
use crate::error::{ErrorKind, Failure, Result};
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::Claimed;
use crate::registry::Registry;
use crate::running::ledger::SharedLedger;
use crate::running::run::Run;
use crate::signals::Slot;
use crate::store::executions::{self, Finished, Held, Poisoned};
use crate::store::journal::{self, Journals};
use crate::store::{self, Patience};

impl Process for Worker {
    fn registry(&self) -> &Registry {
        &self.registry
    }

    fn worker_id(&self) -> WorkerId {
        self.id()
    }

    fn is_draining(&self) -> bool {
        Worker::is_draining(self)
    }

    fn held(&self) -> MutexGuard<'_, HeldExecutions> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn max_claims(&self) -> i16 {
        self.options.max_claims
    }

    fn poll_interval(&self) -> Duration {
        self.options.poll_interval
    }

    fn ledger(&self) -> &SharedLedger {
        &self.ledger
    }

    fn new_run(&self, claimed: &Claimed) -> Arc<Run> {
        let observed = self.signals.observers.of(claimed.id, &claimed.workflow, claimed.version);
        let trace = self.signals.tracing.of(claimed);
        let metrics = self.metrics.of(&claimed.workflow, &claimed.queue);
        let doubles = self.options.doubles.clone();
        Run::new(claimed, self.ledger.clone(), self.clock.clone(), observed, trace, metrics, doubles)
    }

    async fn load_journals(&self, ids: &[ExecutionId]) -> Result<Journals> {
        let store = &self.store;
        let load = async || journal::load(store, &mut *store.pool.acquire().await?, ids).await;
        store::run("load journals", Patience::Endless, load).await
    }

    async fn ask_for_held(&self, known: &[(ExecutionId, Epoch)]) -> Result<Held, sqlx::Error> {
        executions::held(&self.store, &self.store.pool, self.id(), known).await
    }

    fn slot_in(&self, queue: &str) -> Option<Slot> {
        Some(self.signals.slots(queue)?.take_anyway())
    }

    async fn begin_rollback(&self, run: &Run, cause: &Failure) -> Result<bool> {
        let (store, hold) = (&self.store, run.hold());
        let fence = (run.id, hold.worker, hold.epoch);
        let begun =
            store::run("begin a rollback", Patience::Endless, || executions::begin_rollback(store, &store.pool, fence, cause));
        let Some(ended_early) = begun.await? else { return Ok(false) };
        store.watched.note([run.id]);
        self.families.announce(&ended_early).await;
        Ok(true)
    }

    async fn end_poisoned(self: &Arc<Self>, claimed: &Claimed) -> Left {
        let failure = Failure::new(
            ErrorKind::Poisoned,
            format!("claimed {} times without coming to rest: it seems to kill its workers", claimed.claims - 1),
        );
        tracing::error!(execution_id = %claimed.id, "{failure}");
        let store = &self.store;
        let poisoned = store::run("end a poisoned execution", self.options.patience, || {
            executions::poison(store, &store.pool, claimed.worker, (claimed.id, claimed.epoch), &failure)
        });
        let Ok(Some(Poisoned { state, queue, ended_early })) = poisoned.await else { return Left::Refused };
        store.watched.note([claimed.id]);
        self.families.announce(&ended_early).await;
        make_room(&**self, claimed);
        if !state.is_finished() {
            self.signals.queued(&queue);
            return Left::Noted;
        }
        // A rollback that failed keeps the reason for which it was begun.
        let failure = claimed.rollback.clone().unwrap_or(failure);
        let observed = self.signals.observers.of(claimed.id, &claimed.workflow, claimed.version);
        self.metrics.of(&claimed.workflow, &claimed.queue).ended(state, failure.kind, self.clock.since(claimed.started_at));
        observed.failed(state, &failure);
        self.signals.finished(&Finished { id: claimed.id, state, output: None, error: Some(failure) });
        if claimed.awaited {
            self.families.notify_parent(claimed.id).await;
        }
        Left::Noted
    }

    fn set_timer(&self, due_at: DateTime<Utc>) {
        self.signals.set_timer(due_at);
    }

    fn notify_queue(&self, queue: &str) {
        self.signals.queued(queue);
    }

    fn notify_finished(&self, finished: &Finished) {
        self.signals.finished(finished);
    }

    fn settle_family(self: &Arc<Self>, run: &Run, awaited: bool) {
        Worker::settle_family(self, run, awaited);
    }

    fn notify_left(&self) {
        self.left.notify_waiters();
    }

    fn note_panic(&self, panicked: &Failure) {
        self.store.health.panicked("drive an execution", panicked);
    }
}
