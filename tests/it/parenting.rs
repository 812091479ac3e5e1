//! Children: started once, awaited, told of once, cancelled and undone with their parents.

mod ending;
mod nesting;
mod parting;
mod starting;

use std::sync::{Arc, Mutex};

use durable::compensation;
use durable::prelude::*;

use crate::support::{self, soon};

type Log = Arc<Mutex<Vec<String>>>;

/// Reserves a seat, which can be given back.
struct Reserve {
    log: Log,
}

#[workflow]
impl Reserve {
    async fn run(&self, _cx: &Context, seat: u32) -> Result<u32> {
        self.reserve(seat).await
    }

    #[step(compensate = give_back)]
    async fn reserve(&self, seat: u32) -> Result<u32> {
        Ok(seat * 10)
    }

    #[compensation]
    async fn give_back(&self, price: u32) -> Result<()> {
        self.log.lock().unwrap().push(format!("gave back {price}"));
        Ok(())
    }
}

/// Reserves many seats at once, and fails if it costs too much.
struct ReserveAll;

#[workflow]
impl ReserveAll {
    async fn run(&self, cx: &Context, (seats, budget): (u32, u32)) -> Result<Vec<u32>> {
        let prices = cx.map(1..=seats).concurrency(100).each(|seat| cx.child::<Reserve>(seat)).await?;
        if prices.iter().sum::<u32>() > budget {
            return Err(Error::permanent("too expensive"));
        }
        Ok(prices)
    }
}

#[tokio::test]
async fn a_hundred_children_run_at_once_and_their_outputs_come_in_order() {
    let database = support::database().await;
    let durable = database.builder().register(Reserve { log: Log::default() }).register(ReserveAll).start().await.unwrap();

    let handle = durable.start::<ReserveAll>((100, u32::MAX)).await.unwrap();

    let prices: Vec<u32> = (1..=100).map(|seat| seat * 10).collect();
    assert_eq!(soon("all reserved", handle.result()).await.unwrap(), prices);
    assert_eq!(database.count("select count(*) from durable.executions where parent_notified_at is not null").await, 100);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn completed_children_are_undone_when_their_parent_fails() {
    let database = support::database().await;
    let log = Log::default();
    let durable = database.builder().register(Reserve { log: log.clone() }).register(ReserveAll).start().await.unwrap();

    let handle = durable.start::<ReserveAll>((3, 20)).await.unwrap();

    let error = soon("rolled back", handle.result()).await.unwrap_err();
    assert_eq!(error.to_string(), "too expensive");
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Compensated);
    let mut undone = log.lock().unwrap().clone();
    undone.sort();
    assert_eq!(undone, ["gave back 10", "gave back 20", "gave back 30"]);
    durable.shutdown().await.unwrap();
}
