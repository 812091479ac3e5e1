//! Nodes that run for each item of a list: in order, so many at once, each item once, and anew when the list changes.

use std::time::Duration;

use durable::prelude::*;
use durable::{Json, NodeState, Workflow};

use crate::support::bodies::{Gate, Tally};
use crate::support::crash::leases_run_out;
use crate::support::process::{Effects, Folder, Process};
use crate::support::{self, PATIENCE, eventually, soon};

fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

/// Reads documents, and sums up what it has read.
#[derive(Clone)]
struct Library {
    tally: Tally,
    gate: Gate,
}

impl Library {
    fn new() -> Self {
        Self { tally: Tally::default(), gate: Gate::closed() }
    }
}

#[workflow]
impl Library {
    #[input]
    fn documents(&self) -> Vec<String>;

    #[input(optional)]
    fn language(&self) -> String;

    #[step]
    async fn count(&self, documents: &[String]) -> Result<usize> {
        Ok(documents.len())
    }

    #[step(each(document in documents), concurrency = 3, retry(max_attempts = 2, base = "1ms", max = "1ms"))]
    async fn read(&self, language: Option<&str>, document: &str, count: usize) -> Result<String> {
        if self.tally.add(document) == 1 && document == "stubborn" {
            return Err(Error::new("not yet"));
        }
        if document.starts_with("gate") {
            self.gate.pass().await;
        }
        Ok(format!("{document} of {count} in {}", language.unwrap_or("latin")))
    }

    #[step(each(text in read))]
    async fn length(&self, text: String) -> Result<usize> {
        Ok(text.len())
    }

    #[output]
    #[step]
    async fn all(
        &self,
        read: &[String],
        length: Vec<usize>,
        documents: Given<&[String]>,
        when_settled: Settled<&[usize]>,
    ) -> Result<String> {
        let settled = when_settled.ready().map_or(0, <[usize]>::len);
        Ok(format!("{}; {length:?}; {}; {settled}", read.join(", "), documents.len()))
    }

    #[step(each(one in length_of_all))]
    async fn when_settled(&self, one: usize) -> Result<usize> {
        Ok(one)
    }

    #[step]
    async fn length_of_all(&self, length: Option<&[usize]>) -> Result<Vec<usize>> {
        Ok(length.unwrap_or_default().to_vec())
    }
}

fn library_inputs(documents: &[&str]) -> LibraryInputs {
    LibraryInputs { documents: Some(texts(documents)), language: None }
}

#[tokio::test]
async fn a_step_runs_for_each_item_in_order_so_many_at_once_and_its_consumers_take_the_list() {
    let database = support::database().await;
    let library = Library::new();
    let worker = database.builder().register(library.clone()).start().await.unwrap();
    let handle = worker.start::<Library>(library_inputs(&["gate 1", "gate 2", "stubborn", "gate 3", "e"])).await.unwrap();
    for waiting in [3, 0] {
        library.gate.until_inside(waiting).await;
        library.gate.let_pass(waiting);
    }
    let output = handle.result_within(PATIENCE).await.unwrap();
    let read = "gate 1 of 5 in latin, gate 2 of 5 in latin, stubborn of 5 in latin, gate 3 of 5 in latin, e of 5 in latin";
    assert_eq!(output, format!("{read}; [20, 20, 22, 20, 15]; 5; 5"));
    assert_eq!((library.tally.count("stubborn"), library.tally.count("e")), (2, 1));
    assert!(library.gate.most_inside() <= 3);
    let keys = "select key from durable.checkpoints where key like 'map read%' order by key limit 2";
    assert_eq!(database.values::<String>(keys).await, ["map read#2/0/step read", "map read#2/1/step read"]);

    let drawn = worker.graph(handle.id()).await.unwrap();
    let place = drawn.graph.nodes.iter().position(|node| node.label == "read").unwrap();
    assert_eq!((drawn.nodes[place].state, drawn.nodes[place].times), (NodeState::Done, 5));
    assert!(Library::graph().to_mermaid().contains(r#"-->|"each"|"#), "{}", Library::graph().to_mermaid());
}

#[tokio::test]
async fn a_list_that_changes_drops_the_runs_of_its_items() {
    let database = support::database().await;
    let library = Library::new();
    let worker = database.builder().register(library.clone()).start().await.unwrap();
    let handle = worker.start::<Library>(library_inputs(&["gate 1", "b", "gate 2"])).await.unwrap();
    library.gate.until_inside(2).await;
    worker.set_inputs(handle.id()).set("documents", &texts(&["b", "c"])).await.unwrap();
    let output = handle.result_within(PATIENCE).await.unwrap();
    assert!(output.starts_with("b of 2 in latin, c of 2 in latin; "), "{output}");
    assert_eq!((library.gate.inside(), library.tally.count("b"), library.tally.count("c")), (0, 2, 1));
    let cut_off = "select count(*) from durable.checkpoints where key like 'map read%' and error ->> 'kind' = 'cancelled'";
    assert_eq!(database.count(cut_off).await, 2);
}

#[tokio::test]
async fn no_items_make_an_empty_list_at_once() {
    let database = support::database().await;
    let library = Library::new();
    let worker = database.builder().register(library.clone()).start().await.unwrap();
    let handle = worker.start::<Library>(library_inputs(&[])).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "; []; 0; 0");
    assert!(library.tally.all().is_empty());
}

/// A chain of nodes that run for each item of the one before.
macro_rules! chain {
    ([$($from:ident)*] [$($to:ident)*]) => {
        #[workflow]
        impl Chain {
            #[input]
            fn m00(&self) -> Vec<u32>;

            $(
                #[step(each(item in $from))]
                async fn $to(&self, item: u32) -> Result<u32> {
                    Ok(item + 1)
                }
            )*
        }
    };
}

struct Chain;

chain! {
    [m00 m01 m02 m03 m04 m05 m06 m07 m08 m09 m10 m11 m12 m13 m14 m15 m16 m17 m18 m19 m20 m21 m22 m23 m24 m25
     m26 m27 m28 m29 m30 m31 m32 m33 m34 m35 m36 m37 m38 m39 m40 m41 m42 m43 m44 m45 m46 m47 m48 m49 m50]
    [m01 m02 m03 m04 m05 m06 m07 m08 m09 m10 m11 m12 m13 m14 m15 m16 m17 m18 m19 m20 m21 m22 m23 m24 m25 m26
     m27 m28 m29 m30 m31 m32 m33 m34 m35 m36 m37 m38 m39 m40 m41 m42 m43 m44 m45 m46 m47 m48 m49 m50 m51]
}

#[tokio::test]
async fn scenario_23_51_chained_maps_over_no_items_complete() {
    let database = support::database().await;
    let worker = database.builder().register(Chain).start().await.unwrap();
    for (given, expected) in [(vec![], r#"{"m51":[]}"#), (vec![1, 2], r#"{"m51":[52,53]}"#)] {
        let handle = worker.start::<Chain>(ChainInputs { m00: Some(given) }).await.unwrap();
        assert_eq!(handle.result_within(PATIENCE).await.unwrap().as_str(), expected);
    }
}

/// Lists that are there or not, for steps that run for each item.
struct Skipping;

#[workflow]
impl Skipping {
    #[input]
    fn go(&self) -> bool;

    #[input(optional)]
    fn extra(&self) -> Vec<u32>;

    #[step(when = |go: &bool| *go)]
    async fn list(&self) -> Result<Vec<u32>> {
        Ok(vec![1, 2])
    }

    #[step(on_failure = skip)]
    async fn broken(&self, go: bool) -> Result<Vec<u32>> {
        if go { Ok(vec![3]) } else { Err(Error::permanent("broken")) }
    }

    #[step(each(item in list))]
    async fn of_skipped(&self, item: u32) -> Result<u32> {
        Ok(10 * item)
    }

    #[step(each(item in broken))]
    async fn of_failed(&self, item: u32) -> Result<u32> {
        Ok(10 * item)
    }

    #[step(each(item in extra))]
    async fn of_optional(&self, item: u32) -> Result<u32> {
        Ok(10 * item)
    }

    #[step(each(item in list), when = |list: &[u32]| list.len() < 5)]
    async fn skipped_with_its_list(&self, item: u32) -> Result<u32> {
        Ok(10 * item)
    }
}

#[tokio::test]
async fn scenario_23_a_map_over_a_skipped_node_is_empty_unless_its_condition_needs_the_list() {
    let database = support::database().await;
    let worker = database.builder().register(Skipping).start().await.unwrap();
    for (go, expected) in [
        (false, r#"{"of_failed":[],"of_optional":[],"of_skipped":[]}"#),
        (true, r#"{"of_failed":[30],"of_optional":[],"of_skipped":[10,20],"skipped_with_its_list":[10,20]}"#),
    ] {
        let handle = worker.start::<Skipping>(SkippingInputs { go: Some(go), extra: None }).await.unwrap();
        assert_eq!(handle.result_within(PATIENCE).await.unwrap().as_str(), expected);
    }
}

/// Fails for some items.
#[derive(Clone)]
struct Failing {
    tally: Tally,
    gate: Gate,
}

#[workflow]
impl Failing {
    #[input]
    fn items(&self) -> Vec<String>;

    #[step(each(item in items), on_failure = skip, retry(max_attempts = 3, base = "1ms", max = "1ms"))]
    async fn tried(&self, item: &str) -> Result<String> {
        self.tally.add(format!("tried {item}"));
        if item == "bad" { Err(Error::new("no luck")) } else { Ok(item.to_owned()) }
    }

    #[step]
    async fn seen(&self, tried: Settled<&[String]>) -> Result<String> {
        let failure = tried.failure().map(|failure| failure.message.clone());
        Ok(failure.unwrap_or_else(|| "well".to_owned()))
    }

    #[step(each(item in items), compensate = undo, concurrency = 2)]
    async fn done(&self, item: &str, seen: &str) -> Result<String> {
        let times = self.tally.add(format!("done {item}"));
        if item == "slow" && times == 1 {
            self.gate.pass().await;
        }
        if item == "bad" && times == 1 {
            self.gate.until_inside(1).await;
            return Err(Error::permanent("bad item"));
        }
        Ok(format!("{item} {seen}"))
    }

    #[compensation]
    async fn undo(&self, done: &str) -> Result<()> {
        self.tally.add(format!("undo {done}"));
        Ok(())
    }
}

#[tokio::test]
async fn an_item_that_fails_fails_the_node_and_the_items_before_it_are_undone() {
    let database = support::database().await;
    let failing = Failing { tally: Tally::default(), gate: Gate::closed() };
    let worker = database.builder().register(failing.clone()).start().await.unwrap();
    let items = Some(texts(&["a", "slow", "bad", "never"]));
    let failed = worker.start::<Failing>(FailingInputs { items }).await.unwrap();
    let error = failed.result_within(PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("bad item"), "{error}");
    assert_eq!(failed.execution().await.unwrap().state, ExecutionState::Compensated);
    let expected = ["done a", "done bad", "done slow", "tried a", "tried bad", "tried never", "tried slow", "undo a no luck"];
    assert_eq!(failing.tally.labels(), expected);
    assert_eq!(failing.tally.count("tried bad"), 3);
    assert_eq!(failing.gate.inside(), 0, "the other item was dropped");
}

/// Fails for one item, the first time.
#[derive(Clone)]
struct Unlucky {
    tally: Tally,
    gate: Gate,
}

#[workflow]
impl Unlucky {
    #[input]
    fn items(&self) -> Vec<String>;

    #[output]
    #[step(each(item in items), concurrency = 2)]
    async fn done(&self, item: &str) -> Result<String> {
        let times = self.tally.add(item);
        if item == "slow" && times == 1 {
            self.gate.pass().await;
        }
        if item == "bad" && times == 1 {
            self.gate.until_inside(1).await;
            return Err(Error::permanent("bad item"));
        }
        Ok(item.to_owned())
    }
}

#[tokio::test]
async fn a_retry_repeats_the_item_that_failed_and_those_after_it_and_keeps_the_others() {
    let database = support::database().await;
    let unlucky = Unlucky { tally: Tally::default(), gate: Gate::closed() };
    let worker = database.builder().register(unlucky.clone()).start().await.unwrap();
    let items = texts(&["a", "slow", "bad", "never"]);
    let failed = worker.start::<Unlucky>(UnluckyInputs { items: Some(items.clone()) }).await.unwrap();
    let error = failed.result_within(PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("bad item"), "{error}");
    let retried = worker.retry(failed.id()).await.unwrap();
    let output = soon("the retry ends", worker.handle::<Unlucky>(retried).result()).await.unwrap();
    assert_eq!(output, items);
    let times: Vec<usize> = items.iter().map(|item| unlucky.tally.count(item)).collect();
    assert_eq!(times, [1, 2, 2, 1]);
}

/// Takes whatever it is given apart.
struct Anything {
    tally: Tally,
}

#[workflow]
impl Anything {
    #[input]
    fn rows(&self) -> Json;

    #[step(each(row in rows), retry(max_attempts = 5))]
    async fn use_row(&self, row: &Json) -> Result<usize> {
        self.tally.add(row.as_str());
        Ok(row.as_str().len())
    }
}

#[tokio::test]
async fn what_is_no_list_and_a_list_that_is_too_long_fail_without_a_retry() {
    let (database, tally) = (support::database().await, Tally::default());
    let worker = database.builder().register(Anything { tally: tally.clone() }).start().await.unwrap();
    let rows = |rows: serde_json::Value| AnythingInputs { rows: Some(rows.into()) };
    let not_a_list = "`each` runs a step for each item of `rows`, whose value is an object and not a list";
    let too_long = "`each` would run a step for each of the 100001 items of `rows`, over the limit of 100000: ";
    for (given, kind, problem) in [
        (serde_json::json!({"a": 1}), ErrorKind::Payload, not_a_list),
        (serde_json::json!(vec![0; 100_001]), ErrorKind::Invalid, too_long),
    ] {
        let error = worker.start::<Anything>(rows(given)).await.unwrap().result_within(PATIENCE).await.unwrap_err();
        assert!(error.kind() == kind && error.to_string().contains(problem), "{error:?}");
    }
    assert!(tally.all().is_empty());
    let steps = "select count(*) from durable.checkpoints where key like '%step use_row%'";
    assert_eq!(database.count(steps).await, 0);

    let handle = worker.start::<Anything>(rows(serde_json::json!([1, "two"]))).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap().as_str(), r#"{"use_row":[1,5]}"#);
}

/// Runs its items on the workers of another queue.
struct Sending;

#[workflow(queue = "sending")]
impl Sending {
    #[input]
    fn items(&self) -> Vec<u32>;

    #[step(each(item in items), queue = "arriving")]
    async fn double(&self, item: u32) -> Result<u32> {
        Ok(2 * item)
    }
}

#[tokio::test]
async fn items_run_in_the_queue_of_the_step() {
    let database = support::database().await;
    let worker = database.builder().register(Sending).start().await.unwrap();
    let handle = worker.start::<Sending>(SendingInputs { items: Some(vec![1, 2, 3]) }).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap().as_str(), r#"{"double":[2,4,6]}"#);
    assert_eq!(database.count("select count(*) from durable.executions where queue = 'arriving'").await, 3);
}

const ITEMS: usize = 5_000;
const KEY: &str = "counting-1";

/// Doubles numbers, and writes down which.
struct Counting {
    effects: Effects,
}

#[workflow(queue = "counting")]
impl Counting {
    #[input]
    fn numbers(&self) -> Vec<usize>;

    #[output]
    #[step(each(number in numbers), concurrency = 64)]
    async fn double(&self, number: usize) -> Result<usize> {
        self.effects.add(&number.to_string());
        Ok(2 * number)
    }
}

fn counting(url: &str, folder: &Folder) -> durable::Builder {
    let builder = Durable::builder().database_url(url).max_connections(4).poll_interval(Duration::from_millis(200));
    builder.register(Counting { effects: folder.effects() })
}

fn numbers() -> CountingInputs {
    CountingInputs { numbers: Some((0..ITEMS).collect()) }
}

/// The worker process that is killed half-way.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let durable = counting(url, folder).start().await.unwrap();
    durable.start::<Counting>(numbers()).key(KEY).await.unwrap();
    std::future::pending().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn items_survive_a_kill_half_way_and_none_that_was_recorded_runs_again() {
    let (database, folder) = (support::database().await, Folder::new());
    let mut process = Process::start("counting", &database.url, &folder);
    let recorded = "select count(*) from durable.checkpoints where key like 'map double/%'";
    let half = i64::try_from(ITEMS / 2).unwrap();
    eventually("half of them done", async || database.count(recorded).await >= half).await;
    process.kill();
    let done: Vec<String> = database.values("select key from durable.checkpoints where key like 'map double/%'").await;
    assert!(done.len() < ITEMS, "it was done before it could be killed");

    leases_run_out(&database).await;
    let worker = counting(&database.url, &folder).start().await.unwrap();
    let handle = worker.start::<Counting>(numbers()).key(KEY).await.unwrap();
    let doubled = handle.result_within(PATIENCE).await.unwrap();
    assert_eq!(doubled, (0..ITEMS).map(|number| 2 * number).collect::<Vec<_>>());
    assert_eq!(usize::try_from(database.count(recorded).await).unwrap(), ITEMS);

    let mut times = vec![0; ITEMS];
    for number in folder.effects().all() {
        times[number.parse::<usize>().unwrap()] += 1;
    }
    for key in done {
        let item: usize = key.strip_prefix("map double/").and_then(|rest| rest.split('/').next()).unwrap().parse().unwrap();
        assert_eq!(times[item], 1, "item {item} was on record");
    }
    assert!(times.iter().all(|times| (1..=2).contains(times)), "every item was done");
    worker.shutdown().await.unwrap();
}
