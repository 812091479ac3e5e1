//! What a claimed execution asks of the process that runs it. A worker answers with the database, a simulation with its memory.

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::ending::Left;
use super::held::HeldExecutions;
use crate::error::{Failure, Result};
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::Claimed;
use crate::registry::Registry;
use crate::running::ledger::SharedLedger;
use crate::running::run::Run;
use crate::signals::Slot;
use crate::store::executions::{Finished, Held};
use crate::store::journal::Journals;

/// The process around the executions that it holds.
pub(crate) trait Process: Send + Sync + Sized + 'static {
    fn registry(&self) -> &Registry;

    /// The id under which this process holds its lease now.
    fn life(&self) -> WorkerId;

    /// Whether it shuts down.
    fn is_draining(&self) -> bool;

    /// The executions that it holds. No code of the application runs under the lock.
    fn held(&self) -> MutexGuard<'_, HeldExecutions>;

    /// An execution that was claimed more often, without parking or ending in between, is ended.
    fn max_claims(&self) -> i16;

    /// How long a running execution that waits relies on signals before it asks the database.
    fn poll_interval(&self) -> Duration;

    /// Where its runs write to.
    fn ledger(&self) -> &SharedLedger;

    /// A run for this claim, without a journal.
    fn new_run(&self, claimed: &Claimed) -> Arc<Run>;

    /// Reads the journals of these executions, however long the database is out.
    fn load_journals(&self, ids: &[ExecutionId]) -> impl Future<Output = Result<Journals>> + Send;

    /// Claims anew what this process holds in the database besides these claims.
    fn ask_for_held(&self, known: &[(ExecutionId, Epoch)]) -> impl Future<Output = Result<Held, sqlx::Error>> + Send;

    /// A slot of this queue, also beyond its limit: for an execution that this process holds already.
    fn slot_in(&self, queue: &str) -> Option<Slot>;

    /// Records that an execution is rolled back from here on, and what that means for its children. Returns false if the execution
    /// is no longer held.
    fn begin_rollback(&self, run: &Run, cause: &Failure) -> impl Future<Output = Result<bool>> + Send;

    /// Ends an execution that was claimed too often.
    fn end_poisoned(self: &Arc<Self>, claimed: &Claimed) -> impl Future<Output = Left> + Send;

    /// An execution that is parked is due at this time.
    fn set_timer(&self, due_at: DateTime<Utc>);

    /// Something in this queue may be claimed now.
    fn notify_queue(&self, queue: &str);

    /// An execution has ended, or was stopped: clients may wait for that.
    fn notify_finished(&self, finished: &Finished);

    /// An execution has ended here: notifies its parent if that waits for it, and cancels the children that it no longer waits for.
    fn settle_family(self: &Arc<Self>, run: &Run, awaited: bool);

    /// An execution was left: a shutdown may wait for that.
    fn notify_left(&self);

    /// The engine's own code has panicked while it drove an execution.
    fn note_panic(&self, panicked: &Failure);
}
