//! A retry asks a question again: its old answer, or its timeout, and what came of it are not taken over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use durable::prelude::*;
use durable::{Approval, race};

use crate::support::{self, Database, PATIENCE, clock, eventually};

#[derive(Clone, Default)]
struct Calls {
    quotes: Arc<AtomicUsize>,
    packed: Arc<AtomicUsize>,
}

/// Quotes a price, asks for an address while it packs, waits for the payment, and ships.
struct Order {
    calls: Calls,
}

#[workflow]
impl Order {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        self.quote().await?;
        let ask = async { cx.wait_for_text("address").assignee("sales").timeout(hours(1)).await };
        let (address, ()) = durable::join!(ask, async { self.pack().await }).await?;
        let Some(address) = address else {
            self.ship("the shop".to_owned()).await?;
            return Ok("to the shop".to_owned());
        };
        let paid: u64 = cx.wait_for_event("paid").await?;
        let tips: Vec<u64> = cx.close_events("tip").await?;
        self.ship(address.clone()).await?;
        Ok(format!("to {address} for {paid} and {tips:?}"))
    }

    #[step]
    async fn quote(&self) -> Result<()> {
        self.calls.quotes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    #[step]
    async fn pack(&self) -> Result<()> {
        self.calls.packed.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    #[step(retry(max_attempts = 1))]
    async fn ship(&self, address: String) -> Result<()> {
        if address == "Berlin" { Ok(()) } else { Err(Error::new(format!("nothing goes to {address}"))) }
    }
}

/// Asks for a while by a race of its own, and needs the answer.
struct Raced;

#[workflow]
impl Raced {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        let ask = async { cx.wait_for_text("name").await.map(Some) };
        let answer = race!(ask, async { cx.sleep(hours(1)).await.map(|()| None) }).await?;
        self.greet(answer).await
    }

    #[step(retry(max_attempts = 1))]
    async fn greet(&self, name: Option<String>) -> Result<String> {
        name.map(|name| format!("hello {name}")).ok_or_else(|| Error::new("there is nobody to greet"))
    }
}

/// Fails at once if nobody answers.
struct Strict;

#[workflow]
impl Strict {
    async fn run(&self, cx: &Context, _: ()) -> Result<bool> {
        let first = cx.wait_for_approval("approval").timeout(hours(1)).or_fail().await?;
        let second = cx.wait_for_approval("approval").timeout(hours(1)).or_fail().await?;
        Ok(first.approved && second.approved)
    }
}

async fn until_asked(durable: &Durable, id: ExecutionId) -> durable::PendingInput {
    let asked = async || {
        let pending = durable.pending_inputs().await.unwrap();
        pending.iter().find(|question| question.execution_id == id).cloned()
    };
    eventually("it asks", async || asked().await.is_some()).await;
    asked().await.unwrap()
}

async fn order(database: &Database, calls: &Calls) -> Durable {
    let builder = database.builder().cached_executions(0).register(Order { calls: calls.clone() });
    builder.register(Raced).register(Strict).start().await.unwrap()
}

#[tokio::test]
async fn an_answer_that_led_to_a_failure_is_given_anew_and_no_event_is_lost() {
    let (database, calls) = (support::database().await, Calls::default());
    let worker = order(&database, &calls).await;
    let handle = worker.start::<Order>(()).await.unwrap();
    worker.send_event(handle.id(), "paid", &42).await.unwrap();
    worker.send_event(handle.id(), "tip", &1).await.unwrap();
    worker.send_event(handle.id(), "tip", &2).await.unwrap();
    until_asked(&worker, handle.id()).await;
    worker.provide_input(handle.id(), "address", "Atlantis").await.unwrap();
    handle.result_within(PATIENCE).await.unwrap_err();

    let same = worker.retry(handle.id()).await.unwrap();
    let failed = worker.handle::<Order>(same).result_within(PATIENCE).await.unwrap_err();
    assert!(failed.to_string().contains("nothing goes to Atlantis"), "{failed}");

    let again = worker.retry(same).ask_again("address").await.unwrap();
    let question = until_asked(&worker, again).await;
    assert_eq!((question.key.as_str(), question.assignee.as_deref()), ("join/0/input address", Some("sales")));
    worker.provide_input(again, "address", "Berlin").await.unwrap();
    let result = worker.handle::<Order>(again).result_within(PATIENCE).await.unwrap();
    assert_eq!(result, "to Berlin for 42 and [1, 2]");
    let counts = (calls.quotes.load(Ordering::SeqCst), calls.packed.load(Ordering::SeqCst));
    assert_eq!(counts, (1, 1), "what came before the question, and beside it, is kept");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_timeout_that_the_workflow_went_on_from_is_asked_again_only_if_it_is_said() {
    let (database, calls) = (support::database().await, Calls::default());
    clock::freeze(&database).await;
    let worker = order(&database, &calls).await;
    let handle = worker.start::<Order>(()).await.unwrap();
    until_asked(&worker, handle.id()).await;
    worker.update_input(handle.id(), "address").assignee("ada").await.unwrap();
    clock::advance(&database, hours(1)).await;
    handle.result_within(PATIENCE).await.unwrap_err();

    let same = worker.retry(handle.id()).await.unwrap();
    let failed = worker.handle::<Order>(same).result_within(PATIENCE).await.unwrap_err();
    assert!(failed.to_string().contains("nothing goes to the shop"), "{failed}");

    let again = worker.retry(same).ask_again("join/0/input address").await.unwrap();
    let question = until_asked(&worker, again).await;
    let due_at: chrono::DateTime<chrono::Utc> = database.value("select durable.now() + interval '1 hour'").await;
    assert_eq!((question.assignee.as_deref(), question.due_at), (Some("sales"), Some(due_at)), "as the code says");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_question_that_lost_a_race_is_asked_again_and_the_race_is_run_again() {
    let (database, calls) = (support::database().await, Calls::default());
    clock::freeze(&database).await;
    let worker = order(&database, &calls).await;
    let handle = worker.start::<Raced>(()).await.unwrap();
    until_asked(&worker, handle.id()).await;
    clock::advance(&database, hours(1)).await;
    handle.result_within(PATIENCE).await.unwrap_err();
    let again = worker.retry(handle.id()).ask_again("name").await.unwrap();
    until_asked(&worker, again).await;
    worker.provide_input(again, "name", "Ada").await.unwrap();
    assert_eq!(worker.handle::<Raced>(again).result_within(PATIENCE).await.unwrap(), "hello Ada");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_timeout_that_ended_the_execution_is_asked_again_by_every_retry() {
    let (database, calls) = (support::database().await, Calls::default());
    clock::freeze(&database).await;
    let worker = order(&database, &calls).await;
    let handle = worker.start::<Strict>(()).await.unwrap();
    let yes = Approval { approved: true, comment: None };
    until_asked(&worker, handle.id()).await;
    worker.provide_input(handle.id(), "approval", &yes).await.unwrap();
    eventually("it asks again", async || until_asked(&worker, handle.id()).await.key == "input approval#2").await;
    clock::advance(&database, hours(1)).await;
    assert_eq!(handle.result_within(PATIENCE).await.unwrap_err().kind(), ErrorKind::TimedOut);

    let retry = worker.retry(handle.id()).await.unwrap();
    assert_eq!(until_asked(&worker, retry).await.key, "input approval#2");
    worker.cancel(retry, "for a test").await.unwrap();
    // The first question again: the second one depends on it.
    let again = worker.retry(retry).ask_again("approval").await.unwrap();
    assert_eq!(until_asked(&worker, again).await.key, "input approval");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_asked_again_is_refused_and_nothing_is_created() {
    let (database, calls) = (support::database().await, Calls::default());
    let worker = order(&database, &calls).await;
    let handle = worker.start::<Order>(()).await.unwrap();
    let id = handle.id();
    let refused = async |retry: durable::Fork<'_>, kind: ErrorKind, says: &str| {
        let error = retry.await.unwrap_err();
        assert!(error.kind() == kind && error.to_string().contains(says), "{says}: {:?} {error}", error.kind());
    };
    until_asked(&worker, id).await;
    refused(worker.retry(id).ask_again("address"), ErrorKind::Conflict, "only what has ended can be taken over").await;
    worker.provide_input(id, "address", "Atlantis").await.unwrap();
    worker.send_event(id, "paid", &42).await.unwrap();
    handle.result_within(PATIENCE).await.unwrap_err();
    let unknown = format!("execution {id} has not asked `adress`: it has asked join/0/input address");
    refused(worker.retry(id).ask_again("adress"), ErrorKind::NotFound, &unknown).await;
    for asked in ["address", "join/0/input address"] {
        refused(worker.fork(id, "quote").ask_again(asked), ErrorKind::Invalid, "fork from `join/0/input address`").await;
    }
    let nobody = ExecutionId::from(uuid::Uuid::now_v7());
    refused(worker.retry(nobody).ask_again("address"), ErrorKind::NotFound, "there is no execution").await;
    assert_eq!(database.count("select count(*) from durable.executions").await, 1);
    worker.shutdown().await.unwrap();
}
