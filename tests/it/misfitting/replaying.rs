//! A replay and a live worker agree on what was refused, and a used answer is not asked for again.

use std::sync::Arc;

use durable::prelude::*;
use durable::schemars::{self, JsonSchema};
use durable::{Json, WaitOutcome, join, race};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;

use super::waits;
use crate::support::{self, PATIENCE, clock, eventually};

/// The first release: asks for an address, and packs the parcel if its input says so.
struct Parcel;

#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
struct Address {
    town: String,
}

#[workflow]
impl Parcel {
    async fn run(&self, cx: &Context, pack: bool) -> Result<String> {
        let Address { town } = cx.wait_for_input("address").await?;
        if pack {
            self.pack(town.clone()).await?;
        }
        cx.wait_for_event::<()>("picked_up").await?;
        Ok(town)
    }

    #[step]
    async fn pack(&self, town: String) -> Result<String> {
        Ok(town)
    }
}

/// The second release, whose address has gained a field.
struct LaterParcel;

#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
struct LaterAddress {
    town: String,
    street: String,
}

#[workflow(name = "parcel")]
impl LaterParcel {
    async fn run(&self, cx: &Context, pack: bool) -> Result<String> {
        let LaterAddress { town, street } = cx.wait_for_input("address").await?;
        if pack {
            self.pack(town.clone()).await?;
        }
        cx.wait_for_event::<()>("picked_up").await?;
        Ok(format!("{street}, {town}"))
    }

    #[step]
    async fn pack(&self, town: String) -> Result<String> {
        Ok(town)
    }
}

#[tokio::test]
async fn an_answer_to_the_question_of_an_earlier_release_puts_it_back_for_the_later_one() {
    let database = support::database().await;
    let first = database.builder().register(Parcel).start().await.unwrap();
    let id = first.start::<Parcel>(true).await.unwrap().id();
    waits(&database, 1).await;
    first.shutdown().await.unwrap();
    let client = database.client().await;
    // It fits the schema that the question was asked with.
    client.provide_input(id, "address", &json!({"town": "Oslo"})).by("ada").await.unwrap();

    let later = database.builder().register(LaterParcel).start().await.unwrap();
    eventually("the question is back", async || !later.pending_inputs().await.unwrap().is_empty()).await;
    let refusal = later.pending_inputs().await.unwrap().remove(0).refusal.unwrap();
    assert!(refusal.reason.contains("street"), "{refusal:?}");
    waits(&database, 1).await;
    later.provide_input(id, "address", &json!({"town": "Oslo", "street": "Karl Johan"})).await.unwrap();
    eventually("it is packed", async || database.count("select count(*) from durable.checkpoints").await == 1).await;
    later.send_event(id, "picked_up", &()).await.unwrap();
    assert_eq!(later.handle::<LaterParcel>(id).result_within(PATIENCE).await.unwrap(), "Karl Johan, Oslo");
    later.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_answer_that_was_used_is_not_asked_for_again_when_a_later_release_cannot_read_it() {
    let database = support::database().await;
    let first = database.builder().register(Parcel).start().await.unwrap();
    let id = first.start::<Parcel>(true).await.unwrap().id();
    waits(&database, 1).await;
    first.provide_input(id, "address", &json!({"town": "Oslo"})).await.unwrap();
    eventually("it waits for the event", async || {
        database.count("select count(*) from durable.waits where kind = 'event'").await == 1
    })
    .await;
    waits(&database, 1).await;
    first.shutdown().await.unwrap();

    let later = database.builder().register(LaterParcel).start().await.unwrap();
    later.send_event(id, "picked_up", &()).await.unwrap();
    eventually("it is stopped", async || later.get_execution(id).await.unwrap().execution.error.is_some()).await;
    let error = later.get_execution(id).await.unwrap().execution.error.unwrap();
    assert_eq!(error.kind, ErrorKind::Diverged, "{error}");
    assert!(error.message.contains("`input address`") && error.message.contains("street"), "{error}");
    assert!(later.pending_inputs().await.unwrap().is_empty());
    later.shutdown().await.unwrap();
    // A release that can read it goes on.
    let first = database.builder().register(Parcel).start().await.unwrap();
    first.resume(id).await.unwrap();
    assert_eq!(first.handle::<Parcel>(id).result_within(PATIENCE).await.unwrap(), "Oslo");
    first.shutdown().await.unwrap();
}

/// Counts while a step runs beside it.
struct Beside {
    gate: Arc<Semaphore>,
}

#[workflow]
impl Beside {
    async fn run(&self, cx: &Context, _: ()) -> Result<(u32, String)> {
        let count = async { cx.wait_for_event::<u32>("count").await };
        let work = async { self.work().await };
        join!(count, work).await
    }

    #[step]
    async fn work(&self) -> Result<String> {
        self.gate.acquire().await?.forget();
        Ok("worked".to_owned())
    }
}

#[tokio::test]
async fn a_message_is_refused_also_while_another_branch_runs() {
    let database = support::database().await;
    let gate = Arc::new(Semaphore::new(0));
    let worker = database.builder().register(Beside { gate: gate.clone() }).start().await.unwrap();
    let handle = worker.start::<Beside>(()).await.unwrap();
    eventually("it waits", async || database.count("select count(*) from durable.waits").await == 1).await;
    for misfit in ["one", "two"] {
        worker.send_event(handle.id(), "count", misfit).await.unwrap();
        eventually("it is refused, and the wait is open", async || {
            let sql = format!("select count(*) from durable.refusals, durable.waits where outcome is null and refusals.payload::text = '\"{misfit}\"'");
            database.count(&sql).await == 1
        })
        .await;
    }
    assert_eq!(worker.get_execution(handle.id()).await.unwrap().execution.state, durable::ExecutionState::Running);
    worker.send_event(handle.id(), "count", &3).await.unwrap();
    gate.add_permits(1);
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), (3, "worked".to_owned()));
    let refusals = worker.get_execution(handle.id()).await.unwrap().refusals;
    assert_eq!(
        refusals.iter().map(|refusal| refusal.payload.as_ref().map(Json::as_str)).collect::<Vec<_>>(),
        [Some("\"one\""), Some("\"two\"")]
    );
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn of_several_early_messages_the_first_that_can_be_read_is_taken() {
    let database = support::database().await;
    let client = database.client().await;
    let id = client.start::<super::Hears>("event".to_owned()).await.unwrap().id();
    for payload in [json!("one"), json!(-2), json!(3), json!(4)] {
        client.send_event(id, "value", &payload).await.unwrap();
    }
    let worker = database.builder().register(super::Hears).start().await.unwrap();
    assert_eq!(worker.handle::<super::Hears>(id).result_within(PATIENCE).await.unwrap(), "3");
    let details = worker.get_execution(id).await.unwrap();
    let refused: Vec<_> = details.refusals.iter().filter_map(|refusal| refusal.payload.as_ref().map(Json::as_str)).collect();
    assert_eq!(refused, ["\"one\"", "-2"]);
    let kept: Vec<_> = details.mailbox.iter().map(|message| message.payload.as_str()).collect();
    assert_eq!(kept, ["4"]);
    worker.shutdown().await.unwrap();
}

/// Waits for an answer, for an hour.
struct Timed;

#[workflow]
impl Timed {
    async fn run(&self, cx: &Context, _: ()) -> Result<Option<u32>> {
        cx.wait_for_input::<u32>("value").timeout(hours(1)).await
    }
}

#[tokio::test]
async fn a_question_that_is_put_back_keeps_its_key_and_its_deadline() {
    let database = support::database().await;
    let now = clock::freeze(&database).await;
    let worker = database.builder().register(Timed).start().await.unwrap();
    let handle = worker.start::<Timed>(()).await.unwrap();
    waits(&database, 1).await;
    clock::turn(&database, minutes(40)).await;
    worker.provide_input(handle.id(), "value", &1.0).await.unwrap();
    eventually("it is refused", async || database.count("select count(*) from durable.refusals").await == 1).await;
    waits(&database, 1).await;
    let wait = worker.get_execution(handle.id()).await.unwrap().waits.remove(0);
    assert_eq!((wait.key.as_str(), wait.due_at, wait.outcome), ("input value", Some(now + hours(1)), None));
    clock::advance(&database, minutes(20)).await;
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), None);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_message_that_was_refused_is_not_delivered_again_when_its_sender_repeats_it() {
    let database = support::database().await;
    let worker = database.builder().register(super::Hears).start().await.unwrap();
    let handle = worker.start::<super::Hears>("event".to_owned()).await.unwrap();
    waits(&database, 1).await;
    let send = format!(
        "select outcome from durable.send_event('{}', 'value', '\"seven\"', '67e55044-10b1-426f-9247-bb680e5fe0c8')",
        handle.id()
    );
    assert_eq!(database.value::<String>(&send).await, "delivered");
    eventually("it is refused", async || database.count("select count(*) from durable.refusals").await == 1).await;
    assert_eq!(database.value::<String>(&send).await, "repeated");
    assert_eq!(database.count("select count(*) from durable.waits where outcome is null").await, 1);
    worker.send_event(handle.id(), "value", &7).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "7");
    worker.shutdown().await.unwrap();
}

/// Waits for a number or the end, whichever comes first.
struct Races;

#[workflow]
impl Races {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        let number = async { cx.wait_for_event::<u32>("number").await.map(|number| number.to_string()) };
        let end = async { cx.wait_for_event::<String>("end").await };
        let first = race!(number, end).await?;
        cx.wait_for_event::<()>("next").await?;
        Ok(first)
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_read_decides_no_race() {
    let database = support::database().await;
    let worker = database.builder().register(Races).start().await.unwrap();
    let id = worker.start::<Races>(()).await.unwrap().id();
    waits(&database, 2).await;
    worker.shutdown().await.unwrap();
    let client = database.client().await;
    client.send_event(id, "number", "one").await.unwrap();
    client.send_event(id, "end", "over").await.unwrap();
    let worker = database.builder().register(Races).start().await.unwrap();
    eventually("the race is over", async || database.count("select count(*) from durable.waits where name = 'next'").await == 1)
        .await;
    worker.send_event(id, "next", &()).await.unwrap();
    assert_eq!(worker.handle::<Races>(id).result_within(PATIENCE).await.unwrap(), "over");
    let waits = worker.get_execution(id).await.unwrap().waits;
    let number = waits.iter().find(|wait| wait.name == "number").unwrap();
    assert_ne!(number.outcome, Some(WaitOutcome::Received), "{number:?}");
    worker.shutdown().await.unwrap();
}
