//! One execution as it runs in memory: its state, the scopes of its code, and how the code is polled.

pub(crate) mod ambient;
pub(crate) mod branch;
#[cfg(test)]
mod contract;
pub(crate) mod hold;
mod journal;
pub(crate) mod lanes;
pub(crate) mod ledger;
#[cfg(test)]
pub(crate) mod memory;
mod outbox;
mod polling;
pub(crate) mod recording;
mod reporting;
pub(crate) mod rest;
pub(crate) mod run;
pub(crate) mod scope;
pub(crate) mod step_handle;
pub(crate) mod stretch;
mod subtree;
pub(crate) mod under_way;
mod waits;
pub(crate) mod wakers;

use std::pin::Pin;

/// A future, boxed.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
