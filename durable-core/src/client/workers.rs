//! The workers, for people: who works on what, how full they are, and how one is told to claim nothing more.

use super::Durable;
use crate::error::Result;
use crate::ids::WorkerId;
use crate::model::WorkerDetails;
use crate::store::workers;

impl Durable {
    /// Every worker of this instance, in whatever process, the youngest first.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer in time.
    pub async fn workers(&self) -> Result<Vec<WorkerDetails>> {
        self.run("list workers", |pool| workers::list(self.store(), pool)).await
    }

    /// Has a worker claim nothing more, at the latest from its next heartbeat on, which comes three times in a lease: for a
    /// release that is to fade out. What it runs goes on to its end or its next wait, and other workers take what wakes up.
    /// Deprecating twice is no error. It holds until the process ends.
    ///
    /// # Errors
    /// `NotFound` for an unknown worker, `Finished` for one that is gone.
    pub async fn deprecate_worker(&self, id: WorkerId) -> Result<()> {
        self.run("deprecate a worker", |pool| workers::deprecate(self.store(), pool, id)).await
    }
}
