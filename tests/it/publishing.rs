//! Publishing: one call reaches every execution that waits on the topic with that correlation, and nobody twice under a key.

use std::sync::Arc;
use std::time::Duration;

use durable::prelude::*;
use futures_util::future::join_all;
use sqlx::{Connection, PgConnection};
use tokio::sync::Semaphore;

use crate::support::{self, Database, PATIENCE, clock, eventually, soon};

/// Waits on a topic, with a correlation or without, and then once more with a time limit.
struct Listener;

#[workflow(queue = "listeners")]
impl Listener {
    async fn run(&self, cx: &Context, correlation: Option<String>) -> Result<(u64, Option<u64>)> {
        let wait = || {
            let wait = cx.wait_for_topic("payment.settled");
            correlation.clone().map(|key| wait.correlation(key))
        };
        let first = match wait() {
            Some(wait) => wait.await?,
            None => cx.wait_for_topic("payment.settled").await?,
        };
        let second = match wait() {
            Some(wait) => wait.timeout(hours(1)).await?,
            None => cx.wait_for_topic("payment.settled").timeout(hours(1)).await?,
        };
        Ok((first, second))
    }
}

/// Waits on a topic while a step runs.
struct Busy {
    gate: Arc<Semaphore>,
}

#[workflow]
impl Busy {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        let told = async { cx.wait_for_topic::<String>("stop").await };
        let worked = async { self.work().await };
        durable::race!(told, worked).await
    }

    #[step]
    async fn work(&self) -> Result<String> {
        self.gate.acquire().await?.forget();
        Ok("done".to_owned())
    }
}

async fn listening(database: &Database, count: i64) {
    eventually("all listen", async || {
        database.count("select count(*) from durable.waits where kind = 'topic' and outcome is null").await == count
    })
    .await;
}

/// Executions that listen to `topic` without a correlation, parked by hand: nobody runs them.
async fn park_listeners(database: &Database, topic: &str, count: usize) {
    let client = database.client().await;
    client.start_many::<Listener>(vec![None; count]).await.unwrap();
    database
        .run(&format!(
            "update durable.executions set state = 'waiting', epoch = 1;
             insert into durable.waits (execution_id, started_at, key, kind, name)
             select execution_id, durable.now(), 'topic', 'topic', '{topic}' from durable.executions"
        ))
        .await;
}

#[tokio::test]
async fn a_publication_reaches_all_who_wait_with_its_correlation_and_no_others() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Listener).start().await.unwrap();
    let mut handles = Vec::new();
    for correlation in [Some("order-42"), Some("order-42"), Some("order-7"), None] {
        handles.push(worker.start::<Listener>(correlation.map(str::to_owned)).await.unwrap());
    }
    listening(&database, 4).await;

    assert_eq!(worker.publish("payment.settled", &1).correlation("order-42").await.unwrap(), 2);
    assert_eq!(worker.publish("payment.settled", &2).await.unwrap(), 1);
    assert_eq!(worker.publish("payment.settled", &3).correlation("order-7").await.unwrap(), 1);
    assert_eq!(worker.publish("payment.settled", &4).correlation("order-8").await.unwrap(), 0);
    assert_eq!(worker.publish("elsewhere", &5).await.unwrap(), 0);

    clock::advance(&database, hours(1)).await;
    let mut received = Vec::new();
    for handle in &handles {
        received.push(handle.result_within(PATIENCE).await.unwrap());
    }
    assert_eq!(received, [(1, None), (1, None), (3, None), (2, None)]);
    let waits = worker.get_execution(handles[0].id()).await.unwrap().waits;
    assert_eq!((waits[0].name.as_str(), waits[0].correlation.as_deref()), ("payment.settled", Some("order-42")));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_is_published_again_under_its_key_reaches_nobody_twice_and_nobody_who_came_later() {
    let database = support::database().await;
    // With a stopped clock a later wait has the time of an earlier one.
    clock::freeze(&database).await;
    let worker = database.builder().register(Listener).start().await.unwrap();
    let handle = worker.start::<Listener>(None).await.unwrap();
    listening(&database, 1).await;
    let publish = async |payload: u64, key: &str| worker.publish("payment.settled", &payload).key(key).await.unwrap();
    assert_eq!(publish(1, "message-1").await, 1);
    clock::quiet(&database).await;
    listening(&database, 1).await;
    assert_eq!(publish(1, "message-1").await, 0);
    clock::advance(&database, seconds(1)).await;
    let late = worker.start::<Listener>(None).await.unwrap();
    listening(&database, 2).await;
    assert_eq!(publish(1, "message-1").await, 0);
    assert_eq!(publish(2, "message-2").await, 2);
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), (1, Some(2)));
    worker.cancel(late.id(), "seen enough").await.unwrap();
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn more_listeners_than_fit_one_batch_are_all_reached_also_by_eight_publishers_at_once() {
    let database = support::database().await;
    park_listeners(&database, "news", 1203).await;
    let client = database.client().await;
    let published = join_all((0..8).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.publish("news", "extra").key("edition-1").await.unwrap() })
    }))
    .await;
    assert_eq!(published.into_iter().map(|count| count.unwrap()).sum::<u64>(), 1203, "each is reached once");
    let woken = "select count(*) from durable.executions where state = 'pending' and wake_at is null";
    assert_eq!(database.count(woken).await, 1203);
    let open = "select count(*) from durable.waits where outcome is distinct from 'received' or payload::text <> '\"extra\"'";
    assert_eq!(database.count(open).await, 0);
}

#[tokio::test]
async fn a_publication_that_was_interrupted_is_completed_under_its_key() {
    let database = support::database().await;
    park_listeners(&database, "news", 700).await;
    let first: bool = database.value(r#"select more from durable.publish('news', '"extra"', key => 'edition-1')"#).await;
    assert!(first, "200 are left");
    let client = database.client().await;
    assert_eq!(client.publish("news", "extra").key("edition-1").await.unwrap(), 200);
    assert_eq!(client.publish("news", "extra").key("edition-1").await.unwrap(), 0);
}

#[tokio::test]
async fn a_listener_whom_a_transaction_holds_back_delays_only_itself() {
    let database = support::database().await;
    park_listeners(&database, "news", 3).await;
    let client = database.client().await;
    let held: uuid::Uuid = database.value("select execution_id from durable.executions limit 1").await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    client.send_event_within(&mut transaction, held.into(), "other", &1).await.unwrap();
    let publishing = tokio::spawn({
        let client = client.clone();
        async move { client.publish("news", "extra").await.unwrap() }
    });
    let woken = "select count(*) from durable.executions where state = 'pending'";
    eventually("the others are reached", async || database.count(woken).await == 2).await;
    transaction.commit().await.unwrap();
    assert_eq!(soon("everybody is reached", publishing).await.unwrap(), 3);
    assert_eq!(database.count(woken).await, 3);
}

#[tokio::test]
async fn an_execution_that_runs_hears_a_publication_from_another_process_without_polling() {
    const HOUR: Duration = Duration::from_secs(3600);
    let database = support::database().await;
    let gate = Arc::new(Semaphore::new(0));
    let worker = database.builder().poll_interval(HOUR).register(Busy { gate }).start().await.unwrap();
    let client = database.client().await;
    let handle = worker.start::<Busy>(()).await.unwrap();
    listening(&database, 1).await;
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Running);
    assert_eq!(client.publish("stop", "closing time").await.unwrap(), 1);
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "closing time");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_publication_that_makes_no_sense_is_refused_and_leaves_no_trace() {
    let database = support::database().await;
    let client = database.client().await;
    let long = "x".repeat(1001);
    for (refused, kind, message) in [
        (client.publish("", &1), ErrorKind::Invalid, "needs a topic; give the one that workflows wait on"),
        (client.publish(long.as_str(), &1), ErrorKind::Invalid, "the topic of a publication"),
        (client.publish("news", &1).key(""), ErrorKind::Invalid, "the key of a publication to `news` has 1 to 1000 bytes"),
        (client.publish("news", &1).correlation("a\0b"), ErrorKind::Invalid, "the correlation of a publication to `news`"),
        (client.publish("news", &"x".repeat(5 << 20)), ErrorKind::Payload, "the publication to `news`"),
    ] {
        let error = refused.await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
    assert_eq!(database.count("select count(*) from durable.publications").await, 0);
}
