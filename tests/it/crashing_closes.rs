//! A worker killed at every write of a basket that closes its items: what was acknowledged is returned, and nothing else.

use std::time::Duration;

use durable::prelude::*;
use futures_util::StreamExt;
use tokio::task::JoinHandle;

use crate::support::crash::{self, AtKill, CRASHES_AT_ONCE, killed_in};
use crate::support::process::{Effects, Folder};
use crate::support::proxy::{Fate, Moment, Trap};
use crate::support::{self, Database};

/// Takes two items, closes them, and packs them.
struct Basket {
    effects: Effects,
}

#[workflow(queue = "baskets")]
impl Basket {
    async fn run(&self, cx: &Context, _: ()) -> Result<Vec<u64>> {
        let mut items = vec![cx.wait_for_event("item").await?, cx.wait_for_event("item").await?];
        items.extend(cx.close_events::<u64>("item").await?);
        self.pack(items).await
    }

    #[step]
    async fn pack(&self, items: Vec<u64>) -> Result<Vec<u64>> {
        self.effects.add("packed");
        Ok(items)
    }
}

const KEY: &str = "basket-1";
const ITEMS: u64 = 40;

fn builder(url: &str, folder: &Folder) -> durable::Builder {
    let builder = Durable::builder().database_url(url).max_connections(4).poll_interval(Duration::from_millis(200));
    builder.register(Basket { effects: folder.effects() })
}

/// The worker process that is killed: it starts the basket itself, and works on it.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let durable = builder(url, folder).start().await.unwrap();
    durable.start::<Basket>(()).key(KEY).await.unwrap();
    std::future::pending().await
}

/// Sends items until they are refused; returns those that were acknowledged.
fn outside_world(database: &Database, durable: Durable) -> JoinHandle<Vec<u64>> {
    let database = Database::at(database.url.clone());
    tokio::spawn(async move {
        let id: uuid::Uuid = database.eventually_value("select execution_id from durable.executions").await;
        let mut acknowledged = Vec::new();
        for item in 0..ITEMS {
            match durable.send_event(id.into(), "item", &item).await {
                Ok(_) => acknowledged.push(item),
                Err(error) => assert!(matches!(error.kind(), ErrorKind::Closed | ErrorKind::Finished), "{error}"),
            }
        }
        acknowledged
    })
}

/// Another worker packs the basket; then it has what was acknowledged, whoever was killed.
async fn finish_and_check(what: &str, database: &Database, folder: &Folder, world: JoinHandle<Vec<u64>>, kills: &[AtKill]) {
    let packed = crash::finish::<Basket>(what, database, builder(&database.url, folder), ((), KEY)).await.unwrap();
    assert_eq!(packed, world.await.unwrap(), "{what}");
    crash::assert_done_once(what, &folder.effects(), ("packed", "step pack"), kills);
    assert_eq!(database.count("select count(*) from durable.mailbox").await, 0, "{what}");
}

#[tokio::test]
async fn a_basket_has_what_was_acknowledged_whenever_its_worker_is_killed() {
    let (database, folder) = (support::database().await, Folder::new());
    let world = outside_world(&database, database.client().await);
    let (killed, writes) = killed_in("basket", &database, &folder, None).await;
    assert!(killed.is_none());
    finish_and_check("that never came", &database, &folder, world, &[]).await;
    assert!(writes.len() >= 3, "so few writes were seen that the proxy must be out of date: {writes:?}");

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
    let (killed, _) = killed_in("basket", &database, &folder, Some(trap)).await;
    finish_and_check(&what, &database, &folder, world, killed.as_slice()).await;
    killed.is_some()
}
