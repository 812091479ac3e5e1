//! Starts and events inside a transaction of the caller: they take effect if and when it commits.

use serde::Serialize;
use sqlx::PgConnection;

use super::{Durable, ExecutionHandle, Start};
use crate::context::Workflow;
use crate::error::{Error, Result};
use crate::ids::ExecutionId;
use crate::model::Delivery;
use crate::payload;
use crate::store;
use crate::store::messages::{self, Message};
use crate::store::starts;

impl<W: Workflow> Start<'_, W> {
    /// Starts the execution inside the caller's transaction: if it is rolled back, there is no execution. Workers find the
    /// execution at their next poll after the commit, or at once if [`Durable::notify_queue`] is called then.
    ///
    /// ```no_run
    /// # use durable::prelude::*;
    /// # struct Ship;
    /// # #[workflow] impl Ship { async fn run(&self, _cx: &Context, id: i64) -> Result<i64> { Ok(id) } }
    /// # async fn example(durable: &Durable, pool: &durable::sqlx::PgPool) -> Result<()> {
    /// let mut tx = pool.begin().await?;
    /// durable::sqlx::query("insert into orders (id) values (42)").execute(&mut *tx).await?;
    /// durable.start::<Ship>(42).key("order-42").within(&mut tx).await?;
    /// tx.commit().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`Durable::start`]; the transaction is then aborted, as after any failed statement.
    pub async fn within(self, transaction: &mut PgConnection) -> Result<ExecutionHandle<W>> {
        let durable = self.durable().clone();
        durable.refuse_unregistered::<W>()?;
        let mut new = self.into_new()?;
        durable.judge_starts::<W>(std::slice::from_ref(&new))?;
        durable.continue_trace(&mut new);
        let started = starts::create(durable.store(), transaction, &[&new])
            .await
            .map_err(|error| store::refused("start an execution", &error))?;
        let started = started.first().ok_or_else(|| Error::new("a start returned nothing"))?;
        Ok(durable.handle(started.id))
    }
}

impl Durable {
    /// Sends an event inside the caller's transaction: it is delivered if and when the transaction commits.
    ///
    /// # Errors
    /// As for [`send_event`](Self::send_event); the transaction is then aborted, as after any failed statement.
    pub async fn send_event_within<T: Serialize + ?Sized>(
        &self,
        transaction: &mut PgConnection,
        id: ExecutionId,
        name: &str,
        payload: &T,
    ) -> Result<Delivery> {
        let payload = payload::encode(format_args!("event `{name}`"), payload)?;
        let message = Message::new(id, name, payload);
        let sent = messages::send_event(self.store(), transaction, &message)
            .await
            .map_err(|error| store::refused("send an event", &error))?;
        Ok(sent.delivery)
    }

    /// Notifies workers that the queue has work: call it after a transaction with a start or an event in it was committed.
    pub fn notify_queue(&self, queue: &str) {
        self.engine.signals.queued(queue);
    }
}
