//! Workers killed at the worst moments: whatever was committed is never lost and never done again.

use std::collections::BTreeSet;
use std::time::Duration;

use durable::prelude::*;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::support::process::{Effects, Folder, Process};
use crate::support::proxy::{Fate, Moment, Proxy, Trap};
use crate::support::{self, Database, eventually, soon};

/// Statements that only look, and duties that come round again and again. Every other one is a write by which an execution
/// gets on, those of later releases included.
const NO_WRITES: [&str; 25] = [
    "checkpoints/find",
    "checkpoints/load",
    "clock/read",
    "duties/finish",
    "duties/hold",
    "duties/take",
    "executions/cancel_orphans",
    "executions/expire",
    "executions/finished",
    "executions/get",
    "executions/held",
    "executions/look",
    "executions/prune",
    "executions/rescue",
    "executions/stray",
    "notifications/send",
    "publications/prune",
    "schedule_fires/prune",
    "schedules/due",
    "servers/look",
    "servers/read_process",
    "waits/deliver",
    "workers/beat",
    "workers/expire",
    "workers/forget",
];

/// The writes by which a dead worker's executions are given back.
const RESCUES: [&str; 3] = ["workers/expire", "executions/rescue", "workers/forget"];

/// The steps of an order: what each does to the world, and its key in the journal.
const STEPS: [(&str, &str); 3] =
    [("authorized", "step authorize"), ("captured", "step capture"), ("receipt sent", "step send_receipt")];

/// Kills at once; each has a database, a process and a worker, and the machine may be small.
pub(crate) const CRASHES_AT_ONCE: usize = 3;

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

/// What was on record and what had been done when a worker was killed.
#[derive(Debug)]
pub(crate) struct AtKill {
    checkpoints: Vec<String>,
    effects: Vec<String>,
}

impl AtKill {
    async fn look(database: &Database, effects: &Effects) -> Self {
        let checkpoints = database.values("select key from durable.checkpoints").await;
        Self { checkpoints, effects: effects.all() }
    }

    pub(crate) fn is_recorded(&self, key: &str) -> bool {
        self.checkpoints.iter().any(|recorded| recorded == key)
    }

    pub(crate) fn count(&self, effect: &str) -> usize {
        self.effects.iter().filter(|done| *done == effect).count()
    }
}

/// The leases of all workers run out now, as if they had been dead for long.
pub(crate) async fn leases_run_out(database: &Database) {
    database.run("update durable.workers set lease_until = durable.now() - interval '1 second'").await;
}

/// Each statement with its number among those of its name, as often as it was seen, before and after it: which one of all is
/// the nth write may be a matter of chance, so that they are told apart by name.
pub(crate) fn every_write(seen: &[String]) -> Vec<(&str, usize, Moment)> {
    let mut points = Vec::new();
    let names: BTreeSet<&str> = seen.iter().map(String::as_str).collect();
    for name in names {
        let count = seen.iter().filter(|statement| *statement == name).count();
        points.extend((1..=count).flat_map(|nth| [(name, nth, Moment::Before), (name, nth, Moment::After)]));
    }
    points
}

/// Kills the worker called `role` when it runs into the trap; `None` when what it works on was finished before.
pub(crate) async fn killed_in(
    role: &str,
    database: &Database,
    folder: &Folder,
    trap: Option<Trap>,
) -> (Option<AtKill>, Vec<String>) {
    let proxy = Proxy::before(database).await;
    if let Some(trap) = trap {
        proxy.set(trap);
    }
    let mut process = Process::start(role, proxy.url(), folder);
    eventually("caught in the trap, or finished", async || {
        assert!(!process.has_ended(), "the worker process ended by itself");
        proxy.has_caught() || is_finished(database).await
    })
    .await;
    process.kill();
    let caught = proxy.has_caught();
    let mut writes = proxy.seen();
    writes.retain(|statement| !NO_WRITES.contains(&statement.as_str()));
    drop(proxy);
    let at_kill = AtKill::look(database, &folder.effects()).await;
    (caught.then_some(at_kill), writes)
}

async fn is_finished(database: &Database) -> bool {
    database.value("select exists (select from durable.executions where finished_at is not null and parent_id is null)").await
}

/// Another worker finishes the order; then everything must be as if nobody had been killed.
async fn finish_and_check(what: &str, database: &Database, folder: &Folder, kills: &[AtKill]) {
    leases_run_out(database).await;
    let workflow = ProcessOrder { effects: folder.effects() };
    let durable = database.builder().register(workflow).start().await.unwrap();
    let handle = durable.start::<ProcessOrder>(ORDER).key(KEY).await.unwrap();
    let receipt = soon(&format!("finished after a crash {what}"), handle.result()).await.unwrap();
    assert_eq!(receipt, RECEIPT, "{what}");

    let effects = folder.effects();
    for (effect, key) in STEPS {
        let done = effects.count(effect);
        let unrecorded = kills.iter().filter(|kill| !kill.is_recorded(key)).count();
        assert!((1..=1 + unrecorded).contains(&done), "{what}: `{effect}` was done {done} times: {:?}", effects.all());
        for kill in kills.iter().filter(|kill| kill.is_recorded(key)) {
            assert_eq!(done, kill.count(effect), "{what}: `{effect}` was done again after it was on record");
        }
    }
    for pair in STEPS.windows(2) {
        let [(_, key), (later, _)] = [pair[0], pair[1]];
        let early = kills.iter().any(|kill| kill.count(later) > 0 && !kill.is_recorded(key));
        assert!(!early, "{what}: `{later}` came before `{key}` was on record");
    }
    check_journal(what, database).await;
    durable.shutdown().await.unwrap();
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
