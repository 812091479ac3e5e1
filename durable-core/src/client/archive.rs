//! Hides executions from lists, and shows them again.

use chrono::{DateTime, Utc};

use super::Durable;
use crate::error::Result;
use crate::ids::ExecutionId;
use crate::store::archives;

impl Durable {
    /// Archives an execution that has ended or waits; returns the time since which it is archived. Lists, counts and analytics leave
    /// archived executions out, unless [`include_archived`](super::ExecutionList::include_archived) or
    /// [`only_archived`](super::ExecutionList::only_archived) asks for them. Everything that names the execution by its id works as
    /// before: one that waits takes events and inputs, and goes on. Archiving twice is not an error. An archived execution is deleted
    /// when its retention is over, like any other.
    ///
    /// ```no_run
    /// # async fn example(durable: &durable::Durable, id: durable::ExecutionId) -> durable::Result<()> {
    /// durable.archive(id).await?;
    /// let archived = durable.list_executions().only_archived().await?;
    /// durable.unarchive(id).await?;
    /// # drop(archived); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Conflict` if the execution is pending or running, `NotFound` for an unknown execution.
    pub async fn archive(&self, id: ExecutionId) -> Result<DateTime<Utc>> {
        let archived_at = self.run("archive an execution", |pool| archives::archive(self.store(), pool, id)).await?;
        self.store().watched.note([id]);
        Ok(archived_at)
    }

    /// Shows an archived execution in lists again; not an error if it is not archived.
    ///
    /// # Errors
    /// `NotFound` for an unknown execution.
    pub async fn unarchive(&self, id: ExecutionId) -> Result<()> {
        self.run("unarchive an execution", |pool| archives::unarchive(self.store(), pool, id)).await?;
        self.store().watched.note([id]);
        Ok(())
    }
}
