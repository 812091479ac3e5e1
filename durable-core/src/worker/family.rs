//! Looks after the children of what runs here: has those claimed that were started, cancels those that were given up.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Worker;
use crate::ids::ExecutionId;
use crate::running::ledger::FamilyNews;
use crate::running::run::Run;
use crate::signals;

/// Why children are cancelled.
const GIVEN_UP: &str = "its parent no longer waits for it";

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
                        // A run that was dropped does not wait for it.
                        let _ = done.send(());
                    });
                }
            }
        }
    }

    /// An execution has ended here: tells its parent, if one waits for it, and cancels the children that it still waited for.
    pub(super) fn settle_family(self: &Arc<Self>, run: &Run, awaited: bool) {
        let (worker, id, orphans) = (self.clone(), run.id, run.take_orphaned());
        if !awaited && orphans.is_empty() {
            return;
        }
        tokio::spawn(async move {
            if awaited {
                signals::tell_parent(&worker.tells, &worker.signals, id).await;
            }
            if !orphans.is_empty() {
                worker.cancel_children(&orphans).await;
            }
        });
    }

    async fn cancel_children(&self, children: &[ExecutionId]) {
        for child in signals::cancel_children(&self.store, &self.signals, children, GIVEN_UP).await {
            self.forget(child);
        }
    }
}
