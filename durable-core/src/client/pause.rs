//! Pauses executions and resumes them.

use chrono::{DateTime, Utc};

use super::Durable;
use crate::error::Result;
use crate::ids::ExecutionId;
use crate::store::pauses;

impl Durable {
    /// Pauses an execution until it is resumed; returns the time since which it is paused. No worker claims a paused execution,
    /// and one that runs stops at its next step or wait. Meanwhile its waits still receive messages, and its timers and its
    /// deadline still count. Pausing twice is not an error; cancelling and rolling back work without a resume.
    ///
    /// ```no_run
    /// # async fn example(durable: &durable::Durable, id: durable::ExecutionId) -> durable::Result<()> {
    /// let paused_at = durable.pause(id).await?;
    /// println!("paused since {paused_at}");
    /// // Later, perhaps from another process:
    /// durable.resume(id).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Finished` if the execution has ended already, `NotFound` for an unknown execution.
    pub async fn pause(&self, id: ExecutionId) -> Result<DateTime<Utc>> {
        let paused_at = self.run("pause an execution", |pool| pauses::pause(self.store(), pool, id)).await?;
        self.store().watched.note([id]);
        self.engine.signals.paused();
        Ok(paused_at)
    }

    /// Resumes an execution that was paused, or that was stopped because its code did not fit its journal.
    ///
    /// # Errors
    /// `Finished` if the execution is neither paused nor stopped, `NotFound` for an unknown execution.
    pub async fn resume(&self, id: ExecutionId) -> Result<()> {
        let queue = self.run("resume an execution", |pool| pauses::resume(self.store(), pool, id)).await?;
        self.store().watched.note([id]);
        self.engine.signals.queued(&queue);
        Ok(())
    }
}
