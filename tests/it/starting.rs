//! Starting: each key once, each refusal at the call, nothing half-written.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use durable::prelude::*;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::Connection;

use crate::support::{self, Database, PATIENCE, clock, eventually};

const EXECUTIONS: &str = "select count(*) from durable.executions";

/// Counts its calls, and takes any input.
struct Ship {
    calls: Arc<AtomicUsize>,
}

#[workflow]
impl Ship {
    async fn run(&self, _cx: &Context, what: Value) -> Result<Value> {
        self.load(what).await
    }

    #[step]
    async fn load(&self, what: Value) -> Result<Value> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Ok(what)
    }
}

#[derive(Serialize, Deserialize)]
struct Parcel {
    grams: f64,
    labels: Vec<String>,
}

struct Weigh;

#[workflow]
impl Weigh {
    async fn run(&self, _cx: &Context, parcel: Parcel) -> Result<f64> {
        Ok(parcel.grams)
    }
}

/// Its output is what cannot be read back.
struct Careless;

#[workflow]
impl Careless {
    async fn run(&self, _cx: &Context, how: String) -> Result<Parcel> {
        match self.pack(how).await {
            Ok(parcel) => Ok(parcel),
            Err(error) => Err(error),
        }
    }

    #[step]
    async fn pack(&self, how: String) -> Result<Parcel> {
        Ok(match how.as_str() {
            "nan" => Parcel { grams: f64::NAN, labels: Vec::new() },
            "nul" => Parcel { grams: 1.0, labels: vec!["fine".to_owned(), "a\0b".to_owned()] },
            _ => Parcel { grams: 1.0, labels: vec!["x".repeat(durable::PAYLOAD_LIMIT)] },
        })
    }
}

fn nested(levels: usize) -> Value {
    (1..levels).fold(json!([]), |inner, _| json!([inner]))
}

async fn worker(database: &Database) -> (Durable, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    (database.builder().register(Ship { calls: calls.clone() }).register(Careless).start().await.unwrap(), calls)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_racing_starts_of_one_key_are_one_execution() {
    let database = support::database().await;
    let (worker, calls) = worker(&database).await;
    let clients = [worker.clone(), worker.clone(), database.client().await, database.client().await];
    let ids = join_all((0..64).map(|caller| {
        let client = clients[caller % clients.len()].clone();
        tokio::spawn(async move {
            let handle = client.start::<Ship>(json!({"to": "Oslo", "pieces": 2})).key("order-42").await.unwrap();
            assert_eq!(handle.result_within(PATIENCE).await.unwrap()["pieces"], 2);
            handle.id()
        })
    }))
    .await;
    let ids: BTreeSet<ExecutionId> = ids.into_iter().map(|id| id.unwrap()).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(database.count(EXECUTIONS).await, 1);
    assert_eq!(calls.load(Ordering::SeqCst), 1);

    // The same input in another order of fields is the same; another value is not.
    let same = worker.start::<Ship>(json!({"pieces": 2, "to": "Oslo"})).key("order-42").await.unwrap();
    assert!(ids.contains(&same.id()));
    let error = worker.start::<Ship>(json!({"pieces": 3, "to": "Oslo"})).key("order-42").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains(&same.id().to_string()) && error.to_string().contains("another input"), "{error}");
    // A key belongs to a workflow.
    let other = worker.start::<Careless>("nan".to_owned()).key("order-42").await.unwrap();
    assert_ne!(other.id(), same.id());
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn many_starts_are_one_statement_and_each_key_counts() {
    let database = support::database().await;
    let client = database.client().await;
    let by_key = |what: &Value| format!("order-{what}");
    let first = client.start_many::<Ship>((0..300).map(Value::from)).keys(by_key).await.unwrap();
    let transactions = database.count("select count(distinct xmin::text) from durable.executions").await;
    assert_eq!(transactions, 1, "all or none");
    let again = client.start_many::<Ship>((100..400).map(Value::from)).keys(by_key).priority(3).await.unwrap();
    assert_eq!(database.count(EXECUTIONS).await, 400);
    let id = |handle: &ExecutionHandle<Ship>| handle.id();
    assert_eq!(first[100..].iter().map(id).collect::<Vec<_>>(), again[..200].iter().map(id).collect::<Vec<_>>());
    assert!(client.start_many::<Ship>([]).await.unwrap().is_empty());

    let (worker, calls) = worker(&database).await;
    for (number, handle) in first.iter().chain(&again[200..]).enumerate() {
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), number);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 400);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn one_conflict_among_many_starts_starts_none_of_them() {
    let database = support::database().await;
    let (worker, calls) = worker(&database).await;
    let taken = worker.start::<Ship>(json!(1)).key("odd").await.unwrap();
    taken.result_within(PATIENCE).await.unwrap();
    let clients = [worker.clone(), database.client().await];
    for client in &clients {
        // Keys "odd" (taken, with another input) and "even".
        let key = |what: &Value| if what == 3 { "odd".to_owned() } else { format!("even-{what}") };
        let error = client.start_many::<Ship>([2, 3, 4].map(Value::from)).keys(key).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().contains(&taken.id().to_string()), "{error}");
    }
    assert_eq!(database.count(EXECUTIONS).await, 1);
    // Concurrent callers share a statement: the mistake of one is not another's.
    let key = |what: &Value| if what == 7 { "odd".to_owned() } else { format!("fine-{what}") };
    let (refused, accepted) = tokio::join!(async { worker.start_many::<Ship>([6, 7].map(Value::from)).keys(key).await }, async {
        worker.start_many::<Ship>([8, 9].map(Value::from)).keys(key).await
    },);
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict);
    for handle in accepted.unwrap() {
        handle.result_within(PATIENCE).await.unwrap();
    }
    assert_eq!(database.count(EXECUTIONS).await, 3);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_start_counts_if_and_when_its_transaction_commits() {
    let database = support::database().await;
    let (worker, calls) = worker(&database).await;
    database.run("create table orders (id int primary key)").await;
    let mut connection = database.pool().acquire().await.unwrap();

    let mut transaction = connection.begin().await.unwrap();
    sqlx::query("insert into orders values (1)").execute(&mut *transaction).await.unwrap();
    let rolled_back = worker.start::<Ship>(json!(1)).key("order-1").within(&mut transaction).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(database.count(EXECUTIONS).await, 0);
    assert_eq!(worker.get_execution(rolled_back.id()).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(rolled_back.result_within(PATIENCE).await.unwrap_err().kind(), ErrorKind::NotFound);

    let mut transaction = connection.begin().await.unwrap();
    sqlx::query("insert into orders values (1)").execute(&mut *transaction).await.unwrap();
    let committed = worker.start::<Ship>(json!(1)).key("order-1").within(&mut transaction).await.unwrap();
    assert_eq!(database.count(EXECUTIONS).await, 0, "nobody sees it yet");
    transaction.commit().await.unwrap();
    worker.notify_queue("default");
    assert_eq!(committed.result_within(PATIENCE).await.unwrap(), 1);

    let mut transaction = connection.begin().await.unwrap();
    let error = worker.start::<Ship>(json!(2)).key("order-1").within(&mut transaction).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    transaction.rollback().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let same = worker.start::<Ship>(json!(1)).key("order-1").within(&mut transaction).await.unwrap();
    assert_eq!(same.id(), committed.id());
    transaction.commit().await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_input_that_could_not_be_read_back_is_refused_at_the_call() {
    let database = support::database().await;
    let client = database.client().await;
    for (what, input, problem) in [
        ("too large", json!("x".repeat(durable::PAYLOAD_LIMIT)), "over the limit of 4194304"),
        ("a NUL", json!({"name": ["a\0b"]}), "\\u0000"),
        ("a NUL in a name", json!({"a\0b": 1}), "\\u0000"),
        ("too deep", nested(127), "levels"),
    ] {
        let error = client.start::<Ship>(input.clone()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Payload, "{what}: {error}");
        assert!(error.to_string().contains("the input of workflow `ship`"), "{what}: {error}");
        assert!(error.to_string().contains(problem), "{what}: {error}");
        let error = client.start_many::<Ship>([json!(1), input]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Payload, "{what}: {error}");
    }
    for number in [f64::NAN, f64::INFINITY] {
        let error = client.start::<Weigh>(Parcel { grams: number, labels: Vec::new() }).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Payload);
        assert!(error.to_string().contains("grams"), "{error}");
    }
    assert_eq!(database.count(EXECUTIONS).await, 0, "nothing is half-written");
    // Right at the limits it works.
    client.start::<Ship>(nested(126)).await.unwrap();
    client.start::<Ship>(json!("x".repeat(durable::PAYLOAD_LIMIT - 2))).await.unwrap();
    client.start::<Ship>(json!("\\u0000 as six characters, and \u{10ffff}")).await.unwrap();
    assert_eq!(database.count(EXECUTIONS).await, 3);
}

#[tokio::test]
async fn an_output_that_could_not_be_read_back_fails_the_step_that_made_it() {
    let database = support::database().await;
    let (worker, _) = worker(&database).await;
    for (how, problem) in [("nan", "grams is NaN"), ("nul", "labels[1]"), ("large", "over the limit")] {
        let handle = worker.start::<Careless>(how.to_owned()).await.unwrap();
        let Err(error) = handle.result_within(PATIENCE).await else { panic!("{how} came through") };
        assert_eq!(error.kind(), ErrorKind::Payload, "{error}");
        assert!(error.to_string().contains("the output of step `pack`") && error.to_string().contains(problem), "{error}");
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_input_that_does_not_decode_fails_the_execution_and_names_the_field() {
    let database = support::database().await;
    let worker = database.builder().register(Weigh).start().await.unwrap();
    let id: uuid::Uuid = database.value(r#"select durable.start('weigh', '{"grams": "heavy", "labels": []}')"#).await;
    let error = worker.handle::<Weigh>(id.into()).result_within(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Payload);
    assert!(error.to_string().contains("the input of workflow `weigh` does not decode: field `grams`"), "{error}");
    assert!(error.to_string().contains("f64"), "{error}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn starting_an_unregistered_workflow_says_what_is_registered_and_what_to_do() {
    let database = support::database().await;
    let (worker, _) = worker(&database).await;
    let error = worker.start::<Weigh>(Parcel { grams: 1.0, labels: Vec::new() }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(text.contains("workflow `weigh` version 1 is not registered here"), "{text}");
    assert!(text.contains("registered: careless version 1, ship version 1"), "{text}");
    assert!(text.contains("register it on the builder"), "{text}");
    assert_eq!(database.count(EXECUTIONS).await, 0);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused() {
    let database = support::database().await;
    let client = database.client().await;
    let start = || client.start::<Ship>(json!(1));
    for refused in
        [start().key("").await, start().key("x".repeat(1001)).await, start().key("a\0b").await, start().queue("").await]
    {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
    }
    assert_eq!(database.count(EXECUTIONS).await, 0);
    start().key("x".repeat(1000)).await.unwrap();

    let builder = || database.builder();
    let twice = builder().register(Weigh).register(Weigh);
    let ship = || Ship { calls: Arc::default() };
    for (problem, refused) in [
        ("registered twice", twice.start().await),
        ("concurrency of 0", builder().register(ship()).queue("default", 0).start().await),
        ("a queue needs a name", builder().register(ship()).queue("", 1).start().await),
        ("no workflow is registered", builder().queue("default", 1).start().await),
        ("too short", builder().lease(std::time::Duration::from_millis(499)).start().await),
        ("poll interval of zero", builder().poll_interval(std::time::Duration::ZERO).start().await),
        ("a pool of 0 connections", builder().max_connections(0).start().await),
        ("max_claims of 0", builder().max_claims(0).start().await),
        ("no database is given", Durable::builder().start().await),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[tokio::test]
async fn a_handle_made_of_an_id_alone_says_the_same_after_every_process_has_gone() {
    let database = support::database().await;
    let (before, _) = worker(&database).await;
    let id = before.start::<Ship>(json!("kept")).await.unwrap().id();
    let failed = before.start::<Careless>("nan".to_owned()).await.unwrap().id();
    eventually("both have ended", async || {
        database.count("select count(*) from durable.executions where finished_at is not null").await == 2
    })
    .await;
    let told = before.get_execution(id).await.unwrap();
    before.shutdown().await.unwrap();
    let after = database.client().await;
    assert_eq!(after.handle::<Ship>(id).result_within(PATIENCE).await.unwrap(), "kept");
    let Err(error) = after.handle::<Careless>(failed).result_within(PATIENCE).await else { panic!("it had failed") };
    assert_eq!(error.kind(), ErrorKind::Payload);
    let tells = after.get_execution(id).await.unwrap();
    assert_eq!(serde_json::to_value(told).unwrap(), serde_json::to_value(tells).unwrap());
}

#[tokio::test]
async fn a_result_asked_for_with_a_limit_leaves_the_execution_alone() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let (worker, _) = worker(&database).await;
    let handle = worker.start::<Ship>(json!(1)).delay(hours(1)).await.unwrap();
    let error = handle.result_within(std::time::Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    clock::advance(&database, hours(1)).await;
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), 1);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn many_callers_that_wait_for_many_results_get_their_own() {
    let database = support::database().await;
    let (worker, _) = worker(&database).await;
    let elsewhere = database.client().await;
    let handles = elsewhere.start_many::<Ship>((0..100).map(Value::from)).await.unwrap();
    let results = join_all(handles.iter().map(|handle| handle.result_within(PATIENCE))).await;
    let results: HashMap<usize, Value> = results.into_iter().map(|result| result.unwrap()).enumerate().collect();
    assert!(results.iter().all(|(number, result)| *result == *number), "{results:?}");
    worker.shutdown().await.unwrap();
}
