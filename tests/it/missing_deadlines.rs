//! Missing deadlines: the database's time decides whether an answer came in time, also while no worker looks.

use durable::prelude::*;

use crate::support::{self, Database, PATIENCE, clock, eventually};

/// Waits for one hour, and says what became of it.
struct Patient;

#[workflow]
impl Patient {
    async fn run(&self, cx: &Context, what: String) -> Result<String> {
        let answer = match what.as_str() {
            "input" => cx.wait_for_input::<String>("answer").timeout(hours(1)).await?,
            "topic" => cx.wait_for_topic::<String>("answer").timeout(hours(1)).await?,
            _ => cx.wait_for_event::<String>("answer").timeout(hours(1)).await?,
        };
        let next = match what.as_str() {
            "event" => cx.wait_for_event::<String>("answer").await?,
            _ => String::new(),
        };
        Ok(format!("{answer:?} {next}"))
    }
}

/// Has an hour for everything.
struct Hasty;

#[workflow(timeout = "1h")]
impl Hasty {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        cx.wait_for_input("answer").await
    }
}

async fn waits(database: &Database) {
    eventually("it waits", async || database.count("select count(*) from durable.executions where state = 'waiting'").await == 1)
        .await;
}

/// An execution that waits while no worker lives.
async fn alone(database: &Database, what: &str) -> ExecutionId {
    clock::freeze(database).await;
    let worker = database.builder().register(Patient).start().await.unwrap();
    let id = worker.start::<Patient>(what.to_owned()).await.unwrap().id();
    waits(database).await;
    worker.shutdown().await.unwrap();
    id
}

async fn result(database: &Database, id: ExecutionId) -> String {
    let worker = database.builder().register(Patient).start().await.unwrap();
    let result = worker.handle::<Patient>(id).result_within(PATIENCE).await.unwrap();
    worker.shutdown().await.unwrap();
    result
}

#[tokio::test]
async fn an_answer_after_the_deadline_is_a_conflict_though_no_worker_has_looked() {
    let database = support::database().await;
    let id = alone(&database, "input").await;
    clock::turn(&database, hours(9)).await;
    let client = database.client().await;
    let error = client.provide_input(id, "answer", "late").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("the deadline of input `answer`"), "{error}");
    assert!(client.pending_inputs().await.unwrap().is_empty(), "what nobody can answer any more is not listed");
    assert_eq!(result(&database, id).await, "None ");
}

#[tokio::test]
async fn an_answer_after_the_deadline_of_a_paused_execution_is_a_conflict() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Patient).start().await.unwrap();
    let handle = worker.start::<Patient>("input".to_owned()).await.unwrap();
    waits(&database).await;
    worker.pause(handle.id()).await.unwrap();
    clock::turn(&database, hours(9)).await;
    let error = worker.provide_input(handle.id(), "answer", "late").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    worker.resume(handle.id()).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "None ");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_event_after_the_deadline_is_kept_for_the_next_wait_as_if_a_worker_had_looked() {
    let database = support::database().await;
    let id = alone(&database, "event").await;
    clock::turn(&database, hours(9)).await;
    let client = database.client().await;
    client.send_event(id, "answer", "late").await.unwrap();
    let outcome: String = database.value("select outcome from durable.waits").await;
    assert_eq!(outcome, "timed_out");
    assert_eq!(result(&database, id).await, "None late");
}

#[tokio::test]
async fn a_publication_after_the_deadline_reaches_nobody() {
    let database = support::database().await;
    let id = alone(&database, "topic").await;
    clock::turn(&database, hours(9)).await;
    let client = database.client().await;
    assert_eq!(client.publish("answer", "late").await.unwrap(), 0);
    assert_eq!(result(&database, id).await, "None ");
}

#[tokio::test]
async fn a_wait_whose_deadline_has_passed_is_not_cancelled_any_more() {
    let database = support::database().await;
    let id = alone(&database, "event").await;
    clock::turn(&database, hours(9)).await;
    let client = database.client().await;
    let error = client.cancel_wait(id, "answer").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    client.send_event(id, "answer", "next").await.unwrap();
    assert_eq!(result(&database, id).await, "None next");
}

#[tokio::test]
async fn an_execution_whose_own_time_is_over_takes_no_message() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Hasty).start().await.unwrap();
    let id = worker.start::<Hasty>(()).await.unwrap().id();
    waits(&database).await;
    worker.shutdown().await.unwrap();
    clock::turn(&database, hours(9)).await;
    let client = database.client().await;
    for error in
        [client.provide_input(id, "answer", "late").await.unwrap_err(), client.send_event(id, "x", &1).await.unwrap_err()]
    {
        assert_eq!(error.kind(), ErrorKind::Finished, "{error}");
        assert!(error.to_string().contains("came too late"), "{error}");
    }
    let worker = database.builder().register(Hasty).start().await.unwrap();
    let error = worker.handle::<Hasty>(id).result_within(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    worker.shutdown().await.unwrap();
}
