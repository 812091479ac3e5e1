//! Workers: lists them, and deprecates one so that it claims nothing more.

use super::Durable;
use crate::error::Result;
use crate::ids::WorkerId;
use crate::model::WorkerDetails;
use crate::store::workers;

impl Durable {
    /// Every worker of this instance, in all processes, the youngest first.
    ///
    /// # Errors
    /// `Unavailable` if the database does not answer in time.
    pub async fn workers(&self) -> Result<Vec<WorkerDetails>> {
        self.run("list workers", |pool| workers::list(self.store(), pool)).await
    }

    /// Deprecates a worker, for example of an old release: it claims nothing more, from its next heartbeat on, of which there are
    /// three in a lease. Its executions continue to their end or their next wait; then other workers take them. It stays
    /// deprecated until the process ends. Deprecating twice is not an error.
    ///
    /// # Errors
    /// `NotFound` for an unknown worker, `Finished` for a worker that is gone.
    pub async fn deprecate_worker(&self, id: WorkerId) -> Result<()> {
        self.run("deprecate a worker", |pool| workers::deprecate(self.store(), pool, id)).await
    }
}
