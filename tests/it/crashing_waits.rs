//! A worker killed at every write of a market that collects, gathers and asks at once: no message is lost, none is used twice.

use std::time::Duration;

use durable::prelude::*;
use futures_util::StreamExt;
use tokio::task::JoinHandle;

use crate::support::crash::{self, AtKill, CRASHES_AT_ONCE, killed_in};
use crate::support::process::{Effects, Folder};
use crate::support::proxy::{Fate, Moment, Trap};
use crate::support::{self, Database};

/// Takes bids until it closes, and then those that came too late for that; two votes and an approval at the same time.
struct Market {
    effects: Effects,
}

impl Market {
    async fn trade(&self, cx: &Context) -> Result<()> {
        durable::race!(cx.wait_for_event::<()>("close"), self.take_bids(cx)).await?;
        while let Some(bid) = cx.wait_for_event::<u32>("bid").timeout(Duration::from_millis(1)).await? {
            self.take(bid).await?;
        }
        Ok(())
    }

    async fn take_bids(&self, cx: &Context) -> Result<()> {
        loop {
            let (_, bid) = cx.wait_for_any::<u32>(["bid", "last bid"]).await?;
            self.take(bid).await?;
        }
    }
}

#[workflow(queue = "markets")]
impl Market {
    async fn run(&self, cx: &Context, _: ()) -> Result<u32> {
        let ((), votes, approval) =
            durable::join!(self.trade(cx), cx.wait_for_all::<u32>(["ada", "grace"]), cx.wait_for_approval("auditor"),).await?;
        Ok(votes.values().sum::<u32>() + u32::from(approval.approved))
    }

    #[step]
    async fn take(&self, bid: u32) -> Result<u32> {
        self.effects.add(&format!("took {bid}"));
        Ok(bid)
    }
}

const KEY: &str = "market-1";
const BIDS: [u32; 4] = [1, 2, 3, 4];

fn builder(url: &str, folder: &Folder) -> durable::Builder {
    let builder = Durable::builder().database_url(url).max_connections(4).poll_interval(Duration::from_millis(200));
    builder.register(Market { effects: folder.effects() })
}

/// The worker process that is killed: it starts the market itself, and works on it.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let durable = builder(url, folder).start().await.unwrap();
    durable.start::<Market>(()).key(KEY).await.unwrap();
    std::future::pending().await
}

/// Bids, closes the market among the last bids, votes, and approves.
fn outside_world(database: &Database, durable: Durable) -> JoinHandle<()> {
    let database = Database::at(database.url.clone());
    tokio::spawn(async move {
        let asked = "select execution_id from durable.waits where name = 'close' and outcome is null";
        let id: uuid::Uuid = database.eventually_value(asked).await;
        durable.send_event(id.into(), "bid", &BIDS[0]).await.unwrap();
        database.eventually_value::<i32>("select 1 from durable.checkpoints where key like '%step take'").await;
        for (name, number) in [("bid", BIDS[1]), ("ada", 10), ("bid", BIDS[2]), ("grace", 100), ("bid", BIDS[3])] {
            durable.send_event(id.into(), name, &number).await.unwrap();
        }
        durable.send_event(id.into(), "close", &()).await.unwrap();
        durable.provide_input(id.into(), "auditor", &serde_json::json!({"approved": true})).await.unwrap();
    })
}

/// Another worker closes the market; then every bid was taken as if nobody had been killed.
async fn finish_and_check(what: &str, database: &Database, folder: &Folder, kills: &[AtKill]) {
    let result = crash::finish::<Market>(what, database, builder(&database.url, folder), ((), KEY)).await;
    assert_eq!(result.unwrap(), 111, "{what}");

    let taken = "from durable.checkpoints where key like '%step take%' and output is not null order by output::text";
    let bids: Vec<String> = database.values(&format!("select output::text {taken}")).await;
    assert_eq!(bids, BIDS.map(|bid| bid.to_string()), "{what}: each bid is on record once");
    let keys: Vec<String> = database.values(&format!("select key {taken}")).await;
    for (bid, key) in bids.iter().zip(&keys) {
        crash::assert_done_once(what, &folder.effects(), (&format!("took {bid}"), key), kills);
    }
    assert_eq!(database.count("select count(*) from durable.mailbox").await, 0, "{what}");
    assert_eq!(database.count("select count(*) from durable.waits where outcome is null").await, 0, "{what}");
}

#[tokio::test]
async fn a_market_takes_every_bid_once_whenever_its_worker_is_killed() {
    let (database, folder) = (support::database().await, Folder::new());
    let world = outside_world(&database, database.client().await);
    let (killed, writes) = killed_in("market", &database, &folder, None).await;
    world.await.unwrap();
    assert!(killed.is_none());
    finish_and_check("that never came", &database, &folder, &[]).await;
    assert!(writes.len() >= 10, "so few writes were seen that the proxy must be out of date: {writes:?}");

    let points = (1..=writes.len()).flat_map(|nth| [(nth, Moment::Before), (nth, Moment::After)]);
    let crashes = futures_util::stream::iter(points).map(|(nth, moment)| crash_at(&writes, nth, moment));
    let caught: Vec<bool> = crashes.buffer_unordered(CRASHES_AT_ONCE).collect().await;
    let caught = caught.into_iter().filter(|caught| *caught).count();
    // How many messages one look finds is a matter of chance, so that the last points may not be reached.
    assert!(caught >= writes.len(), "only {caught} of {} points were reached", 2 * writes.len());
}

async fn crash_at(writes: &[String], nth: usize, moment: Moment) -> bool {
    let what = format!("{moment:?} write {nth}").to_lowercase();
    let (database, folder) = (support::database().await, Folder::new());
    let world = outside_world(&database, database.client().await);
    let trap = Trap { statements: writes.to_vec(), nth, moment, fate: Fate::Held };
    let (killed, _) = killed_in("market", &database, &folder, Some(trap)).await;
    finish_and_check(&what, &database, &folder, killed.as_slice()).await;
    world.await.unwrap();
    killed.is_some()
}
