//! Debouncing: starts with the same key are one execution until it begins, once it has been quiet for a while, with the last input.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use durable::prelude::*;
use durable::telemetry::TraceContext;
use durable::{Start, StartByName};
use futures_util::future::join_all;
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::support::bodies::{Gate, Tally};
use crate::support::{self, Database, PATIENCE, clock, eventually};

const EXECUTIONS: &str = "select count(*) from durable.executions";

/// Returns its label, once its gate, where it has one, is open.
#[derive(Default)]
struct Index {
    tally: Tally,
    gate: Option<Gate>,
}

#[workflow]
impl Index {
    async fn run(&self, _cx: &Context, label: String) -> Result<String> {
        self.write(label).await
    }

    #[step]
    async fn write(&self, label: String) -> Result<String> {
        self.tally.add(&label);
        if let Some(gate) = &self.gate {
            gate.pass().await;
        }
        Ok(label)
    }
}

fn start<'durable>(client: &'durable Durable, label: &str) -> Start<'durable, Index> {
    client.start::<Index>(label.to_owned()).debounce("page-12", seconds(10))
}

async fn worker(database: &Database) -> (Durable, Tally) {
    let tally = Tally::default();
    let worker = database.builder().register(Index { tally: tally.clone(), gate: None }).start().await.unwrap();
    (worker, tally)
}

#[tokio::test]
async fn it_begins_when_it_has_been_quiet_with_the_last_input_and_the_next_start_is_another() {
    let database = support::database().await;
    let began = clock::freeze(&database).await;
    let (worker, tally) = worker(&database).await;
    let first = start(&worker, "a").await.unwrap();
    for label in ["b", "c", "d"] {
        clock::advance(&database, seconds(9)).await;
        assert_eq!(start(&worker, label).await.unwrap().id(), first.id());
    }
    let execution = worker.get_execution(first.id()).await.unwrap().execution;
    assert_eq!(execution.wake_at, Some(began + seconds(37)));
    assert_eq!((execution.debounce_key.as_deref(), execution.created_at), (Some("page-12"), began));
    clock::advance(&database, seconds(9)).await;
    assert_eq!(tally.labels().len(), 0, "it has not been quiet for long enough");
    clock::advance(&database, seconds(1)).await;
    assert_eq!(first.result_within(PATIENCE).await.unwrap(), "d");
    assert_eq!(tally.labels(), ["d"]);

    let second = start(&worker, "e").await.unwrap();
    assert_ne!(second.id(), first.id());
    clock::advance(&database, seconds(10)).await;
    assert_eq!(second.result_within(PATIENCE).await.unwrap(), "e");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn it_belongs_to_the_trace_of_the_last_start() {
    let database = support::database().await;
    let client = database.client().await;
    let place = |digit: char| format!("00-{}-{}-01", digit.to_string().repeat(32), digit.to_string().repeat(16));
    for trace in [Some(place('a')), Some(place('b')), None, Some(place('c'))] {
        let start = start(&client, "a");
        match &trace {
            Some(place) => start.trace_context(TraceContext::new(place, None).unwrap()).await.unwrap(),
            None => start.await.unwrap(),
        };
        let stored: Vec<Option<String>> = database.values("select trace_context from durable.executions").await;
        assert_eq!(stored, [trace]);
    }
}

#[tokio::test]
async fn it_is_put_off_by_no_more_than_its_limit() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let (worker, tally) = worker(&database).await;
    let bounded = async |label: &str| start(&worker, label).debounce_at_most(seconds(25)).await.unwrap().id();
    let first = bounded("0").await;
    for label in ["8", "16", "24"] {
        clock::advance(&database, seconds(8)).await;
        assert_eq!(bounded(label).await, first);
        assert_eq!(tally.labels().len(), 0);
    }
    clock::advance(&database, seconds(1)).await;
    assert_eq!(worker.handle::<Index>(first).result_within(PATIENCE).await.unwrap(), "24");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_last_start_decides_about_everything_that_a_start_says() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    let first = start(&client, "a").await.unwrap();
    let by_name = client.start_by_name("index", &json!({"new": "shape"})).version(2).queue("others").priority(3);
    assert_eq!(by_name.debounce("page-12", minutes(1)).await.unwrap(), first.id());
    let execution = client.get_execution(first.id()).await.unwrap().execution;
    assert_eq!((execution.version, execution.queue.as_str(), execution.priority), (2, "others", 3));
    assert_eq!(execution.input, json!({"new": "shape"}));
    let rank = "select rank = wake_at - interval '3 min' and wake_at = durable.now() + interval '1 min' from durable.executions";
    assert!(database.value::<bool>(rank).await);
    let by_sql = "select durable.start('index', '\"b\"', debounce_key => 'page-12', debounce => '5 s', concurrency_key => 'k')";
    assert_eq!(ExecutionId::from(database.value::<uuid::Uuid>(by_sql).await), first.id());
    let execution = client.get_execution(first.id()).await.unwrap().execution;
    assert_eq!((execution.version, execution.queue.as_str(), execution.concurrency_key.as_deref()), (1, "default", Some("k")));
    assert_eq!(execution.wake_at, Some(clock::now(&database).await + seconds(5)));

    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    assert_eq!(start(&client, "c").within(&mut transaction).await.unwrap().id(), first.id());
    transaction.rollback().await.unwrap();
    assert_eq!(client.get_execution(first.id()).await.unwrap().execution.input, json!("b"), "as if it had not been");
    assert_eq!(database.count(EXECUTIONS).await, 1);
}

#[tokio::test]
async fn one_that_is_due_and_still_in_its_queue_has_not_begun() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let (worker, tally) = worker(&database).await;
    worker.queue("default").pause().await.unwrap();
    let first = start(&worker, "a").await.unwrap();
    clock::turn(&database, minutes(1)).await;
    let in_line = "select count(*) from durable.executions where state = 'pending' and wake_at is null";
    eventually("it stands in its queue", async || database.count(in_line).await == 1).await;
    assert_eq!(start(&worker, "b").await.unwrap().id(), first.id());
    worker.queue("default").resume().await.unwrap();
    clock::advance(&database, seconds(9)).await;
    assert_eq!(tally.labels().len(), 0, "it was put off again");
    clock::advance(&database, seconds(1)).await;
    assert_eq!(first.result_within(PATIENCE).await.unwrap(), "b");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_paused_one_takes_starts_and_a_cancelled_one_takes_none() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let (worker, tally) = worker(&database).await;
    let first = start(&worker, "a").await.unwrap();
    worker.pause(first.id()).await.unwrap();
    clock::turn(&database, seconds(10)).await;
    eventually("its time has come", async || database.value("select wake_at = 'infinity' from durable.executions").await).await;
    assert_eq!(start(&worker, "b").debounce_at_most(seconds(10)).await.unwrap().id(), first.id(), "put off no more");
    assert_eq!(start(&worker, "c").await.unwrap().id(), first.id());
    clock::turn(&database, seconds(20)).await;
    eventually("its time has come again", async || database.value("select wake_at = 'infinity' from durable.executions").await)
        .await;
    assert_eq!(tally.labels().len(), 0, "it is paused");
    worker.resume(first.id()).await.unwrap();
    assert_eq!(first.result_within(PATIENCE).await.unwrap(), "c");

    let called_off = start(&worker, "d").await.unwrap();
    worker.cancel(called_off.id(), "over").await.unwrap();
    let next = start(&worker, "e").await.unwrap();
    assert_ne!(next.id(), called_off.id());
    clock::advance(&database, seconds(10)).await;
    assert_eq!(next.result_within(PATIENCE).await.unwrap(), "e");
    assert_eq!(tally.labels(), ["c", "e"]);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn one_that_runs_is_left_alone_and_another_waits_beside_it() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let (tally, gate) = (Tally::default(), Gate::closed());
    let index = Index { tally: tally.clone(), gate: Some(gate.clone()) };
    let worker = database.builder().register(index).start().await.unwrap();
    let first = start(&worker, "a").await.unwrap();
    clock::turn(&database, seconds(10)).await;
    gate.until_inside(1).await;
    let second = start(&worker, "b").await.unwrap();
    assert_ne!(second.id(), first.id());
    assert_eq!(start(&worker, "c").await.unwrap().id(), second.id());
    clock::turn(&database, seconds(10)).await;
    gate.until_inside(2).await;
    gate.let_pass(2);
    assert_eq!(first.result_within(PATIENCE).await.unwrap(), "a");
    assert_eq!(second.result_within(PATIENCE).await.unwrap(), "c");
    worker.shutdown().await.unwrap();
}

/// Callers start under one key, each one label after another, while the executions begin: what a caller last gave to an execution,
/// before it or another caller gave it something else, is what that execution runs with, and it runs once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_starts_that_race_with_the_beginning_no_input_is_lost() {
    let database = support::database().await;
    let tally = Tally::default();
    let index = Index { tally: tally.clone(), gate: None };
    // It looks at its timers all the time, so that executions begin while they are started.
    let worker = database.builder().poll_interval(Duration::from_millis(5)).register(index).start().await.unwrap();
    let given: Arc<Mutex<BTreeMap<ExecutionId, BTreeMap<usize, String>>>> = Arc::default();
    let clients = [worker.clone(), worker.clone(), database.client().await, database.client().await];
    let callers = clients.into_iter().enumerate().map(|(caller, client)| {
        let (given, tally) = (given.clone(), tally.clone());
        tokio::spawn(async move {
            for nth in 0.. {
                if tally.labels().len() >= 30 {
                    break;
                }
                let label = format!("{caller}/{nth}");
                let start = client.start::<Index>(label.clone()).debounce("page-12", Duration::from_millis(1));
                let id = start.debounce_at_most(Duration::from_millis(1 + nth % 7)).await.unwrap().id();
                // A later label of the same caller takes the place of an earlier one.
                given.lock().unwrap().entry(id).or_default().insert(caller, label);
            }
        })
    });
    for caller in join_all(callers).await {
        caller.unwrap();
    }
    let given = given.lock().unwrap().clone();
    for (id, last_labels) in &given {
        let ran = worker.handle::<Index>(*id).result_within(PATIENCE).await.unwrap();
        assert!(last_labels.values().any(|label| *label == ran), "{id} ran with {ran}, and was given {last_labels:?} last");
        assert_eq!(worker.get_execution(*id).await.unwrap().execution.input, json!(ran), "nothing changed once it had begun");
        assert_eq!(tally.count(&ran), 1);
    }
    assert_eq!(database.count(EXECUTIONS).await, i64::try_from(given.len()).unwrap());
    assert_eq!(tally.labels().len(), given.len());
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_debounced_start_that_makes_no_sense_is_refused() {
    let database = support::database().await;
    let client = database.client().await;
    let plain = || client.start::<Index>("a".to_owned());
    let refused: [(Start<'_, Index>, &str); 8] = [
        (plain().debounce("", seconds(1)), "the debounce key of an execution has 1 to 1000 bytes"),
        (plain().debounce("k", seconds(0)), "a period of zero"),
        (plain().debounce("k", seconds(2)).debounce_at_most(seconds(1)), "is put off by 2s, but by no more than 1s in all"),
        (plain().debounce_at_most(seconds(1)), "call `.debounce(key, period)`"),
        (start(&client, "a").key("k"), "has a key, too"),
        (start(&client, "a").deduplication_key("k"), "has a deduplication key, too"),
        (start(&client, "a").at(clock::now(&database).await), "has a time, too"),
        (start(&client, "a").delay(seconds(1)), "has a delay, too"),
    ];
    for (start, message) in refused {
        let error = start.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(message), "{error}");
    }
    let by_name: StartByName<'_> = client.start_by_name("index", "a").debounce("k", seconds(2)).debounce_at_most(seconds(1));
    assert_eq!(by_name.await.unwrap_err().kind(), ErrorKind::Invalid);
    for options in [
        "debounce_key => 'k'",
        "debounce => '1 s'",
        "debounce_key => 'k', debounce => '0'",
        "debounce_key => '', debounce => '1 s'",
        "debounce_key => 'k', debounce => '2 s', debounce_at_most => '1 s'",
        "debounce_at_most => '1 s'",
        "debounce_key => 'k', debounce => '1 s', key => 'k'",
        "debounce_key => 'k', debounce => '1 s', delay => '1 s'",
    ] {
        let start = format!("select durable.start('index', {options})");
        let error = sqlx::query(sqlx::AssertSqlSafe(start)).execute(database.pool()).await.unwrap_err();
        assert_eq!(error.as_database_error().and_then(|error| error.code()).as_deref(), Some("UD422"), "{options}: {error}");
    }
    assert_eq!(database.count(EXECUTIONS).await, 0);
}
