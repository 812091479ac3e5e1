//! A fleet: three worker processes and a database, each of which may die, end or freeze at any moment, whose clock may be set back
//! and forward, and everything is done once.
//!
//! What happens when is decided by a seed, which is printed; `DURABLE_FLEET_SEED=42 cargo test fleet` decides the same again.

mod audit;
mod chaos;
mod ledger;
mod parcel;
mod spoiling;

use std::time::Duration;

use durable::prelude::*;

use crate::support::process::Folder;
use crate::support::proxy::Proxy;
use crate::support::{self, Database, PATIENCE};

use chaos::{Blow, Chaos};
use ledger::Ledger;
use parcel::Parcel;

pub(crate) use parcel::work;

/// The role in which its processes are started.
const ROLE: &str = "fleet";

/// Names the seed of an earlier run.
const SEED: &str = "DURABLE_FLEET_SEED";

/// What a fleet is put through.
#[derive(Debug, Clone, Copy)]
struct Trial {
    seed: u64,
    /// Executions that a client starts; each starts another, and every third a second one.
    parcels: u32,
    blows: usize,
    kinds: &'static [Blow],
    /// How long nothing may get on before the fleet counts as stuck.
    patience: Duration,
}

impl Trial {
    fn of(parcels: u32, blows: usize) -> Self {
        let seed = std::env::var(SEED).map_or_else(|_| uuid::Uuid::new_v4().as_u64_pair().0, |seed| seed.parse().unwrap());
        println!("{SEED}={seed}");
        Self { seed, parcels, blows, kinds: chaos::BLOWS, patience: PATIENCE / 2 }
    }

    /// Lets the fleet work through it, on what `spoil` has made of the database and of the way to it; returns what went wrong.
    async fn run(&self, spoil: impl AsyncFnOnce(&Database, &Proxy)) -> Vec<String> {
        let (cluster, database) = support::server_of_its_own().await;
        // One of the blows is settings of the database that cut statements off.
        let database = database.with_usual_settings();
        let proxy = Proxy::before(&database).await;
        audit::install(&database).await;
        spoil(&database, &proxy).await;
        let folder = Folder::new();
        let client = database.builder().operation_timeout(Duration::from_secs(120)).start().await.unwrap();
        let mut chaos = Chaos::new(self, cluster, &database, proxy.url(), &folder);

        let trading = tokio::spawn(trade(client.clone(), self.parcels));
        if let Err(stuck) = chaos.rage().await {
            println!("{:#?}", stuck.situation);

            return vec!["nothing gets on".to_owned()];
        }
        let handles = support::soon("everything started", trading).await.unwrap();
        let firings = "select count(*) from durable.schedule_firings";
        support::eventually("the schedule has fired", async || database.count(firings).await > 1).await;
        client.disable_schedule("tick", "it is over").await.unwrap();
        let unfinished = "select count(*) from durable.executions where finished_at is null";
        let done = support::eventually("everything done", async || database.count(unfinished).await == 0);
        if tokio::time::timeout(self.patience, done).await.is_err() {
            println!("{:#?}", chaos.situation().await);
            return vec!["not everything is done".to_owned()];
        }

        let mut violations = self.results(&handles).await;
        violations.extend(self.records(&database).await);
        violations.extend(ticks(&database).await);
        violations.extend(audit::violations(&database).await);
        if !chaos.has_stepped_the_clock() {
            // Otherwise the clock showed the same time twice, and each time as many may begin.
            violations.extend(audit::violations_of_rates(&database).await);
        }
        let lost = &audit::lost(&database).await | chaos.killed();
        violations.extend(Ledger::read(&folder.effects(), chaos.frozen().clone(), lost).violations());
        drop(chaos);
        client.shutdown().await.unwrap();
        violations
    }

    /// Every accepted start has finished, with what it was to return.
    async fn results(&self, handles: &[ExecutionHandle<Parcel>]) -> Vec<String> {
        let mut violations = Vec::new();
        for (number, handle) in (0..self.parcels).zip(handles) {
            let result = handle.result().await;
            if !matches!(result, Ok(total) if total == number + 3) {
                violations.push(format!("parcel {number}: {result:?}"));
            }
        }
        violations
    }

    /// Everything is on record once, and nothing is left.
    async fn records(&self, database: &Database) -> Vec<String> {
        let stamps = (0..self.parcels).filter(|number| number % 3 == 2).count();
        let stamps = u32::try_from(stamps).unwrap();
        let others = "(schedule is not null or workflow = 'cargo')";
        let steps = "from durable.checkpoints where output is not null and key not in ('step note', 'step load') and key not like '%join'";
        // One for each parcel, one for its label, and one for its stamp.
        let executions = 2 * self.parcels + stamps;
        let records = [
            ("executions", &*format!("from durable.executions where not {others}"), executions),
            ("completed executions", &format!("from durable.executions where not {others} and state = 'completed'"), executions),
            ("steps", steps, self.parcels * 4 + stamps),
            ("consumed events", "from durable.waits where kind = 'event' and outcome = 'received'", self.parcels / 3),
            ("events left", "from durable.mailbox", 0),
            ("open waits", "from durable.waits where outcome is null", 0),
            ("cargoes that are not whole", CARGO_THAT_IS_NOT_WHOLE, 0),
        ];
        let mut violations = Vec::new();
        for (what, from, expected) in records {
            let found = database.count(&format!("select count(*) {from}")).await;
            if found != i64::from(expected) {
                violations.push(format!("{found} {what} instead of {expected}"));
            }
        }
        violations
    }
}

/// Executions whose output is not as long as their input says.
const CARGO_THAT_IS_NOT_WHOLE: &str = "from durable.executions
    where workflow = 'cargo' and (state = 'completed' and length(output #>> '{}') = (input #>> '{}')::int) is not true";

/// Starts every parcel, and pays for those that wait for it, some before they ask.
async fn trade(client: Durable, parcels: u32) -> Vec<ExecutionHandle<Parcel>> {
    let mut handles = Vec::new();
    for numbers in (0..parcels).collect::<Vec<_>>().chunks(50) {
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

/// Each second has fired once, and what it started has completed with that second.
async fn ticks(database: &Database) -> Vec<String> {
    let executions = "from durable.executions where schedule = 'tick'";
    let told = "select count(distinct (output #>> '{}')::timestamptz) from durable.executions
                where schedule = 'tick' and state = 'completed' and (output #>> '{}')::timestamptz = scheduled_for";
    let gaps = "select count(*) from (
                    select due_at - lag(due_at) over (order by due_at) as gap from durable.schedule_firings
                ) as gaps where gap <> interval '1 second'";
    let firings = database.count("select count(*) from durable.schedule_firings").await;
    let mut violations = Vec::new();
    for (what, sql, expected) in [
        ("gaps between due times", gaps.to_owned(), 0),
        ("executions of due times", format!("select count(*) {executions}"), firings),
        ("due times that were told", told.to_owned(), firings),
    ] {
        let found = database.count(&sql).await;
        if found != expected {
            violations.push(format!("{found} {what} instead of {expected}"));
        }
    }
    violations
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_of_three_does_everything_once_whatever_is_killed_frozen_shut_down_or_set_back() {
    let violations = Trial::of(1500, 24).run(async |_, _| {}).await;
    assert!(violations.is_empty(), "{violations:#?}");
}
