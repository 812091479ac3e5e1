//! Mapping: the same work for each of many items, so many at a time, in order, each once, whatever happens in between.

use std::time::Duration;

use durable::prelude::*;

use crate::support::bodies::{Gate, Tally};
use crate::support::crash::leases_run_out;
use crate::support::process::{Effects, Folder, Process};
use crate::support::{self, Database, PATIENCE, clock, eventually};

const ITEMS: usize = 10_000;

/// Doubles numbers, and writes down which.
struct Doubling {
    effects: Effects,
}

#[workflow(queue = "doubling")]
impl Doubling {
    async fn run(&self, cx: &Context, items: usize) -> Result<Vec<usize>> {
        cx.map(0..items).concurrency(64).each(|item| self.double(item)).await
    }

    #[step]
    async fn double(&self, item: usize) -> Result<usize> {
        self.effects.add(&item.to_string());
        Ok(2 * item)
    }
}

const KEY: &str = "doubling-1";

fn doubling(url: &str, folder: &Folder) -> durable::Builder {
    let builder = Durable::builder().database_url(url).max_connections(4).poll_interval(Duration::from_millis(200));
    builder.register(Doubling { effects: folder.effects() })
}

/// The worker process that is killed half-way.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let durable = doubling(url, folder).start().await.unwrap();
    durable.start::<Doubling>(ITEMS).key(KEY).await.unwrap();
    std::future::pending().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_items_survive_a_kill_half_way_in_order_and_none_that_was_done_is_done_again() {
    let (database, folder) = (support::database().await, Folder::new());
    let mut process = Process::start("doubling", &database.url, &folder);
    let recorded = "select count(*) from durable.checkpoints";
    let half = i64::try_from(ITEMS / 2).unwrap();
    eventually("half of them done", async || database.count(recorded).await >= half).await;
    process.kill();
    let done: Vec<String> = database.values("select key from durable.checkpoints").await;
    assert!(done.len() < ITEMS, "it was done before it could be killed");

    leases_run_out(&database).await;
    let worker = doubling(&database.url, &folder).start().await.unwrap();
    let handle = worker.start::<Doubling>(ITEMS).key(KEY).await.unwrap();
    let doubled = handle.result_within(PATIENCE).await.unwrap();
    assert_eq!(doubled, (0..ITEMS).map(|item| 2 * item).collect::<Vec<_>>());
    assert_eq!(usize::try_from(database.count(recorded).await).unwrap(), ITEMS);

    let mut times = vec![0; ITEMS];
    for item in folder.effects().all() {
        times[item.parse::<usize>().unwrap()] += 1;
    }
    for key in done {
        let item: usize = key.strip_prefix("map/").and_then(|rest| rest.split('/').next()).unwrap().parse().unwrap();
        assert_eq!(times[item], 1, "item {item} was on record");
    }
    assert!(times.iter().all(|times| (1..=2).contains(times)), "every item was done");
    worker.shutdown().await.unwrap();
}

/// Works on a few items in the way it is told.
#[derive(Clone)]
struct Items {
    tally: Tally,
    gate: Gate,
}

impl Items {
    fn new() -> Self {
        Self { tally: Tally::default(), gate: Gate::closed() }
    }

    async fn worker(&self, database: &Database, cached: usize) -> Durable {
        database.builder().cached_executions(cached).register(self.clone()).start().await.unwrap()
    }
}

#[workflow]
impl Items {
    async fn run(&self, cx: &Context, (how, items): (String, u32)) -> Result<Vec<String>> {
        let all = 0..items;
        match how.as_str() {
            "plain" => cx.map(all).each(|item| self.note(item)).await,
            "no concurrency" => cx.map(all).concurrency(0).each(|item| self.note(item)).await,
            "long name" => cx.map(all).name("n".repeat(201)).each(|item| self.note(item)).await,
            "named" => cx.map(all).name("a/b#2").each(|item| self.note(item)).await,
            "gate" => cx.map(all).concurrency(5).each(|item| self.stand(item)).await,
            "stubborn" => cx.map(all).concurrency(4).each(|item| self.try_thrice(item)).await,
            "fail fast" => {
                let failed = cx.map(all).concurrency(4).each(|item| self.fail_at_two(item)).await;
                cx.sleep(minutes(1)).await?;
                failed
            }
            "settled" => {
                let settled = cx.map(all).concurrency(2).each(|item| self.fail_odd(item)).settled().await?;
                cx.sleep(minutes(1)).await?;
                let text = |result: Result<String>| result.unwrap_or_else(|error| format!("error: {error}"));
                Ok(settled.into_iter().map(text).collect())
            }
            "sleep" => {
                let nap = async |item: u32| {
                    cx.sleep(hours(1) + seconds(item.into())).await?;
                    self.note(item).await
                };
                cx.map(all).concurrency(items as usize).each(nap).await
            }
            _ => {
                let ask = async |item: u32| {
                    let answer: String = cx.wait_for_event(&format!("item {item}")).await?;
                    self.note(item).await.map(|item| format!("{item}: {answer}"))
                };
                cx.map(all).concurrency(3).each(ask).await
            }
        }
    }

    #[step]
    async fn note(&self, item: u32) -> Result<String> {
        self.tally.add(item.to_string());
        Ok(item.to_string())
    }

    #[step]
    async fn stand(&self, item: u32) -> Result<String> {
        self.tally.add(item.to_string());
        self.gate.pass().await;
        Ok(item.to_string())
    }

    #[step(retry(max_attempts = 3, backoff = constant, base = "1h", max = "1h", jitter = 0.0))]
    async fn try_thrice(&self, item: u32) -> Result<String> {
        self.tally.add(item.to_string());
        if item == 42 && durable::step().attempt() < 3 {
            return Err(Error::new("not yet"));
        }
        Ok(item.to_string())
    }

    #[step]
    async fn fail_at_two(&self, item: u32) -> Result<String> {
        self.tally.add(item.to_string());
        if item == 2 {
            // When the other three of the first four stand at the gate.
            self.gate.until_inside(3).await;
            return Err(Error::permanent("two is one too many"));
        }
        self.gate.pass().await;
        Ok(item.to_string())
    }

    #[step]
    async fn fail_odd(&self, item: u32) -> Result<String> {
        self.tally.add(item.to_string());
        if item % 2 == 1 { Err(Error::new(format!("{item} is odd"))) } else { Ok(item.to_string()) }
    }
}

fn start<'worker>(worker: &'worker Durable, how: &str, items: u32) -> durable::Start<'worker, Items> {
    worker.start::<Items>((how.to_owned(), items))
}

fn in_order(items: u32) -> Vec<String> {
    (0..items).map(|item| item.to_string()).collect()
}

#[tokio::test]
async fn nothing_is_done_at_once_for_no_items_and_nothing_at_all_where_it_could_never_end() {
    let database = support::database().await;
    let items = Items::new();
    let worker = items.worker(&database, 100).await;
    let nothing = start(&worker, "plain", 0).await.unwrap();
    assert!(nothing.result_within(PATIENCE).await.unwrap().is_empty());

    for (how, problem) in [
        ("no concurrency", "a map with concurrency(0) would never end: give 1 or more"),
        ("long name", "the name of a map has 201 bytes, over the limit of 200"),
    ] {
        let error = start(&worker, how, 10).await.unwrap().result_within(PATIENCE).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Invalid, problem));
    }
    assert!(items.tally.all().is_empty());
    assert_eq!(database.count("select count(*) from durable.checkpoints").await, 0);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn no_more_items_run_at_once_than_was_said_whichever_worker_runs_them() {
    let database = support::database().await;
    let items = Items::new();
    let nodes = [items.worker(&database, 100).await, items.worker(&database, 100).await];
    let handle = start(&nodes[0], "gate", 23).await.unwrap();
    for left in [5, 5, 5, 5, 3] {
        items.gate.until_inside(left).await;
        items.gate.let_pass(left);
    }
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), in_order(23));
    assert_eq!(items.gate.most_inside(), 5);
    for node in nodes {
        node.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn an_item_that_fails_retries_alone() {
    for cached in [0, 100] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let items = Items::new();
        let worker = items.worker(&database, cached).await;
        let handle = start(&worker, "stubborn", 100).await.unwrap();
        clock::advance(&database, hours(2)).await;
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), in_order(100));
        for (item, times) in items.tally.all() {
            assert_eq!(times, if item == "42" { 3 } else { 1 }, "item {item}");
        }
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn the_first_item_that_fails_stops_the_others_and_a_replay_fails_the_same() {
    for cached in [0, 100] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let items = Items::new();
        let worker = items.worker(&database, cached).await;
        let handle = start(&worker, "fail fast", 100).await.unwrap();
        clock::quiet(&database).await;
        assert_eq!(items.gate.inside(), 0, "the other bodies were dropped");
        clock::advance(&database, minutes(1)).await;
        let error = handle.result_within(PATIENCE).await.unwrap_err();
        assert_eq!(error.to_string(), "two is one too many");
        assert_eq!(items.tally.all(), (0..4).map(|item| (item.to_string(), 1)).collect(), "no item began after that");
        let details = worker.get_execution(handle.id()).await.unwrap();
        let cut_off = details.steps.iter().filter(|step| step.error.as_ref().is_some_and(|e| e.kind == ErrorKind::Cancelled));
        assert_eq!(cut_off.count(), 3);
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_settled_map_gives_each_result() {
    for cached in [0, 100] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let items = Items::new();
        let worker = items.worker(&database, cached).await;
        let handle = start(&worker, "settled", 5).await.unwrap();
        clock::advance(&database, minutes(1)).await;
        let settled = handle.result_within(PATIENCE).await.unwrap();
        assert_eq!(settled, ["0", "error: 1 is odd", "2", "error: 3 is odd", "4"]);
        assert!(items.tally.all().values().all(|times| *times == 1));
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_thousand_items_sleep_at_once_and_hold_no_slot() {
    for cached in [0, 100] {
        let database = support::database().await;
        clock::freeze(&database).await;
        let items = Items::new();
        let worker = items.worker(&database, cached).await;
        let handle = start(&worker, "sleep", 1000).await.unwrap();
        clock::quiet(&database).await;
        assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Waiting);
        assert_eq!(database.count("select count(*) from durable.waits where outcome is null").await, 1000);
        // Some alone, then all the others together.
        clock::advance(&database, hours(1) + seconds(3)).await;
        assert_eq!(items.tally.all().len(), 4);
        clock::turn(&database, hours(1)).await;
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), in_order(1000));
        assert!(items.tally.all().values().all(|times| *times == 1));
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn items_wait_for_events_of_their_own_so_many_at_a_time() {
    for cached in [0, 100] {
        let database = support::database().await;
        let items = Items::new();
        let worker = items.worker(&database, cached).await;
        let handle = start(&worker, "ask", 6).await.unwrap();
        let open = "select count(*) from durable.waits where outcome is null";
        eventually("three of them wait", async || database.count(open).await == 3).await;
        // The last first: those that have not begun find their event in the mailbox.
        for item in (0..6).rev() {
            worker.send_event(handle.id(), &format!("item {item}"), &format!("answer {item}")).await.unwrap();
        }
        let answers: Vec<String> = (0..6).map(|item| format!("{item}: answer {item}")).collect();
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), answers);
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn the_name_of_a_map_is_part_of_its_keys() {
    let database = support::database().await;
    let items = Items::new();
    let worker = items.worker(&database, 100).await;
    let handle = start(&worker, "named", 2).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), in_order(2));
    let keys: Vec<String> = database.values("select key from durable.checkpoints order by key").await;
    assert_eq!(keys, ["map a%2Fb%232/0/step note", "map a%2Fb%232/1/step note"]);
    worker.shutdown().await.unwrap();
}
