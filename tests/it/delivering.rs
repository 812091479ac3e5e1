//! Delivering: a message ends the oldest wait that it fits, wherever that wait is at the time.

use std::sync::Arc;
use std::time::Duration;

use durable::prelude::*;
use serde_json::json;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::support::{self, PATIENCE, eventually};

/// Waits for any of two events, for each of them, and for two events after one another.
struct Votes;

#[workflow]
impl Votes {
    async fn run(&self, cx: &Context, _: ()) -> Result<Vec<String>> {
        let any = async {
            let (name, vote): (String, String) = cx.wait_for_any(["ada", "grace"]).await?;
            Ok::<_, Error>(format!("any {name} {vote}"))
        };
        let ada = async {
            let vote: String = cx.wait_for_event("ada").await?;
            Ok::<_, Error>(format!("ada {vote}"))
        };
        let (any, ada) = durable::try_join!(any, ada).await?;
        Ok(vec![any, ada])
    }
}

/// Waits for an event beside a step that takes as long as it takes.
struct Interrupted {
    gate: Arc<Semaphore>,
}

#[workflow]
impl Interrupted {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        let told = async { cx.wait_for_event::<String>("stop").await };
        let worked = async { self.work().await };
        durable::race!(told, worked).await
    }

    #[step]
    async fn work(&self) -> Result<String> {
        self.gate.acquire().await?.forget();
        Ok("done".to_owned())
    }
}

#[tokio::test]
async fn a_wait_for_any_of_several_takes_one_message_with_its_name_and_leaves_the_next_to_others() {
    let database = support::database().await;
    let worker = database.builder().register(Votes).start().await.unwrap();
    for names in [["ada", "ada"], ["grace", "ada"]] {
        let handle = worker.start::<Votes>(()).await.unwrap();
        eventually("both wait", async || database.count("select count(*) from durable.waits where outcome is null").await == 2)
            .await;
        for (number, name) in names.iter().enumerate() {
            worker.send_event(handle.id(), name, &format!("{number}")).await.unwrap();
        }
        let result = handle.result_within(PATIENCE).await.unwrap();
        match names {
            ["grace", _] => assert_eq!(result, ["any grace 0", "ada 1"]),
            // Both fit the first message: it goes to one of them, and the second message to the other.
            _ => assert!(result == ["any ada 0", "ada 1"] || result == ["any ada 1", "ada 0"], "{result:?}"),
        }
        let waits = worker.get_execution(handle.id()).await.unwrap().waits;
        let any = waits.iter().find(|wait| !wait.names.is_empty()).unwrap();
        assert_eq!((any.name.as_str(), &any.names[..]), ("", &["ada".to_owned(), "grace".to_owned()][..]));
        assert_eq!(any.payload.as_ref().unwrap().decode::<serde_json::Value>().unwrap()["name"], json!(names[0]));
    }
    assert_eq!(database.count("select count(*) from durable.mailbox").await, 0);
    assert_eq!(database.count("select count(*) from durable.waits where arrival is null").await, 0, "a place to go back to");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_execution_that_runs_hears_an_event_from_another_process_without_polling() {
    let database = support::database().await;
    let gate = Arc::new(Semaphore::new(0));
    let hour = Duration::from_secs(3600);
    let worker = database.builder().poll_interval(hour).register(Interrupted { gate }).start().await.unwrap();
    let client = database.client().await;
    let handle = worker.start::<Interrupted>(()).await.unwrap();
    eventually("it waits", async || database.count("select count(*) from durable.waits").await == 1).await;
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Running);
    client.send_event(handle.id(), "stop", "fire drill").await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "fire drill");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_execution_that_runs_hears_an_event_from_psql_at_the_next_poll() {
    let database = support::database().await;
    let gate = Arc::new(Semaphore::new(0));
    let worker = database.builder().register(Interrupted { gate }).start().await.unwrap();
    let handle = worker.start::<Interrupted>(()).await.unwrap();
    eventually("it waits", async || database.count("select count(*) from durable.waits").await == 1).await;
    database.run(&format!(r#"select durable.send_event('{}', 'stop', '"fire drill"')"#, handle.id())).await;
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "fire drill");
    worker.shutdown().await.unwrap();
}

/// What a sender in a serializable transaction leaves behind: a message in the mailbox, and an open wait that it fits.
#[tokio::test]
async fn a_message_that_missed_its_wait_is_delivered_late_and_keeps_its_place_and_its_sender() {
    let database = support::database().await;
    let client = database.client().await;
    let id = Uuid::from(client.start::<Votes>(()).await.unwrap().id());
    database
        .run(&format!(
            r#"update durable.executions set state = 'waiting', queue = 'nobody', epoch = 1;
               insert into durable.waits (execution_id, started_at, key, kind, name, names) values
                   ('{id}', now(), 'event any of', 'event', '', array['ada', 'grace']),
                   ('{id}', now(), 'input approval', 'input', 'approval', null);
               insert into durable.mailbox (execution_id, message_id, sent_at, kind, name, payload, sent_by) values
                   ('{id}', gen_random_uuid(), now(), 'event', 'grace', '"yes"', null),
                   ('{id}', gen_random_uuid(), now(), 'input', 'approval', 'true', 'linus')"#
        ))
        .await;
    let places: Vec<i64> = database.values("select arrival from durable.mailbox order by arrival").await;
    let worker = database.builder().register(Interrupted { gate: Arc::new(Semaphore::new(0)) }).start().await.unwrap();
    eventually("both are delivered", async || database.count("select count(*) from durable.mailbox").await == 0).await;
    let waits = worker.get_execution(id.into()).await.unwrap().waits;
    let (any, approval) = (&waits[0], &waits[1]);
    assert_eq!(*any.payload.as_ref().unwrap(), json!({"name": "grace", "payload": "yes"}));
    assert_eq!((approval.payload.as_ref(), approval.answered_by.as_deref()), (Some(&json!(true).into()), Some("linus")));
    let kept: Vec<i64> = database.values("select arrival from durable.waits order by arrival").await;
    assert_eq!(kept, places);
    assert_eq!(client.get_execution(id.into()).await.unwrap().execution.state, ExecutionState::Pending);
    worker.shutdown().await.unwrap();
}
