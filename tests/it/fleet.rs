//! A fleet: three worker processes and a database, each of which may die or freeze at any moment, and everything is done once.
//!
//! What happens when is decided by a seed, which is printed; `DURABLE_FLEET_SEED=42 cargo test fleet` decides the same again.

mod chaos;
mod ledger;

use std::time::Duration;

use durable::chrono::{DateTime, Utc};
use durable::join;
use durable::prelude::*;

use crate::support::process::{Effects, Folder, Process};
use crate::support::{self, Database};

use chaos::Chaos;
use ledger::Ledger;

/// Names the seed of an earlier run.
const SEED: &str = "DURABLE_FLEET_SEED";

/// Executions that a client starts; some start another.
const EXECUTIONS: u32 = 1500;

/// Short, so that who was killed is soon replaced, and who froze is declared lost.
const LEASE: Duration = Duration::from_secs(1);

/// Weighs, waits for what belongs to its number, packs and labels side by side, ships.
struct Parcel {
    effects: Effects,
}

impl Parcel {
    fn note(&self, what: &str, number: u32) {
        self.effects.add(&ledger::line(what, number, std::process::id()));
    }
}

#[workflow(queue = "parcels")]
impl Parcel {
    async fn run(&self, cx: &Context, number: u32) -> Result<u32> {
        let weight = self.weigh(number).await?;
        let paid: u32 = match number % 3 {
            0 => {
                cx.sleep(Duration::from_millis(20)).await?;
                number
            }
            1 => cx.wait_for_event("paid").await?,
            _ => cx.child::<Stamp>(number).await?,
        };
        let (packed, labelled) = join!(self.pack(number), self.label(number)).await?;
        self.ship(number).await?;
        Ok(weight + paid + packed + labelled)
    }

    #[step]
    async fn weigh(&self, number: u32) -> Result<u32> {
        self.note("weigh", number);
        Ok(1)
    }

    #[step]
    async fn pack(&self, number: u32) -> Result<u32> {
        self.note("pack", number);
        tokio::task::yield_now().await;
        Ok(1)
    }

    #[step]
    async fn label(&self, number: u32) -> Result<u32> {
        self.note("label", number);
        Ok(1)
    }

    #[step]
    async fn ship(&self, number: u32) -> Result<()> {
        self.note("ship", number);
        Ok(())
    }
}

/// What parcels of every third number ask another execution for.
struct Stamp {
    effects: Effects,
}

#[workflow(queue = "stamps")]
impl Stamp {
    async fn run(&self, _cx: &Context, number: u32) -> Result<u32> {
        self.stamp(number).await
    }

    #[step]
    async fn stamp(&self, number: u32) -> Result<u32> {
        self.effects.add(&ledger::line("stamp", number, std::process::id()));
        Ok(number)
    }
}

/// Is started each second, and made up for where nobody was there to do so.
struct Tick;

#[workflow(queue = "ticks", schedule = "every 1s", missed = all)]
impl Tick {
    async fn run(&self, cx: &Context, (): ()) -> Result<Option<DateTime<Utc>>> {
        self.note(cx.scheduled_for()).await
    }

    #[step]
    async fn note(&self, due: Option<DateTime<Utc>>) -> Result<Option<DateTime<Utc>>> {
        Ok(due)
    }
}

/// A worker process of the fleet.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let builder = Durable::builder().database_url(url).max_connections(5).lease(LEASE).max_claims(1000);
    let builder = builder.register(Parcel { effects: folder.effects() }).register(Stamp { effects: folder.effects() });
    let builder = builder.register(Tick);
    let _durable = builder.poll_interval(Duration::from_millis(100)).start().await.unwrap();
    std::future::pending().await
}

fn seed() -> u64 {
    std::env::var(SEED).map_or_else(|_| uuid::Uuid::new_v4().as_u64_pair().0, |seed| seed.parse().unwrap())
}

/// Starts every parcel, and pays for those that wait for it, some before they ask.
async fn trade(client: Durable) -> Vec<ExecutionHandle<Parcel>> {
    let mut handles = Vec::new();
    for numbers in (0..EXECUTIONS).collect::<Vec<_>>().chunks(50) {
        let started = client.start_many::<Parcel>(numbers.to_vec()).keys(|number| format!("parcel {number}")).await.unwrap();
        for (number, handle) in numbers.iter().zip(&started) {
            if number % 3 == 1 {
                client.send_event(handle.id(), "paid", number).await.unwrap();
            }
        }
        handles.extend(started);
    }
    handles
}

async fn check(database: &Database, ledger: &Ledger, handles: &[ExecutionHandle<Parcel>]) {
    for (number, handle) in (0..EXECUTIONS).zip(handles) {
        assert_eq!(handle.result().await.unwrap(), number + 3, "parcel {number}");
    }
    let stamps = u32::try_from((0..EXECUTIONS).filter(|number| number % 3 == 2).count()).unwrap();
    let started = "from durable.executions where schedule is null";
    let completed = database.count(&format!("select count(*) {started} and state = 'completed'")).await;
    assert_eq!(completed, i64::from(EXECUTIONS + stamps), "every accepted start has completed, and nothing else was started");
    assert_eq!(database.count(&format!("select count(*) {started}")).await, completed);
    let steps =
        "select count(*) from durable.checkpoints where output is not null and key <> 'step note' and key not like '%join'";
    let steps = database.count(steps).await;
    assert_eq!(steps, i64::from(EXECUTIONS * 4 + stamps), "each step is on record once");
    let events = "select count(*) from durable.waits where kind = 'event' and outcome = 'received'";
    assert_eq!(database.count(events).await, i64::from(EXECUTIONS / 3), "each event was consumed once");
    assert_eq!(database.count("select count(*) from durable.mailbox").await, 0, "no event is left, and none came twice");
    assert_eq!(database.count("select count(*) from durable.waits where outcome is null").await, 0, "nothing is waited for");

    check_ticks(database).await;

    let violations = ledger.violations();
    assert!(violations.is_empty(), "{violations:#?}");
}

/// Each second has fired once, and what it started has completed with that second.
async fn check_ticks(database: &Database) {
    let fires = database.count("select count(*) from durable.schedule_fires").await;
    assert!(fires > 1, "the schedule has hardly fired");
    let gaps = "select count(*) from (
                    select due_at - lag(due_at) over (order by due_at) as gap from durable.schedule_fires
                ) as gaps where gap <> interval '1 second'";
    assert_eq!(database.count(gaps).await, 0, "a second was left out");
    let told = "select count(distinct (output #>> '{}')::timestamptz) from durable.executions
                where schedule = 'tick' and state = 'completed' and (output #>> '{}')::timestamptz = scheduled_for";
    assert_eq!(database.count(told).await, fires);
    assert_eq!(database.count("select count(*) from durable.executions where schedule = 'tick'").await, fires);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_of_three_does_everything_once_whatever_is_killed_or_frozen() {
    let seed = seed();
    println!("{SEED}={seed}");
    let (cluster, database) = support::server_of_its_own().await;
    let folder = Folder::new();
    let client = database.builder().operation_timeout(Duration::from_secs(120)).start().await.unwrap();
    let mut chaos = Chaos::new(seed, cluster, &database, &folder);

    let trading = tokio::spawn(trade(client.clone()));
    chaos.rage().await;
    chaos.calm().await;
    let handles = support::soon("everything started", trading).await.unwrap();
    client.disable_schedule("tick", "it is over").await.unwrap();
    support::eventually("everything done", async || {
        database.count("select count(*) from durable.executions where finished_at is null").await == 0
    })
    .await;

    let ledger = Ledger::read(&folder.effects(), chaos.frozen());
    check(&database, &ledger, &handles).await;
    drop(chaos);
    client.shutdown().await.unwrap();
}

/// The role in which its processes are started.
const ROLE: &str = "fleet";

/// Steps in the order in which they are on record before the next begins: those of one stage run side by side.
const STAGES: [&[&str]; 4] = [&["weigh"], &["stamp"], &["pack", "label"], &["ship"]];

fn start_process(database: &Database, folder: &Folder) -> Process {
    Process::start(ROLE, &database.url, folder)
}
