//! An expansion raises no warning, however strict its crate is.
#![deny(warnings, missing_docs, unused, clippy::all, clippy::pedantic)]
#![deny(clippy::missing_docs_in_private_items, clippy::allow_attributes, clippy::absolute_paths)]
#![deny(single_use_lifetimes, unused_qualifications, unused_lifetimes, elided_lifetimes_in_paths)]

use durable::prelude::*;
use durable::sqlx;
use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};

/// Sends parcels.
#[derive(Debug)]
struct Parcels {
    /// Who sends them.
    sender: String,
}

#[workflow(queue = "parcels", timeout = "2h")]
impl Parcels {
    /// Packs, then sends.
    async fn run(&self, cx: &Context, count: u32) -> Result<String> {
        let _ = cx;
        let packed = self.pack(count).await?;
        let sent = self.send(&packed, &self.sender, 0).await?;
        self.write_down(&sent).await?;
        Ok(sent)
    }

    /// Packs.
    ///
    /// # Errors
    /// When there is nothing to pack.
    #[step(retry(max_attempts = 5, backoff = constant), timeout = "250ms", compensate = unpack)]
    #[expect(clippy::unused_async, reason = "the sample has nothing to wait for")]
    pub(crate) async fn pack(&self, count: u32) -> Result<Vec<u32>> {
        Ok((0..count).collect())
    }

    /// Writes the parcel down.
    #[step(transaction, retry(max_attempts = 2), compensate = strike_out)]
    async fn write_down(&self, tx: &mut Transaction, parcel: &str) -> Result<i64> {
        Ok(sqlx::query_scalar("select length($1)::int8").bind(parcel).fetch_one(&mut **tx).await?)
    }

    /// Strikes the parcel out.
    #[compensation]
    #[expect(clippy::unused_async, reason = "the sample has nothing to wait for")]
    async fn strike_out(&self, length: &i64) -> Result<bool> {
        Ok(*length > 0)
    }

    /// Unpacks.
    ///
    /// # Errors
    /// When nothing was packed.
    #[compensation(retry(max_attempts = 2))]
    #[expect(clippy::unused_async, reason = "the sample has nothing to wait for")]
    async fn unpack(&self, packed: &[u32]) -> Result<usize> {
        Ok(packed.len())
    }

    /// Takes the parcel back, the next day.
    #[compensation]
    async fn take_back(&self, cx: &Context, parcel: Option<String>) -> Result<bool> {
        cx.sleep(days(1)).await?;
        Ok(parcel.is_some())
    }

    /// Sends.
    #[step(compensate = take_back, undo_on_failure)]
    #[expect(clippy::unused_async, reason = "the sample has nothing to wait for")]
    async fn send(&self, packed: &[u32], sender: &str, mut bonus: u32) -> Result<String> {
        bonus += 1;
        Ok(format!("{sender} sends {} and {bonus}", packed.len()))
    }
}

/// Takes a workflow's input, so that the description is used.
fn takes_input_of<W: durable::Workflow>(_input: &W::Input) {}

/// Steps outside an execution just run.
pub(crate) fn main() {
    takes_input_of::<Parcels>(&3);
    let parcels = Parcels { sender: "Ada".into() };
    let mut both = pin!(async { parcels.send(&parcels.pack(3).await?, &parcels.sender, 0).await });
    let Poll::Ready(sent) = both.as_mut().poll(&mut Task::from_waker(Waker::noop())) else { unreachable!("nothing here waits") };
    assert_eq!(sent.ok().as_deref(), Some("Ada sends 3 and 1"));
}
