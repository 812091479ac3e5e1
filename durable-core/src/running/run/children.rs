//! What a run asks of its process for its children.

use tokio::sync::oneshot;

use super::Run;
use crate::ids::ExecutionId;
use crate::plan::spoil::{Spoil, is_spoiled};
use crate::running::ledger::FamilyNews;

impl Run {
    /// Why a child cannot be started: this process works on its queue, and does not know its workflow.
    pub(crate) fn refuses_child(&self, workflow: &str, version: u32, queue: &str) -> Option<String> {
        self.ledger.here().refusal(workflow, version, queue)
    }

    /// A new id for a child: it lives in the home of its parent.
    pub(crate) fn new_child_id(&self) -> ExecutionId {
        self.ledger.new_id(self.id.home())
    }

    /// Cancels a child that this run no longer waits for. Returns once it is cancelled, or once the engine cannot say.
    pub(crate) async fn cancel_child(&self, child: Option<ExecutionId>) {
        let Some(child) = child.filter(|_| !is_spoiled(Spoil::LeaveLateChildren)) else { return };
        self.note_unread_child();
        let (done, cancelled) = oneshot::channel();
        // An engine that shuts down leaves it to the others: they look for orphans.
        self.ledger.tell(FamilyNews::Orphaned(vec![child], done));
        let _ = cancelled.await;
    }

    /// Notes that a child may have completed, and the code has not read its end.
    pub(crate) fn note_unread_child(&self) {
        self.state().waits.note_unread_child();
    }

    /// The children that were waited for when their waits were dropped.
    pub(crate) fn take_orphaned(&self) -> Vec<ExecutionId> {
        self.state().waits.take_orphaned()
    }

    /// Whether a child may have completed whose end the code has not read.
    pub(crate) fn has_unread_children(&self) -> bool {
        self.state().waits.has_unread_children() && !is_spoiled(Spoil::ForgetUnreadChildren)
    }
}
