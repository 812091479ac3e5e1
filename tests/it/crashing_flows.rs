//! A worker killed at every write of a journey that joins, races, maps, starts a child, transfers, and is then undone.

use std::time::Duration;

use durable::prelude::*;
use durable::{Transaction, compensation};
use futures_util::StreamExt;

use crate::support::crash::{self, AtKill, CRASHES_AT_ONCE, killed_in};
use crate::support::process::{Effects, Folder};
use crate::support::proxy::{Fate, Moment, Trap};
use crate::support::{self, Database};

/// Everything that a flow can say.
struct Journey {
    effects: Effects,
}

#[workflow(queue = "journeys")]
impl Journey {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        durable::join!(self.mark("join a"), self.mark("join b")).await?;
        durable::race!(self.mark("race"), cx.wait_for_event("never")).await?;
        cx.map(["map 0", "map 1", "map 2"]).concurrency(2).each(|item| self.mark(item)).await?;
        cx.child::<Leg>("child".to_owned()).await?;
        self.transfer().await?;
        Err(Error::permanent("turn back"))
    }

    #[step(compensate = unmark)]
    async fn mark(&self, what: &str) -> Result<String> {
        self.effects.add(what);
        Ok(what.to_owned())
    }

    #[compensation]
    async fn unmark(&self, what: String) -> Result<()> {
        self.effects.add(&format!("undone {what}"));
        Ok(())
    }

    #[step(transaction, retry(max_attempts = 20, backoff = constant, base = "5ms"), compensate = unmark)]
    async fn transfer(&self, tx: &mut Transaction) -> Result<String> {
        sqlx::query("insert into transfers (cents) values (1)").execute(&mut **tx).await?;
        Ok("transfer".to_owned())
    }
}

/// Goes part of the way.
struct Leg {
    effects: Effects,
}

#[workflow(queue = "journeys")]
impl Leg {
    async fn run(&self, _cx: &Context, what: String) -> Result<String> {
        self.go(&what).await
    }

    #[step(compensate = go_back)]
    async fn go(&self, what: &str) -> Result<String> {
        self.effects.add(what);
        Ok(what.to_owned())
    }

    #[compensation]
    async fn go_back(&self, what: String) -> Result<()> {
        self.effects.add(&format!("undone {what}"));
        Ok(())
    }
}

/// What the steps do, and their keys; those of one line in any order, the lines in this one.
const STAGES: [&[(&str, &str)]; 4] = [
    &[("join a", "join/0/step mark"), ("join b", "join/1/step mark")],
    &[("race", "race/0/step mark")],
    &[("map 0", "map/0/step mark"), ("map 1", "map/1/step mark"), ("map 2", "map/2/step mark")],
    &[("child", "step go")],
];

const KEY: &str = "journey-1";

fn builder(url: &str, folder: &Folder) -> durable::Builder {
    let builder = Durable::builder().database_url(url).max_connections(4).poll_interval(Duration::from_millis(200));
    builder.register(Journey { effects: folder.effects() }).register(Leg { effects: folder.effects() })
}

/// The worker process that is killed: it starts the journey itself, and works on it.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let durable = builder(url, folder).start().await.unwrap();
    durable.start::<Journey>(()).key(KEY).await.unwrap();
    std::future::pending().await
}

async fn database() -> Database {
    let database = support::database().await;
    database.run("create table transfers (cents bigint not null)").await;
    database
}

/// Another worker ends the journey; then everything was done and undone as if nobody had been killed.
async fn finish_and_check(what: &str, database: &Database, folder: &Folder, kills: &[AtKill]) {
    let result = crash::finish::<Journey>(what, database, builder(&database.url, folder), ((), KEY)).await;
    assert_eq!(result.unwrap_err().to_string(), "turn back", "{what}");
    let states: Vec<String> = database
        .values("select workflow || ' ' || state from durable.executions order by undoes nulls first, workflow, execution_id")
        .await;
    assert_eq!(states, ["journey compensated", "leg completed", "leg compensated"], "{what}");
    assert_eq!(database.count("select count(*) from transfers").await, 1, "{what}: the transfer was not made exactly once");

    let effects = folder.effects();
    for (effect, key) in STAGES.iter().copied().flatten() {
        crash::assert_done_once(what, &effects, (effect, key), kills);
        let undo = format!("undone {effect}");
        let undo_key = if *effect == "child" { "undo/step go".to_owned() } else { format!("undo/{key}") };
        crash::assert_done_once(what, &effects, (&undo, &undo_key), kills);
    }
    crash::assert_done_once(what, &effects, ("undone transfer", "undo/step transfer"), kills);
    undone_in_reverse_order(what, &effects.all());
}

fn undone_in_reverse_order(what: &str, effects: &[String]) {
    let last_of = |stage: &[(&str, &str)]| {
        let undone = |effect: &str| effects.iter().rposition(|done| *done == format!("undone {effect}")).unwrap();
        stage.iter().map(|(effect, _)| undone(effect)).max().unwrap()
    };
    let first_of = |stage: &[(&str, &str)]| {
        let undone = |effect: &str| effects.iter().position(|done| *done == format!("undone {effect}")).unwrap();
        stage.iter().map(|(effect, _)| undone(effect)).min().unwrap()
    };
    for pair in STAGES.windows(2) {
        assert!(last_of(pair[1]) < first_of(pair[0]), "{what}: not undone in reverse order: {effects:?}");
    }
}

#[tokio::test]
async fn a_journey_survives_a_crash_before_and_after_every_write_and_is_undone_once() {
    let (database, folder) = (database().await, Folder::new());
    let (killed, writes) = killed_in("journey", &database, &folder, None).await;
    assert!(killed.is_none());
    finish_and_check("that never came", &database, &folder, &[]).await;
    assert!(writes.len() >= 20, "so few writes were seen that the proxy must be out of date: {writes:?}");

    let points = (1..=writes.len()).flat_map(|nth| [(nth, Moment::Before), (nth, Moment::After)]);
    let crashes = futures_util::stream::iter(points).map(|(nth, moment)| crash_at(&writes, nth, moment));
    let caught: Vec<bool> = crashes.buffer_unordered(CRASHES_AT_ONCE).collect().await;
    let caught = caught.into_iter().filter(|caught| *caught).count();
    // How many branches share a write is a matter of chance, so that the last points may not be reached.
    assert!(caught >= writes.len(), "only {caught} of {} points were reached", 2 * writes.len());
}

async fn crash_at(writes: &[String], nth: usize, moment: Moment) -> bool {
    let what = format!("{moment:?} write {nth}").to_lowercase();
    let (database, folder) = (database().await, Folder::new());
    let trap = Trap { statements: writes.to_vec(), nth, moment, fate: Fate::Held };
    let (killed, _) = killed_in("journey", &database, &folder, Some(trap)).await;
    finish_and_check(&what, &database, &folder, killed.as_slice()).await;
    killed.is_some()
}
