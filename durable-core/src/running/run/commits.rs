//! Commits of transactional steps: they go on when the step that began them is dropped, and the execution ends after them.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::Run;
use super::working::Unanswered;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Checkpoint;
use crate::plan::spoil::{Spoil, is_spoiled};
use crate::running::reporting::Unreported;
use crate::store::transactions::{Commit, Committed, Open};

/// A commit under way. Its execution neither parks nor ends meanwhile: the next worker must find the step in the journal.
struct Underway {
    run: Arc<Run>,
    /// Dropped last: then the run is polled.
    _unanswered: Unanswered,
    undo_order: Option<i32>,
}

impl Run {
    /// Begins the transaction of a step, however long the database is out.
    pub(crate) async fn begin_transaction(&self) -> Result<Open> {
        self.ledger.begin().await
    }

    /// Commits a step's transaction and its checkpoint; `undoable` says that a rollback undoes the step.
    pub(crate) async fn commit(
        self: &Arc<Self>,
        step: &'static str,
        transaction: Open,
        checkpoint: Checkpoint,
        undoable: bool,
    ) -> Result<Committed> {
        let unreported = self.unreported(vec![self.end_of(step, &checkpoint)]);
        let underway = Underway::begin(self, &checkpoint, undoable);
        let hold = self.hold();
        let checkpoint = Checkpoint { undo_order: underway.undo_order, ..checkpoint };
        let commit = Commit { worker: hold.worker, id: self.id, epoch: hold.epoch, checkpoint };
        let (answer, committed) = oneshot::channel();
        tokio::spawn(underway.carry_out(transaction, commit, unreported, answer));
        let ended = |_| Error::of_kind(ErrorKind::Unavailable, "the engine ended while a step was committed");
        match committed.await.map_err(ended)? {
            Ok(Committed::Undone(_)) if is_spoiled(Spoil::TrustUndone) => Ok(Committed::Written),
            committed => committed,
        }
    }

    /// Returns when no commit is under way, also none of a step that was dropped.
    pub(crate) async fn commits_settled(&self) {
        // The sender is a field of this run, so it is not dropped.
        let _ = self.committing.subscribe().wait_for(|commits| *commits == 0).await;
    }
}

impl Underway {
    fn begin(run: &Arc<Run>, checkpoint: &Checkpoint, undoable: bool) -> Self {
        run.committing.send_modify(|commits| *commits += 1);
        let undo_order = if undoable { run.state().journal.enlist(checkpoint) } else { None };
        Self { run: run.clone(), _unanswered: run.expect_answer(), undo_order }
    }

    async fn carry_out(
        mut self,
        transaction: Open,
        commit: Commit,
        unreported: Unreported,
        answer: oneshot::Sender<Result<Committed>>,
    ) {
        let committed = self.run.ledger.commit(transaction, &commit).await;
        let Checkpoint { key, attempt, took, .. } = &commit.checkpoint;
        if let Ok(Committed::Written) = committed {
            self.undo_order = None;
            self.run.observed.step_succeeded(key, *attempt, *took);
            unreported.report();
        }
        // If the step was dropped meanwhile, only this reports that it has failed.
        if let Err(Err(error) | Ok(Committed::Undone(error))) = answer.send(committed) {
            self.run.observed.step_failed(key, *attempt, *took, error.failure(), None);
        }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if let Some(order) = self.undo_order {
            // It was not committed: there is nothing to undo.
            self.run.state().journal.delist(order);
        }
        self.run.committing.send_modify(|commits| *commits -= 1);
    }
}
