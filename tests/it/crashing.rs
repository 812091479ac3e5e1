//! Workers killed at the worst moments: whatever was committed is never lost and never done again.

use std::time::Duration;

use durable::prelude::*;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::support::crash::{self, AtKill, CRASHES_AT_ONCE, killed_in, leases_run_out};
use crate::support::process::{Effects, Folder, Process};
use crate::support::proxy::{Fate, Moment, Trap};
use crate::support::{self, Database, eventually, soon};

/// The writes by which a dead worker's executions are given back.
const RESCUES: [&str; 3] = ["workers/expire", "executions/rescue", "workers/forget"];

/// The steps of an order: what each does to the world, and its key in the journal.
const STEPS: [(&str, &str); 3] =
    [("authorized", "step authorize"), ("captured", "step capture"), ("receipt sent", "step send_receipt")];

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) cents: u64,
}

/// An order with two payments, a sleep, an event from outside, and a person's approval.
#[derive(Debug)]
pub(crate) struct ProcessOrder {
    pub(crate) effects: Effects,
}

#[workflow(queue = "orders")]
impl ProcessOrder {
    async fn run(&self, cx: &Context, order: Order) -> Result<String> {
        let authorization = self.authorize(&order).await?;
        let payment = self.capture(&order, authorization).await?;
        cx.sleep(Duration::from_millis(1)).await?;
        let carrier: String = cx.wait_for_event("picked_up").await?;
        let approved: bool = cx.wait_for_input("approval").prompt("Send the receipt?").await?;
        self.send_receipt(payment, carrier, approved).await
    }

    #[step]
    async fn authorize(&self, order: &Order) -> Result<u64> {
        self.effects.add("authorized");
        Ok(order.cents * 2)
    }

    #[step(retry(max_attempts = 20, backoff = constant, base = "5ms", jitter = 0.0))]
    async fn capture(&self, order: &Order, authorization: u64) -> Result<u64> {
        if durable::step().attempt() == 1 {
            return Err(Error::new("the bank is busy"));
        }
        self.effects.add("captured");
        Ok(authorization + order.cents)
    }

    #[step]
    async fn send_receipt(&self, payment: u64, carrier: String, approved: bool) -> Result<String> {
        self.effects.add("receipt sent");
        Ok(format!("{payment} by {carrier}, approved: {approved}"))
    }
}

pub(crate) const ORDER: Order = Order { cents: 100 };
pub(crate) const RECEIPT: &str = "300 by DHL, approved: true";
const KEY: &str = "order-1";

/// The worker process that is killed: it starts the order itself, and works on it.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let workflow = ProcessOrder { effects: folder.effects() };
    let builder = Durable::builder().database_url(url).max_connections(4).poll_interval(Duration::from_secs(1));
    let durable = builder.register(workflow).start().await.unwrap();
    durable.start::<ProcessOrder>(ORDER).key(KEY).await.unwrap();
    std::future::pending().await
}

/// The outside world: a carrier that picks the order up, and a person who approves it, each as soon as they are asked.
pub(crate) fn outside_world(database: &Database, durable: Durable) -> JoinHandle<()> {
    let database = Database::at(database.url.clone());
    tokio::spawn(async move {
        let asked = |kind| format!("select execution_id from durable.waits where kind = '{kind}' and outcome is null");
        let id: uuid::Uuid = database.eventually_value(&asked("event")).await;
        durable.send_event(id.into(), "picked_up", "DHL").await.unwrap();
        let id: uuid::Uuid = database.eventually_value(&asked("input")).await;
        durable.provide_input(id.into(), "approval", &true).await.unwrap();
    })
}

/// Another worker finishes the order; then everything must be as if no worker had been killed.
async fn finish_and_check(what: &str, database: &Database, folder: &Folder, kills: &[AtKill]) {
    let workflow = ProcessOrder { effects: folder.effects() };
    let receipt = crash::finish::<ProcessOrder>(what, database, database.builder().register(workflow), (ORDER, KEY)).await;
    assert_eq!(receipt.unwrap(), RECEIPT, "{what}");

    for (effect, key) in STEPS {
        crash::assert_done_once(what, &folder.effects(), (effect, key), kills);
    }
    for pair in STEPS.windows(2) {
        let [(_, key), (later, _)] = [pair[0], pair[1]];
        let early = kills.iter().any(|kill| kill.count(later) > 0 && !kill.is_recorded(key));
        assert!(!early, "{what}: `{later}` came before `{key}` was on record");
    }
    check_journal(what, database).await;
}

/// One execution; each step and each wait is on record once; no message is left over.
pub(crate) async fn check_journal(what: &str, database: &Database) {
    let states: Vec<String> = database.values("select state from durable.executions").await;
    assert_eq!(states, ["completed"], "{what}");
    let keys: Vec<String> = database.values("select key from durable.checkpoints order by finished_at, key").await;
    assert_eq!(keys, STEPS.map(|(_, key)| key), "{what}");
    let waits: Vec<String> = database.values("select kind || ' ' || outcome from durable.waits order by started_at").await;
    assert_eq!(waits, ["sleep elapsed", "event received", "input received"], "{what}");
    assert_eq!(database.count("select count(*) from durable.mailbox").await, 0, "{what}");
}

#[tokio::test]
async fn an_order_survives_a_crash_before_and_after_every_write() {
    let database = support::database().await;
    let folder = Folder::new();
    let world = outside_world(&database, database.client().await);
    let (killed, writes) = killed_in("order", &database, &folder, None).await;
    world.await.unwrap();
    assert!(killed.is_none());
    assert!(writes.len() >= 10, "so few writes were seen that the proxy must be out of date: {writes:?}");

    let points = (1..=writes.len()).flat_map(|nth| [(nth, Moment::Before), (nth, Moment::After)]);
    let crashes = futures_util::stream::iter(points).map(|(nth, moment)| crash_at(&writes, nth, moment));
    let caught: Vec<bool> = crashes.buffer_unordered(CRASHES_AT_ONCE).collect().await;
    let caught = caught.into_iter().filter(|caught| *caught).count();
    // An idle look for work more or less is a matter of chance, so that the last points may not be reached.
    assert!(caught >= 2 * 10, "only {caught} of {} points were reached", 2 * writes.len());
}

async fn crash_at(writes: &[String], nth: usize, moment: Moment) -> bool {
    let what = format!("{moment:?} write {nth}").to_lowercase();
    let database = support::database().await;
    let folder = Folder::new();
    let world = outside_world(&database, database.client().await);
    let trap = Trap { statements: writes.to_vec(), nth, moment, fate: Fate::Held };
    let (killed, _) = killed_in("order", &database, &folder, Some(trap)).await;
    let caught = killed.is_some();
    finish_and_check(&what, &database, &folder, &Vec::from_iter(killed)).await;
    world.await.unwrap();
    caught
}

#[tokio::test]
async fn a_crash_while_another_crash_is_cleaned_up_loses_nothing() {
    for statement in RESCUES {
        for moment in [Moment::Before, Moment::After] {
            let what = format!("{moment:?} {statement}").to_lowercase();
            let database = support::database().await;
            let folder = Folder::new();
            let world = outside_world(&database, database.client().await);
            let first = Trap { statements: vec!["executions/save".to_owned()], nth: 1, moment: Moment::After, fate: Fate::Held };
            let (first, _) = killed_in("order", &database, &folder, Some(first)).await;
            leases_run_out(&database).await;
            let second = Trap { statements: vec![statement.to_owned()], nth: 1, moment, fate: Fate::Held };
            let (second, _) = killed_in("order", &database, &folder, Some(second)).await;
            finish_and_check(&what, &database, &folder, &[first.unwrap(), second.unwrap()]).await;
            world.await.unwrap();
        }
    }
}

/// Kills the process that runs it.
struct Poison;

#[workflow(queue = "poison")]
impl Poison {
    async fn run(&self, _cx: &Context, (): ()) -> Result<()> {
        self.kill().await
    }

    #[step]
    async fn kill(&self) -> Result<()> {
        std::process::abort()
    }
}

const MAX_CLAIMS: u16 = 3;

/// A worker that is killed by what it runs.
pub(crate) async fn work_with_poison(url: &str, folder: &Folder) {
    let durable = Durable::builder().database_url(url).max_connections(4).max_claims(MAX_CLAIMS);
    let durable = durable.register(Poison).register(ProcessOrder { effects: folder.effects() }).start().await.unwrap();
    std::future::pending::<()>().await;
    drop(durable);
}

#[tokio::test]
async fn a_step_that_kills_its_process_is_given_up_after_some_claims_and_others_are_unaffected() {
    let database = support::database().await;
    let folder = Folder::new();
    let durable = database.client().await;
    let world = outside_world(&database, durable.clone());
    let poison = durable.start::<Poison>(()).await.unwrap();

    for death in 1..=MAX_CLAIMS {
        let mut process = Process::start("poison", &database.url, &folder);
        eventually(&format!("dead for the {death}. time"), async || process.has_ended()).await;
        leases_run_out(&database).await;
    }
    let order = durable.start::<ProcessOrder>(ORDER).await.unwrap();
    let survivor = Process::start("poison", &database.url, &folder);

    let error = soon("given up", poison.result()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Poisoned);
    assert!(error.to_string().contains("claimed 3 times"), "{error}");
    assert_eq!(soon("the order", order.result()).await.unwrap(), RECEIPT);
    world.await.unwrap();
    drop(survivor);
}
