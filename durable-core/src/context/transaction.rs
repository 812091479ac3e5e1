//! Transactional steps: what they write with the transaction they are given is committed together with their outcome.

use std::fmt;
use std::ops::{Deref, DerefMut};

use sqlx::PgConnection;

use crate::store::transactions::{self, Open};

/// The transaction of a step marked `#[step(transaction)]`, in the database that Durable's schema is in.
///
/// The engine begins it before the step's body, and commits it after, together with the step's outcome: both are there exactly
/// once, or neither is, whatever happens in between. It is rolled back when the step fails, panics, takes too long, or is
/// dropped. The step must not end it by itself.
///
/// It comes from a pool of its own (see [`Builder::transaction_connections`](crate::client::Builder::transaction_connections))
/// and holds a connection as long as the step runs: keep such steps short, and call other services from steps without it.
///
/// ```no_run
/// # use durable::prelude::*;
/// # struct Transfer;
/// # #[workflow] impl Transfer {
/// # async fn run(&self, _cx: &Context, account: i64) -> Result<i64> { self.debit(account, 7).await }
/// #[step(transaction, retry(max_attempts = 3))]
/// async fn debit(&self, tx: &mut Transaction, account: i64, cents: i64) -> Result<i64> {
///     let debit = "update accounts set cents = cents - $2 where id = $1 returning cents";
///     Ok(durable::sqlx::query_scalar(debit).bind(account).bind(cents).fetch_one(&mut **tx).await?)
/// }
/// # }
/// ```
pub struct Transaction {
    open: Open,
}

impl Transaction {
    pub(super) fn new(open: Open) -> Self {
        Self { open }
    }

    /// Writes a value in a simulated transaction.
    #[cfg(test)]
    pub(crate) fn write(&mut self, value: u64) {
        if let Open::Memory(written) = &mut self.open {
            written.push(value);
        }
    }

    pub(super) fn into_open(self) -> Open {
        self.open
    }

    /// Rolls back and waits for it, so that the next attempt does not wait for this one's locks. Returns whether the database
    /// answered.
    pub(super) async fn roll_back(self) -> bool {
        transactions::roll_back(self.open).await
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.open
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.open
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").finish_non_exhaustive()
    }
}
