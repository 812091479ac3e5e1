//! Reads what steps logged.

use super::Durable;
use crate::error::Result;
use crate::ids::ExecutionId;
use crate::model::{StepLog, not_found};
use crate::store::{look, step_logs};

impl Durable {
    /// What the attempts at the steps of an execution logged, in the order of time. Nothing is kept unless the application that
    /// runs the steps has a [`StepLogLayer`](crate::context::StepLogLayer).
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
    /// for log in durable.step_logs(id).await? {
    ///     for line in log.lines {
    ///         println!("{} attempt {}: {} {}", log.key, log.attempt, line.level, line.message);
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for an unknown execution.
    pub async fn step_logs(&self, id: ExecutionId) -> Result<Vec<StepLog>> {
        let logs = self.run("read logs", |pool| step_logs::list(self.store(), pool, id, None)).await?;
        if logs.is_empty() && self.run("get an execution", |pool| look::execution(self.store(), pool, id)).await?.is_none() {
            return Err(not_found(id));
        }
        Ok(logs)
    }
}
