//! The port between an execution in memory and the world: its writes, and what its process knows.

use std::fmt::Debug;
use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::BoxFuture;
use super::hold::Hold;
use crate::error::Result;
use crate::ids::{ExecutionId, Home};
use crate::model::{ExecutionValue, StoredNode, Tags};
use crate::store::attempts::AttemptRecord;
use crate::store::continuations::{Continuation, Continued};
use crate::store::parks::{Park, ParkOutcome};
use crate::store::saves::{Save, Written};
use crate::store::transactions::{Commit, Committed, Open};

/// What an execution in memory asks of the record of all executions. Every write carries its claim, and counts only while the
/// claim lasts.
pub(crate) trait Ledger: Debug + Send + Sync {
    /// Writes checkpoints, a new state, or both at once. Queued before the future is polled: writes keep their order.
    fn save(&self, save: Save) -> BoxFuture<'static, Result<Written>>;

    /// Registers waits, asks what became of others, and gives the execution up to wait unless it stays. While a message is on its
    /// way to the execution, the parking is tried again, until `given_up`.
    fn park<'park>(
        &'park self,
        park: &'park Park,
        given_up: &'park (dyn Fn() -> bool + Send + Sync),
    ) -> BoxFuture<'park, Result<ParkOutcome>>;

    /// Records an attempt that did not end its step. Queued before the future is polled.
    fn record_attempt(&self, record: AttemptRecord) -> BoxFuture<'static, Result<Written>>;

    /// The value that the execution has set under this name.
    fn read_value(&self, id: ExecutionId, name: &str) -> BoxFuture<'static, Result<Option<ExecutionValue>>>;

    /// The nodes of the execution, which is a graph.
    fn read_nodes(&self, id: ExecutionId) -> BoxFuture<'static, Result<Vec<StoredNode>>>;

    /// Hides the execution from lists, if the worker holds it.
    fn archive(&self, id: ExecutionId, hold: Hold) -> BoxFuture<'static, Result<()>>;

    /// The tags of the execution.
    fn read_tags(&self, id: ExecutionId) -> BoxFuture<'static, Result<Tags>>;

    /// Begins an execution anew: with another input and an empty journal.
    fn continue_as_new<'next>(&'next self, continuation: &'next Continuation) -> BoxFuture<'next, Result<Continued>>;

    /// Begins the transaction of a step.
    fn begin(&self) -> BoxFuture<'_, Result<Open>>;

    /// Commits the transaction of a step together with its checkpoint.
    fn commit<'commit>(&'commit self, transaction: Open, commit: &'commit Commit) -> BoxFuture<'commit, Result<Committed>>;

    /// Until when this process's lease holds, as far as it knows.
    fn lease(&self) -> &watch::Receiver<Instant>;

    /// Says what became of children.
    fn tell(&self, news: FamilyNews);

    /// A new id for a child, in this home.
    fn new_id(&self, home: Home) -> ExecutionId;

    /// What this process can run.
    fn here(&self) -> &Here;
}

/// The ledger that every run of a process shares.
pub(crate) type SharedLedger = Arc<dyn Ledger>;

/// Something that became of children.
#[derive(Debug)]
pub(crate) enum FamilyNews {
    /// A child was started in this queue.
    Started(String),
    /// Their parent gave them up; answered once they are cancelled.
    Orphaned(Vec<ExecutionId>, oneshot::Sender<()>),
}

/// What this process can run.
#[derive(Debug, Default)]
pub(crate) struct Here {
    pub(crate) workflows: Vec<(&'static str, u32)>,
    pub(crate) queues: Vec<String>,
}

impl Here {
    /// Why a child cannot be started: this process works on its queue, and does not know its workflow.
    pub(crate) fn refusal(&self, workflow: &str, version: u32, queue: &str) -> Option<String> {
        let known = self.workflows.contains(&(workflow, version));
        if known || !self.queues.iter().any(|worked_on| worked_on == queue) {
            return None;
        }
        let registered = self.workflows.iter().map(|(name, version)| format!("{name} version {version}"));
        Some(format!(
            "workflow `{workflow}` version {version} is not registered where its queue `{queue}` is worked on (registered: {}); \
             register it on the builder, or start it in a queue of workers that know it",
            registered.collect::<Vec<_>>().join(", ")
        ))
    }
}
