//! Looks after the children of the executions that run here: announces children that were started, and cancels children that
//! their parents no longer wait for.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Worker;
use crate::ids::ExecutionId;
use crate::running::ledger::FamilyNews;
use crate::running::run::Run;

/// The reason that a cancelled child records.
const NO_LONGER_AWAITED: &str = "its parent no longer waits for it";

impl Worker {
    /// Acts on the news of children until the engine shuts down.
    pub(crate) async fn look_after_children(self: Arc<Self>, news: &mut mpsc::UnboundedReceiver<FamilyNews>) {
        while let Some(news) = news.recv().await {
            match news {
                FamilyNews::Started(queue) => self.signals.queued(&queue),
                FamilyNews::Orphaned(children, done) => {
                    let worker = self.clone();
                    tokio::spawn(async move {
                        worker.cancel_children(&children).await;
                        // If the run was dropped, it no longer waits for the answer.
                        let _ = done.send(());
                    });
                }
            }
        }
    }

    /// Finishes what an execution that has ended here leaves behind: notifies its parent if `awaited`, and cancels the children that
    /// it still waited for.
    pub(super) fn settle_family(self: &Arc<Self>, run: &Run, awaited: bool) {
        let (worker, id, orphans) = (self.clone(), run.id, run.take_orphaned());
        if !awaited && orphans.is_empty() {
            return;
        }
        tokio::spawn(async move {
            if awaited {
                worker.families.notify_parent(id).await;
            }
            if !orphans.is_empty() {
                worker.cancel_children(&orphans).await;
            }
        });
    }

    async fn cancel_children(&self, children: &[ExecutionId]) {
        for child in self.families.cancel_children(children, NO_LONGER_AWAITED).await {
            self.forget(child);
        }
    }
}
