//! An execution's code in memory: the run it belongs to, the scope it begins in, and its future.

use std::sync::Arc;

use crate::context::Context;
use crate::model::{Claimed, Undoable};
use crate::panics;
use crate::payload::Payload;
use crate::plan::journal_key;
use crate::registry::Registered;
use crate::running::rest::Rest;
use crate::running::run::Run;
use crate::running::scope::Scope;
use crate::running::stretch::Body;

/// What is polled on behalf of an execution.
pub(crate) struct Flow {
    pub(super) run: Arc<Run>,
    root: Arc<Scope>,
    body: Body,
}

impl Flow {
    /// The workflow from its start; it runs over what is journalled.
    pub(super) fn forward(run: &Arc<Run>, registered: &Registered, input: Payload) -> Self {
        let root = Scope::root(run, "");
        Self { run: run.clone(), body: registered.start(Context::new(root.clone()), input), root }
    }

    /// The rollback from its start; it runs over what is journalled of it.
    pub(super) fn back(run: &Arc<Run>, registered: &Registered, chain: Vec<Undoable>) -> Self {
        let root = Scope::root(run, journal_key::UNDO);
        Self { run: run.clone(), body: registered.roll_back(root.clone(), chain), root }
    }

    /// This code, for a test.
    #[cfg(test)]
    pub(super) fn of(run: &Arc<Run>, root: Arc<Scope>, body: Body) -> Self {
        Self { run: run.clone(), root, body }
    }

    /// Whether no other worker can have held the execution between its parking and this claim, it has not been ended meanwhile,
    /// and the claim says what became of its waits.
    pub(super) fn goes_on_at(&self, claimed: &Claimed) -> bool {
        self.run.may_go_on() && self.run.hold().is_followed_by(claimed) && claimed.resolved.is_some()
    }

    /// Polls it until it comes to rest.
    pub(super) async fn until_rest(&mut self) -> Rest {
        self.run.until_rest(&self.root, &mut self.body).await
    }

    /// The scope it begins in.
    pub(super) fn root(&self) -> Arc<Scope> {
        self.root.clone()
    }

    /// Drops the code, which is no longer needed. Its steps that are under way are recorded as cut off.
    pub(super) fn abandon(self) -> Arc<Run> {
        self.root.abandon();
        self.run.clone()
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        let body = std::mem::replace(&mut self.body, Box::pin(std::future::pending()));
        // The application's destructors: whatever becomes of them, the execution is left.
        if let Err(panicked) = panics::catch(|| drop(body)) {
            tracing::error!(execution_id = %self.run.id, error = %panicked, "the code of an execution panicked when it was dropped");
        }
    }
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flow").field("run", &self.run).finish_non_exhaustive()
    }
}
