//! Deciding: branches and loops are Rust; a crash at any place resumes there, and never takes another way.

use std::collections::BTreeSet;
use std::time::Duration;

use durable::prelude::*;
use futures_util::StreamExt;

use crate::support::bodies::Tally;
use crate::support::crash::{self, AtKill, CRASHES_AT_ONCE, killed_in};
use crate::support::process::{Effects, Folder};
use crate::support::proxy::{Fate, Moment, Trap};
use crate::support::{self, Database, PATIENCE, clock, eventually};

/// A maze in which every choice falls differently when it is made again.
pub(crate) struct Maze {
    effects: Effects,
}

/// How often a room is searched at most.
const ROUNDS: u32 = 2;

impl Maze {
    async fn climb(&self, cx: &Context, door: &str) -> Result<Vec<String>> {
        match self.choose(&format!("{door} stairs")).await? % 2 {
            1 => {
                let [left, right] = ["left", "right"].map(|side| format!("{door} up {side}"));
                let (left, right) = durable::join!(self.search(cx, &left), self.search(cx, &right)).await?;
                Ok(vec![left, right])
            }
            _ => {
                let cellar = self.enter(&format!("{door} down")).await?;
                cx.sleep(Duration::from_millis(1)).await?;
                Ok(vec![cellar.clone(), self.search(cx, &cellar).await?])
            }
        }
    }

    async fn search(&self, cx: &Context, room: &str) -> Result<String> {
        for round in 1..=ROUNDS {
            let corner = self.enter(&format!("{room} corner {round}")).await?;
            if self.choose(&corner).await? % 2 == 0 {
                return self.enter(&format!("{corner} chest")).await;
            }
            if round == 1 {
                cx.sleep(Duration::from_millis(1)).await?;
            }
        }
        Ok(format!("{room} in vain"))
    }
}

#[workflow(queue = "mazes")]
impl Maze {
    async fn run(&self, cx: &Context, _: ()) -> Result<Vec<String>> {
        if self.choose("door").await? % 2 == 1 {
            self.enter("wooden").await?;
            self.climb(cx, "wooden").await
        } else {
            self.enter("iron").await?;
            self.climb(cx, "iron").await
        }
    }

    /// How often it was chosen there.
    #[step]
    async fn choose(&self, place: &str) -> Result<usize> {
        let choice = format!("chose {place}");
        self.effects.add(&choice);
        Ok(self.effects.count(&choice))
    }

    #[step]
    async fn enter(&self, room: &str) -> Result<String> {
        self.effects.add(&format!("entered {room}"));
        Ok(room.to_owned())
    }
}

const KEY: &str = "maze-1";

fn builder(url: &str, folder: &Folder) -> durable::Builder {
    let builder = Durable::builder().database_url(url).max_connections(4).poll_interval(Duration::from_millis(200));
    builder.register(Maze { effects: folder.effects() })
}

/// The worker process that is killed: it starts the maze itself, and works on it.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let durable = builder(url, folder).start().await.unwrap();
    durable.start::<Maze>(()).key(KEY).await.unwrap();
    std::future::pending().await
}

/// Another worker finds the way out; every room that was ever entered lies on that way.
async fn finish_and_check(what: &str, database: &Database, folder: &Folder, kills: &[AtKill]) {
    crash::finish::<Maze>(what, database, builder(&database.url, folder), ((), KEY)).await.unwrap();

    let entered = |effect: &str| effect.strip_prefix("entered ").map(str::to_owned);
    let effects = folder.effects();
    let seen: BTreeSet<String> = effects.all().iter().filter_map(|effect| entered(effect)).collect();
    let keys: Vec<String> =
        database.values("select key from durable.checkpoints where key like '%step enter%' order by output::text").await;
    let rooms: Vec<String> = database
        .values("select output #>> '{}' from durable.checkpoints where key like '%step enter%' order by output::text")
        .await;
    assert_eq!(seen, rooms.iter().cloned().collect(), "{what}: a room off the way was entered");
    for (room, key) in rooms.iter().zip(&keys) {
        crash::assert_done_once(what, &effects, (&format!("entered {room}"), key), kills);
    }
}

#[tokio::test]
async fn a_maze_is_left_the_way_it_was_entered_whenever_its_worker_is_killed() {
    let (database, folder) = (support::database().await, Folder::new());
    let (killed, writes) = killed_in("maze", &database, &folder, None).await;
    assert!(killed.is_none());
    finish_and_check("that never came", &database, &folder, &[]).await;
    assert!(writes.len() >= 10, "so few writes were seen that the proxy must be out of date: {writes:?}");

    let points = (1..=writes.len()).flat_map(|nth| [(nth, Moment::Before), (nth, Moment::After)]);
    let crashes = futures_util::stream::iter(points).map(|(nth, moment)| crash_at(&writes, nth, moment));
    let caught: Vec<bool> = crashes.buffer_unordered(CRASHES_AT_ONCE).collect().await;
    let caught = caught.into_iter().filter(|caught| *caught).count();
    // How many branches share a write is a matter of chance, so that the last points may not be reached.
    assert!(caught >= writes.len(), "only {caught} of {} points were reached", 2 * writes.len());
}

async fn crash_at(writes: &[String], nth: usize, moment: Moment) -> bool {
    let what = format!("{moment:?} write {nth}").to_lowercase();
    let (database, folder) = (support::database().await, Folder::new());
    let trap = Trap { statements: writes.to_vec(), nth, moment, fate: Fate::Held };
    let (killed, _) = killed_in("maze", &database, &folder, Some(trap)).await;
    finish_and_check(&what, &database, &folder, killed.as_slice()).await;
    killed.is_some()
}

/// Looks every hour whether a parcel has come, so many times at most; each look may fail once.
#[derive(Clone)]
struct Parcel {
    tally: Tally,
    comes_at: Option<u32>,
}

#[workflow]
impl Parcel {
    async fn run(&self, cx: &Context, cap: u32) -> Result<String> {
        for round in 1..=cap {
            if self.look(round).await? {
                return self.fetch().await;
            }
            cx.sleep(hours(1)).await?;
        }
        self.complain(cap).await
    }

    #[step(retry(max_attempts = 2, backoff = constant, base = "10m", max = "10m", jitter = 0.0))]
    async fn look(&self, round: u32) -> Result<bool> {
        self.tally.add(format!("look {round}"));
        if durable::step().attempt() == 1 {
            return Err(Error::new("the letter box is jammed"));
        }
        Ok(self.comes_at == Some(round))
    }

    #[step]
    async fn fetch(&self) -> Result<String> {
        self.tally.add("fetch");
        Ok("it came".to_owned())
    }

    #[step]
    async fn complain(&self, rounds: u32) -> Result<String> {
        self.tally.add("complain");
        Ok(format!("nothing after {rounds} rounds"))
    }
}

#[tokio::test]
async fn a_loop_ends_at_its_condition_or_its_cap_and_each_round_has_a_retry_budget_of_its_own() {
    for (comes_at, result, looks) in [(Some(3), "it came", 3), (None, "nothing after 5 rounds", 5)] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let workflow = Parcel { tally: Tally::default(), comes_at };
        let worker = database.builder().cached_executions(0).register(workflow.clone()).start().await.unwrap();
        let handle = worker.start::<Parcel>(5).await.unwrap();
        clock::advance(&database, days(1)).await;
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), result);
        let mut expected: Vec<(String, usize)> = (1..=looks).map(|round| (format!("look {round}"), 2)).collect();
        expected.push(((if comes_at.is_some() { "fetch" } else { "complain" }).to_owned(), 1));
        assert_eq!(workflow.tally.all(), expected.into_iter().collect());
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_loop_goes_on_at_the_round_in_which_its_worker_ended() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let workflow = Parcel { tally: Tally::default(), comes_at: Some(4) };
    let builder = || database.builder().register(workflow.clone());
    let worker = builder().start().await.unwrap();
    let handle = worker.start::<Parcel>(5).await.unwrap();
    clock::advance(&database, hours(2) + minutes(25)).await;
    eventually("the third round has failed once", async || workflow.tally.count("look 3") == 1).await;
    worker.shutdown().await.unwrap();
    let before = workflow.tally.all();

    let worker = builder().start().await.unwrap();
    clock::advance(&database, days(1)).await;
    let result = worker.handle::<Parcel>(handle.id()).result_within(PATIENCE).await.unwrap();
    assert_eq!(result, "it came");
    let after = workflow.tally.all();
    for round in 1..=2 {
        let look = format!("look {round}");
        assert_eq!((before[&look], after[&look]), (2, 2), "round {round} was over");
    }
    assert_eq!((before["look 3"], after["look 3"], after["look 4"], after["fetch"]), (1, 2, 2, 1));
    worker.shutdown().await.unwrap();
}
