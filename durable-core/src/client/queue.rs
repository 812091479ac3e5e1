//! Queues: lists them, limits them, pauses, resumes and drains them.

use std::time::Duration;

use tokio::time::Instant;

use super::Durable;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Queue, QueueLimits};
use crate::store::queues;

/// Pause between two looks at a queue that drains: short beside any shutdown, long beside a claim.
const LOOK: Duration = Duration::from_millis(50);

/// A queue by its name; see [`Durable::queue`].
#[derive(Debug, Clone)]
pub struct QueueHandle {
    durable: Durable,
    name: String,
}

impl Durable {
    /// Every queue that has limits, is paused, has a worker, or has executions to run; by name. It counts the executions in each
    /// queue, so it takes the longer the more are pending.
    pub async fn queues(&self) -> Result<Vec<Queue>> {
        self.run("list queues", |pool| queues::list(self.store(), pool, None)).await
    }

    /// The queue with this name. It need not exist yet.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # use durable::QueueLimits;
    /// # async fn example(durable: &Durable) -> Result<()> {
    /// let mails = durable.queue("mails");
    /// mails.set_limits(QueueLimits::default().concurrency(20).rate(100, minutes(1))).await?;
    /// let left = mails.drain(seconds(30)).await?;
    /// println!("{left} mails are still being sent");
    /// mails.resume().await
    /// # }
    /// ```
    pub fn queue(&self, name: impl Into<String>) -> QueueHandle {
        QueueHandle { durable: self.clone(), name: name.into() }
    }
}

impl QueueHandle {
    /// The queue's limits, and how many executions are in it now.
    ///
    /// # Errors
    /// `NotFound` for a queue that has no settings, no worker and nothing to run.
    pub async fn get(&self) -> Result<Queue> {
        let Self { durable, name } = self;
        let mut found = durable.run("look at a queue", |pool| queues::list(durable.store(), pool, Some(name))).await?;
        found.pop().ok_or_else(|| {
            Error::of_kind(
                ErrorKind::NotFound,
                format!("there is no queue `{name}`: it has no settings, no worker and nothing to run; check the name"),
            )
        })
    }

    /// Sets the queue's limits, all of them: a limit that is left out is lifted. They apply to every claim from now on, by all
    /// workers; executions that run already count, and none of them is stopped.
    ///
    /// # Errors
    /// `Invalid` for a limit below one, a period below a millisecond, or a queue without a name.
    pub async fn set_limits(&self, limits: QueueLimits) -> Result<()> {
        let Self { durable, name } = self;
        self.check_name()?;
        limits.check(name)?;
        durable.run("set the limits of a queue", |pool| queues::set_limits(durable.store(), pool, name, &limits)).await?;
        durable.engine.signals.look_at(name);
        Ok(())
    }

    /// Pauses the queue: no worker claims from it until it is resumed. Executions that run continue until they wait or end;
    /// executions that are started meanwhile stay pending. Pausing twice is not an error.
    ///
    /// # Errors
    /// `Invalid` for a queue without a name.
    pub async fn pause(&self) -> Result<()> {
        let Self { durable, name } = self;
        self.check_name()?;
        durable.run("pause a queue", |pool| queues::pause(durable.store(), pool, name)).await
    }

    /// Resumes the queue. Resuming a queue that is not paused is not an error.
    pub async fn resume(&self) -> Result<()> {
        let Self { durable, name } = self;
        durable.run("resume a queue", |pool| queues::resume(durable.store(), pool, name)).await?;
        durable.engine.signals.look_at(name);
        Ok(())
    }

    /// Pauses the queue, and waits up to `timeout` until none of its executions runs. Returns how many still run: 0 unless the
    /// time is over. The queue stays paused.
    ///
    /// # Errors
    /// As for [`pause`](Self::pause).
    pub async fn drain(&self, timeout: Duration) -> Result<u64> {
        let began = Instant::now();
        self.pause().await?;
        let mut running = self.get().await?.running;
        loop {
            // Looked at twice also when nothing runs: a claim may have been under way when the pause came.
            tokio::time::sleep(timeout.saturating_sub(began.elapsed()).min(LOOK)).await;
            let before = std::mem::replace(&mut running, self.get().await?.running);
            if before + running == 0 || began.elapsed() >= timeout {
                return Ok(running);
            }
        }
    }

    /// Deletes the queue's limits, and whether it is paused. It looks through all executions, so it may take some time.
    ///
    /// # Errors
    /// `Conflict` while the queue has executions that have not ended, with their number; `NotFound` if it has no settings.
    pub async fn delete(&self) -> Result<()> {
        let Self { durable, name } = self;
        durable.run("delete a queue", |pool| queues::delete(durable.store(), pool, name)).await
    }

    fn check_name(&self) -> Result<()> {
        if self.name.is_empty() || self.name.contains('\0') {
            return Err(Error::of_kind(ErrorKind::Invalid, "a queue needs a name, without \\u0000"));
        }
        Ok(())
    }
}
