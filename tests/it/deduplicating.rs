//! Deduplication: of a workflow and a deduplication key there is one execution at a time that has not ended.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use durable::prelude::*;
use futures_util::future::join_all;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, raw_sql};

use crate::support::bodies::{Gate, Tally};
use crate::support::{self, Database, PATIENCE};

const EXECUTIONS: &str = "select count(*) from durable.executions";

/// Stands at its gate where it has one, and is undone at another where it fails.
#[derive(Default)]
struct Sync {
    tally: Tally,
    gate: Option<Gate>,
    way_back: Option<Gate>,
}

#[workflow]
impl Sync {
    async fn run(&self, _cx: &Context, label: String) -> Result<String> {
        self.fetch(&label).await?;
        if label == "fails" { Err(Error::permanent("told to fail")) } else { Ok(label) }
    }

    #[step(compensate = forget)]
    async fn fetch(&self, label: &str) -> Result<()> {
        self.tally.add(label);
        if let Some(gate) = &self.gate {
            gate.pass().await;
        }
        Ok(())
    }

    #[compensation]
    async fn forget(&self, _: ()) -> Result<()> {
        if let Some(way_back) = &self.way_back {
            way_back.pass().await;
        }
        Ok(())
    }
}

/// Ends at once, without a step.
struct Glance;

#[workflow]
impl Glance {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        Ok(())
    }
}

async fn start(client: &Durable, label: &str) -> ExecutionHandle<Sync> {
    client.start::<Sync>(label.to_owned()).deduplication_key("customer-7").await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_racing_starts_are_one_execution_until_it_ends() {
    let database = support::database().await;
    let (tally, gate) = (Tally::default(), Gate::closed());
    let sync = Sync { tally: tally.clone(), gate: Some(gate.clone()), ..Sync::default() };
    let worker = database.builder().register(sync).start().await.unwrap();
    let clients = [worker.clone(), worker.clone(), database.client().await, database.client().await];
    let race = async |round: usize| {
        let starts = (0..64).map(|caller| {
            let client = clients[caller % clients.len()].clone();
            // Another input is no conflict.
            tokio::spawn(async move { start(&client, &format!("{round}/{caller}")).await.id() })
        });
        let ids: BTreeSet<ExecutionId> = join_all(starts).await.into_iter().map(|id| id.unwrap()).collect();
        assert_eq!(ids.len(), 1, "in round {round}");
        *ids.first().unwrap()
    };
    let first = race(1).await;
    assert_eq!(database.count(EXECUTIONS).await, 1);
    gate.until_inside(1).await;
    assert_eq!(worker.get_execution(first).await.unwrap().execution.deduplication_key.as_deref(), Some("customer-7"));
    gate.let_pass(1);
    worker.handle::<Sync>(first).result_within(PATIENCE).await.unwrap();

    let second = race(2).await;
    assert_ne!(second, first, "the first has ended");
    gate.let_pass(1);
    worker.handle::<Sync>(second).result_within(PATIENCE).await.unwrap();
    assert_eq!(database.count(EXECUTIONS).await, 2);
    assert_eq!(tally.labels().len(), 2, "one input of each round");
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_starts_while_others_end_gets_one_that_had_not_ended() {
    let database = support::database().await;
    let worker = database.builder().register(Glance).start().await.unwrap();
    let clients = [worker.clone(), worker.clone(), database.client().await, database.client().await];
    let ended = Arc::new(Mutex::new(BTreeSet::new()));
    let callers = clients.into_iter().map(|client| {
        let ended = ended.clone();
        tokio::spawn(async move {
            for _ in 0..50 {
                let over = ended.lock().unwrap().clone();
                let handle = client.start::<Glance>(()).deduplication_key("one").await.unwrap();
                assert!(!over.contains(&handle.id()), "{} had ended before it was asked for", handle.id());
                handle.result_within(PATIENCE).await.unwrap();
                ended.lock().unwrap().insert(handle.id());
            }
        })
    });
    for caller in join_all(callers).await {
        caller.unwrap();
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_start_whose_way_was_blocked_by_one_that_ends_meanwhile_creates_another() {
    let database = support::database().await;
    let client = database.client().await;
    let first = start(&client, "first").await;
    // It ends between the moment at which it stands in the way and the look for who did.
    let end_it = format!(
        "create function end_it() returns trigger language plpgsql as $$
         begin
             update durable.executions
             set state = 'cancelled', finished_at = durable.now()
             where execution_id = '{}' and finished_at is null;
             return null;
         end
         $$;
         create trigger end_it after insert on durable.executions for each statement execute function end_it()",
        first.id()
    );
    database.run(&end_it).await;
    let second = start(&client, "second").await.id();
    assert_ne!(second, first.id());
    assert_eq!(database.count(EXECUTIONS).await, 2);
}

#[tokio::test]
async fn one_that_is_undone_has_not_ended_and_holds_its_key() {
    let database = support::database().await;
    let way_back = Gate::closed();
    let sync = Sync { way_back: Some(way_back.clone()), ..Sync::default() };
    let worker = database.builder().register(sync).start().await.unwrap();
    let failing = start(&worker, "fails").await;
    way_back.until_inside(1).await;
    assert_eq!(worker.get_execution(failing.id()).await.unwrap().execution.state, ExecutionState::Compensating);
    assert_eq!(start(&worker, "other").await.id(), failing.id());
    way_back.let_pass(1);
    assert!(failing.result_within(PATIENCE).await.is_err());
    let next = start(&worker, "other").await;
    assert_ne!(next.id(), failing.id());
    assert_eq!(next.result_within(PATIENCE).await.unwrap(), "other");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_retry_and_a_fork_take_the_key_up_again_or_are_refused_it() {
    let database = support::database().await;
    let client = database.client().await;
    let cancelled = start(&client, "first").await;
    client.cancel(cancelled.id(), "over").await.unwrap();
    let retried = client.retry(cancelled.id()).await.unwrap();
    assert_eq!(start(&client, "other").await.id(), retried, "the retry has the key");
    client.cancel(retried, "over").await.unwrap();

    let other = start(&client, "other").await;
    let error = client.retry(retried).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let message = error.to_string();
    assert!(message.contains(&other.id().to_string()) && message.contains("the deduplication key `customer-7`"), "{message}");
    assert_eq!(database.count(EXECUTIONS).await, 3, "nothing was begun");
    client.cancel(other.id(), "over").await.unwrap();
    assert_eq!(start(&client, "more").await.id(), {
        let open = "select execution_id from durable.executions where finished_at is null";
        database.value::<uuid::Uuid>(open).await.into()
    });
}

#[tokio::test]
async fn keys_belong_to_a_workflow_and_stand_beside_the_key_that_is_unique_for_ever() {
    let database = support::database().await;
    let client = database.client().await;
    let sync = start(&client, "a").await;
    let other = client.start::<Glance>(()).deduplication_key("customer-7").await.unwrap();
    assert_ne!(other.id(), sync.id());

    let begin = |label: &str, key: &str| client.start::<Sync>(label.to_owned()).key(key).deduplication_key("customer-7");
    assert_eq!(begin("b", "request-1").await.unwrap().id(), sync.id(), "one is under way");
    client.cancel(sync.id(), "over").await.unwrap();
    let keyed = begin("b", "request-1").await.unwrap();
    assert_ne!(keyed.id(), sync.id());
    client.cancel(keyed.id(), "over").await.unwrap();
    assert_eq!(begin("b", "request-1").await.unwrap().id(), keyed.id(), "the request was served");
    assert_eq!(begin("c", "request-1").await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn many_starts_by_name_by_sql_and_in_a_transaction_keep_to_it() {
    let database = support::database().await;
    let client = database.client().await;
    let labels = ["a", "b", "a", "c"].map(str::to_owned);
    let many = client.start_many::<Sync>(labels.clone()).deduplication_keys(String::clone).await.unwrap();
    assert_eq!(many[0].id(), many[2].id(), "the first of the same key");
    assert_eq!(database.count(EXECUTIONS).await, 3);
    let again = client.start_many::<Sync>(labels).deduplication_keys(String::clone).await.unwrap();
    assert!(many.iter().zip(&again).all(|(one, other)| one.id() == other.id()));
    let by_name = client.start_by_name("sync", &Value::Null).deduplication_key("a").await.unwrap();
    assert_eq!(by_name, many[0].id());
    let by_sql = "select durable.start('sync', '\"b\"', deduplication_key => 'b')";
    assert_eq!(ExecutionId::from(database.value::<uuid::Uuid>(by_sql).await), many[1].id());

    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let within = async |transaction: &mut PgConnection| {
        client.start::<Sync>("d".to_owned()).deduplication_key("d").within(transaction).await.unwrap().id()
    };
    let inside = within(&mut transaction).await;
    assert_eq!(within(&mut transaction).await, inside);
    transaction.rollback().await.unwrap();
    assert_eq!(database.count(EXECUTIONS).await, 3, "nothing is left of it");
    assert_ne!(within(&mut connection).await, inside);
}

#[tokio::test]
async fn a_key_that_cannot_be_kept_is_refused() {
    let database = support::database().await;
    let client = database.client().await;
    for key in [String::new(), "k".repeat(1001), "a\0b".to_owned()] {
        let error = client.start::<Sync>("a".to_owned()).deduplication_key(key).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("the deduplication key of an execution has 1 to 1000 bytes"), "{error}");
    }
    let refusal = refused_by_sql(&database, "select durable.start('sync', deduplication_key => '')").await;
    assert!(refusal.contains("the deduplication key of an execution has 0 bytes"), "{refusal}");
    assert_eq!(database.count(EXECUTIONS).await, 0);
}

async fn refused_by_sql(database: &Database, sql: &str) -> String {
    database.pool().execute(raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap_err().to_string()
}
