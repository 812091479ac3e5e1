//! Cancelling waits: one wait ends, and its workflow goes on from there.

use std::sync::Arc;

use durable::prelude::*;
use durable::{WaitOutcome, join};
use tokio::sync::Semaphore;

use crate::support::{self, Database, PATIENCE, eventually};

/// Waits for an event, and says what became of the wait.
struct Patient;

#[workflow]
impl Patient {
    async fn run(&self, cx: &Context, what: String) -> Result<String> {
        let waited = match what.as_str() {
            "event" => cx.wait_for_event::<String>("paid").await,
            "any" => cx.wait_for_any::<String>(["paid", "refused"]).await.map(|(name, _)| name),
            "topic" => cx.wait_for_topic::<String>("news").await,
            "input" => cx.wait_for_input::<String>("name").await,
            "twice" => {
                let both = join!(async { cx.wait_for_event::<String>("paid").await }, async {
                    cx.wait_for_event::<String>("paid").await
                },);
                let (first, second) = both.settled().await;
                Ok(format!("{} {}", first.is_ok(), second.is_ok()))
            }
            _ => cx.sleep(days(1)).await.map(|()| "slept".to_owned()),
        };
        Ok(match waited {
            Ok(value) => value,
            Err(error) => format!("{:?}: {error}", error.kind()),
        })
    }
}

/// Waits while a step runs.
struct Busy {
    gate: Arc<Semaphore>,
}

#[workflow]
impl Busy {
    async fn run(&self, cx: &Context, _: ()) -> Result<bool> {
        let paid = async { cx.wait_for_event::<()>("paid").await };
        let worked = async { self.work().await };
        let (paid, _) = join!(paid, worked).settled().await;
        Ok(paid.is_ok())
    }

    #[step]
    async fn work(&self) -> Result<()> {
        self.gate.acquire().await?.forget();
        Ok(())
    }
}

async fn waiting(database: &Database, open: i64) {
    eventually("it waits", async || database.count("select count(*) from durable.waits where outcome is null").await == open)
        .await;
}

#[tokio::test]
async fn a_wait_of_every_kind_ends_by_its_key_or_its_name_and_the_workflow_goes_on() {
    let database = support::database().await;
    let worker = database.builder().register(Patient).start().await.unwrap();
    let client = database.client().await;
    for (what, wait, said) in [
        ("event", "paid", "Cancelled: the wait for event `paid` was cancelled"),
        ("event", "event paid", "Cancelled: the wait for event `paid` was cancelled"),
        ("any", "refused", "Cancelled: the wait for event"),
        ("topic", "news", "Cancelled: the wait for topic `news` was cancelled"),
        ("input", "input name", "Cancelled: the wait for input `name` was cancelled"),
        ("sleep", "sleep", "Cancelled: the sleep was cancelled"),
    ] {
        let handle = worker.start::<Patient>(what.to_owned()).await.unwrap();
        waiting(&database, 1).await;
        client.cancel_wait(handle.id(), wait).await.unwrap();
        let result = handle.result_within(PATIENCE).await.unwrap();
        assert!(result.starts_with(said), "{what} {wait}: {result}");
        let wait = worker.get_execution(handle.id()).await.unwrap().waits.remove(0);
        assert_eq!((wait.outcome, wait.payload), (Some(WaitOutcome::Cancelled), None), "{what}");
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn where_several_waits_have_the_name_the_key_tells_them_apart() {
    let database = support::database().await;
    let worker = database.builder().register(Patient).start().await.unwrap();
    let handle = worker.start::<Patient>("twice".to_owned()).await.unwrap();
    waiting(&database, 2).await;
    let error = worker.cancel_wait(handle.id(), "paid").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("give the key of one: join/0/event paid, join/1/event paid"), "{error}");
    worker.cancel_wait(handle.id(), "join/1/event paid").await.unwrap();
    worker.cancel_wait(handle.id(), "join/1/event paid").await.unwrap();
    worker.send_event(handle.id(), "paid", "42").await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "true false");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_wait_that_is_not_open_is_refused_with_those_that_are() {
    let database = support::database().await;
    let worker = database.builder().register(Patient).start().await.unwrap();
    let handle = worker.start::<Patient>("event".to_owned()).await.unwrap();
    waiting(&database, 1).await;
    let error = worker.cancel_wait(handle.id(), "payed").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("has no wait `payed`; it waits for `event paid`"), "{error}");
    assert_eq!(worker.cancel_wait(handle.id(), "").await.unwrap_err().kind(), ErrorKind::Payload);
    let nobody = ExecutionId::from(uuid::Uuid::now_v7());
    assert_eq!(worker.cancel_wait(nobody, "paid").await.unwrap_err().kind(), ErrorKind::NotFound);
    worker.send_event(handle.id(), "paid", "42").await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "42");
    let error = worker.cancel_wait(handle.id(), "paid").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Finished);
    assert!(error.to_string().contains("is already completed"), "{error}");

    let client = database.client().await;
    let parked = client.start::<Patient>("event".to_owned()).delay(hours(1)).await.unwrap();
    database
        .run(&format!(
            "insert into durable.waits (execution_id, started_at, key, kind, name, outcome, resolved_at)
             values ('{}', now(), 'event paid', 'event', 'paid', 'received', now())",
            parked.id()
        ))
        .await;
    let error = client.cancel_wait(parked.id(), "paid").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("wait `paid` of execution") && error.to_string().contains("(received)"), "{error}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_wait_of_an_execution_that_runs_ends_without_polling() {
    let database = support::database().await;
    let gate = Arc::new(Semaphore::new(0));
    let worker = database
        .builder()
        .poll_interval(std::time::Duration::from_secs(3600))
        .register(Busy { gate: gate.clone() })
        .start()
        .await
        .unwrap();
    let client = database.client().await;
    let handle = worker.start::<Busy>(()).await.unwrap();
    waiting(&database, 1).await;
    client.cancel_wait(handle.id(), "paid").await.unwrap();
    gate.add_permits(1);
    assert!(!handle.result_within(PATIENCE).await.unwrap());
    worker.shutdown().await.unwrap();
}
