//! Reads the values that executions set.

use serde::de::DeserializeOwned;

use super::Durable;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::ExecutionId;
use crate::model::{ExecutionValue, not_found};
use crate::store::{look, values};

impl Durable {
    /// The value that an execution has set under a name with [`cx.set`](crate::context::Context::set), with its revision, its
    /// time and its metadata; `None` if it has not set that name.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
    /// if let Some(progress) = durable.value::<u8>(id, "progress").await? {
    ///     println!("{} % at {}", progress.value, progress.set_at);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for an unknown execution, `Payload` if the value is not a `T`.
    pub async fn value<T: DeserializeOwned>(&self, id: ExecutionId, name: &str) -> Result<Option<ExecutionValue<T>>> {
        self.read_values(id, Some(name)).await?.pop().map(ExecutionValue::decode).transpose()
    }

    /// All values that an execution has set, in the order of their names.
    ///
    /// # Errors
    /// `NotFound` for an unknown execution, `Payload` if a value cannot be read.
    pub async fn values(&self, id: ExecutionId) -> Result<Vec<ExecutionValue>> {
        self.read_values(id, None).await
    }

    /// The values that a node of a graph has had, the newest first, the present one included. The node keeps as many as its option
    /// `history` says, such as `#[input(history = 100)]`; without the option there are none. A value stays in the history when the node
    /// is cleared or unset, and goes when newer ones have taken all places, or with the execution.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # async fn example(durable: &Durable, id: ExecutionId) -> Result<()> {
    /// for price in durable.history::<u64>(id, "price").await? {
    ///     println!("{} since {} (revision {})", price.value, price.set_at, price.revision);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `NotFound` for an unknown execution; if the graph is registered in this process, also for an unknown node. `Payload` if a value is
    /// not a `T`.
    pub async fn history<T: DeserializeOwned>(&self, id: ExecutionId, node: &str) -> Result<Vec<ExecutionValue<T>>> {
        let (values, unreadable) = self.run("read a history", |pool| values::history(self.store(), pool, id, node)).await?;
        if let Some(problem) = unreadable.first() {
            return Err(Error::of_kind(ErrorKind::Payload, format!("{problem} of execution {id}")));
        }
        if values.is_empty() {
            self.find_node(id, node).await?;
        }
        values.into_iter().map(ExecutionValue::decode).collect()
    }

    async fn read_values(&self, id: ExecutionId, name: Option<&str>) -> Result<Vec<ExecutionValue>> {
        let (values, unreadable) = self.run("read values", |pool| values::list(self.store(), pool, id, name)).await?;
        if let Some(problem) = unreadable.first() {
            return Err(Error::of_kind(ErrorKind::Payload, format!("{problem} of execution {id}")));
        }
        if values.is_empty() && self.run("get an execution", |pool| look::execution(self.store(), pool, id)).await?.is_none() {
            return Err(not_found(id));
        }
        Ok(values)
    }
}
