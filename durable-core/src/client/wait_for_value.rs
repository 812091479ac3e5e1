//! Waits until an execution sets a value.

use std::future::IntoFuture;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::Durable;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::{ExecutionValue, Update};
use crate::running::BoxFuture;

/// Waits for a value; see [`Durable::wait_for_value`].
#[derive(Debug)]
#[must_use = "nothing waits until this is awaited"]
pub struct WaitForValue<'durable, T> {
    durable: &'durable Durable,
    id: ExecutionId,
    name: String,
    newer_than: Option<u32>,
    timeout: Option<Duration>,
    value: PhantomData<fn() -> T>,
}

impl Durable {
    /// Waits until an execution has set a value under this name, and returns it; at once if it has. Await the returned builder,
    /// after `.newer_than(revision)` or `.timeout(…)`.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
    /// let first = durable.wait_for_value::<u8>(id, "progress").await?;
    /// let next = durable.wait_for_value::<u8>(id, "progress").newer_than(first.revision).timeout(minutes(5)).await?;
    /// println!("from {} to {} %", first.value, next.value);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `Finished` if the execution ends without the value, `TimedOut` if the value does not come in time, `Payload` if it is not
    /// a `T`, and the errors of [`watch`](Self::watch).
    pub fn wait_for_value<T: DeserializeOwned>(&self, id: ExecutionId, name: impl Into<String>) -> WaitForValue<'_, T> {
        WaitForValue { durable: self, id, name: name.into(), newer_than: None, timeout: None, value: PhantomData }
    }
}

impl<T> WaitForValue<'_, T> {
    /// Waits for a revision above this one: for the next value that is set.
    pub fn newer_than(mut self, revision: u32) -> Self {
        self.newer_than = Some(revision);
        self
    }

    /// Waits no longer than this, by this process's clock. The execution goes on.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    async fn wait(&self) -> Result<ExecutionValue> {
        let mut watch = self.durable.watch(self.id);
        while let Some(update) = watch.next().await {
            let values = match update? {
                Update::Snapshot(details) => details.values,
                Update::Value(value) => vec![*value],
                _ => continue,
            };
            let newest = values.into_iter().find(|value| value.name == self.name);
            if let Some(value) = newest.filter(|value| self.newer_than.is_none_or(|known| value.revision > known)) {
                return Ok(value);
            }
        }
        let newer = self.newer_than.map(|known| format!(" again after revision {known}")).unwrap_or_default();
        let problem = format!("execution {} has ended without setting the value `{}`{newer}", self.id, self.name);
        Err(Error::of_kind(ErrorKind::Finished, problem))
    }
}

impl<'durable, T: DeserializeOwned + 'durable> IntoFuture for WaitForValue<'durable, T> {
    type Output = Result<ExecutionValue<T>>;
    type IntoFuture = BoxFuture<'durable, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let value = match self.timeout {
                None => self.wait().await?,
                Some(timeout) => tokio::time::timeout(timeout, self.wait()).await.map_err(|_| {
                    let problem = format!("execution {} has not set the value `{}` within {timeout:?}", self.id, self.name);
                    Error::of_kind(ErrorKind::TimedOut, problem)
                })??,
            };
            value.decode()
        })
    }
}
