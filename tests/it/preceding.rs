//! Preceding: messages that are sent before anything waits for them are taken in order, and as fast as they were sent.

use durable::prelude::*;
use serde::{Deserialize, Serialize};

use crate::support::{self, Database, PATIENCE};

/// Enough to tell work that grows with the number of messages from work that grows with its square.
const MANY: i64 = 1000;

/// Each is a round trip of its own.
const HUNDREDS: i64 = 300;

/// Sends events with the numbers from 0 before any worker knows the execution; `name` is asked for each.
async fn send(database: &Database, id: ExecutionId, events: i64, name: &str) {
    let sql = format!(
        "select durable.send_event('{id}', {name}, to_json(nth)) from generate_series(0, {}) as nth order by nth",
        events - 1
    );
    database.run(&sql).await;
}

/// Waits for so many events of one name, one after the other.
struct OneByOne;

#[workflow]
impl OneByOne {
    async fn run(&self, cx: &Context, events: i64) -> Result<Vec<i64>> {
        let mut taken = Vec::new();
        for _ in 0..events {
            taken.push(cx.wait_for_event("item").await?);
        }
        Ok(taken)
    }
}

/// Waits for so many events of different names at once.
struct AllAtOnce;

#[workflow]
impl AllAtOnce {
    async fn run(&self, cx: &Context, events: i64) -> Result<i64> {
        let names = (0..events).map(|nth| format!("item {nth}"));
        let taken = cx.wait_for_all::<i64>(names).await?;
        Ok(taken.values().sum())
    }
}

#[tokio::test]
async fn hundreds_of_early_events_are_taken_in_order_one_by_one() {
    for cached in [100, 0] {
        let database = support::database().await;
        let client = database.client().await;
        let handle = client.start::<OneByOne>(HUNDREDS).await.unwrap();
        send(&database, handle.id(), HUNDREDS, "'item'").await;
        let worker = database.builder().cached_executions(cached).register(OneByOne).start().await.unwrap();
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), (0..HUNDREDS).collect::<Vec<_>>());
        assert_eq!(database.count("select count(*) from durable.mailbox").await, 0);
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_thousand_early_events_are_taken_at_once() {
    let database = support::database().await;
    let client = database.client().await;
    let handle = client.start::<AllAtOnce>(MANY).await.unwrap();
    send(&database, handle.id(), MANY, "'item ' || nth").await;
    let worker = database.builder().register(AllAtOnce).start().await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), (0..MANY).sum::<i64>());
    worker.shutdown().await.unwrap();
}

/// A wait of [`Mixed`]: for one name, or for any of several.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Wait {
    One(String),
    Any(Vec<String>),
}

/// Waits for all of these at once; says which number each was given.
struct Mixed;

#[workflow]
impl Mixed {
    async fn run(&self, cx: &Context, waits: Vec<Wait>) -> Result<Vec<i64>> {
        cx.map(waits)
            .concurrency(100)
            .each(|wait| async move {
                match wait {
                    Wait::One(name) => cx.wait_for_event(&name).await,
                    Wait::Any(names) => Ok(cx.wait_for_any::<i64>(names).await?.1),
                }
            })
            .await
    }
}

/// The waits that messages are given to, the oldest message first, each to the oldest open wait that it fits. Waits that begin at
/// once are as old as their keys.
fn by_the_rule(messages: &[&str], waits: &[(String, Vec<String>)]) -> Vec<(String, usize)> {
    let mut open: Vec<&(String, Vec<String>)> = waits.iter().collect();
    open.sort();
    let mut given = Vec::new();
    for (nth, message) in messages.iter().enumerate() {
        if let Some(place) = open.iter().position(|(_, names)| names.iter().any(|name| name == message)) {
            given.push((open.remove(place).0.clone(), nth));
        }
    }
    given.sort();
    given
}

#[tokio::test]
async fn the_oldest_message_takes_the_oldest_wait_that_it_fits() {
    let database = support::database().await;
    let client = database.client().await;
    let mut random = fastrand::Rng::with_seed(7);
    let mut names = || ["a", "b", "c"][random.usize(..3)];
    let mut cases = Vec::new();
    for case in 0..8 {
        let messages: Vec<&str> = (0..30).map(|_| names()).collect();
        // Half of the cases have waits for one name alone.
        let waits: Vec<Wait> = (0..12)
            .map(|nth| match nth % 3 {
                0 if case % 2 == 0 => Wait::Any(vec!["a".to_owned(), ["b", "c"][nth % 2].to_owned()]),
                _ => Wait::One(names().to_owned()),
            })
            .collect();
        let handle = client.start::<Mixed>(waits).await.unwrap();
        for (nth, name) in messages.iter().enumerate() {
            client.send_event(handle.id(), name, &nth).await.unwrap();
        }
        cases.push((handle, messages));
    }
    let worker = database.builder().register(Mixed).start().await.unwrap();
    for (handle, messages) in cases {
        let given = async || {
            let sql = format!(
                "select key || '=' || (case when names is null then payload::text else payload ->> 'payload' end)
                 from durable.waits where execution_id = '{}' and outcome = 'received' order by key",
                handle.id()
            );
            database.values::<String>(&sql).await
        };
        let waits = format!(
            "select key || '=' || coalesce(array_to_string(names, ' '), name) from durable.waits where execution_id = '{}'",
            handle.id()
        );
        support::eventually("all waits begin", async || database.values::<String>(&waits).await.len() == 12).await;
        let waits: Vec<(String, Vec<String>)> = database
            .values::<String>(&waits)
            .await
            .iter()
            .map(|wait| wait.rsplit_once('=').unwrap())
            .map(|(key, names)| (key.to_owned(), names.split(' ').map(str::to_owned).collect()))
            .collect();
        let mut expected: Vec<String> =
            by_the_rule(&messages, &waits).into_iter().map(|(key, nth)| format!("{key}={nth}")).collect();
        expected.sort();
        let mut given = given().await;
        given.sort();
        assert_eq!(given, expected, "{messages:?} for {waits:?}");
    }
    worker.shutdown().await.unwrap();
}
