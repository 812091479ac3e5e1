//! Workflows whose events were sent before they wait for them.

use durable::prelude::*;

/// Waits for so many events at once.
#[derive(Debug)]
pub(crate) struct AllAtOnce;

#[workflow]
impl AllAtOnce {
    async fn run(&self, cx: &Context, events: u64) -> Result<u64> {
        let taken = cx.wait_for_all::<u64>((0..events).map(|nth| format!("item {nth}"))).await?;
        Ok(taken.len() as u64)
    }
}

/// Waits for so many events, one after the other.
#[derive(Debug)]
pub(crate) struct OneByOne;

#[workflow]
impl OneByOne {
    async fn run(&self, cx: &Context, events: u64) -> Result<u64> {
        for nth in 0..events {
            let _: u64 = cx.wait_for_event(&format!("item {nth}")).await?;
        }
        Ok(events)
    }
}
