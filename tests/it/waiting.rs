//! Waiting: for a time or an event, holding nothing; no event is lost, none is taken twice, one outcome wins.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use durable::prelude::*;
use durable::{Wait, WaitOutcome};
use futures_util::future::join_all;
use serde_json::json;
use sqlx::Connection;

use crate::support::{self, Database, PATIENCE, clock, eventually};

const WAITING: &str = "select count(*) from durable.executions where state = 'waiting'";

/// Sleeps for so many seconds.
struct Sleeper;

#[workflow]
impl Sleeper {
    async fn run(&self, cx: &Context, for_seconds: u64) -> Result<u64> {
        cx.sleep(seconds(for_seconds)).await?;
        Ok(for_seconds)
    }
}

struct Echo;

#[workflow]
impl Echo {
    async fn run(&self, _cx: &Context, text: String) -> Result<String> {
        Ok(text)
    }
}

/// Three sleeps with a step before each; says when each was over.
struct Stages {
    calls: Arc<AtomicUsize>,
}

#[workflow]
impl Stages {
    async fn run(&self, cx: &Context, _: ()) -> Result<Vec<i64>> {
        let start = cx.now().await?;
        let mut over = Vec::new();
        for stage in 1..=3 {
            self.enter(stage).await?;
            cx.sleep(minutes(stage)).await?;
            over.push((cx.now().await? - start).num_seconds());
        }
        cx.sleep_until(start).await?;
        cx.sleep_until(start + minutes(10)).await?;
        over.push((cx.now().await? - start).num_seconds());
        Ok(over)
    }

    #[step]
    async fn enter(&self, _stage: u64) -> Result<()> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

/// Takes so many events of one name.
struct Collector;

#[workflow]
impl Collector {
    async fn run(&self, cx: &Context, events: usize) -> Result<Vec<u64>> {
        let mut taken = Vec::new();
        for _ in 0..events {
            taken.push(cx.wait_for_event::<u64>("item").await?);
        }
        Ok(taken)
    }
}

/// Asks for an event for one minute, keeps what it got in a step, and says it when told to.
struct Patient {
    notes: Arc<AtomicUsize>,
}

#[workflow]
impl Patient {
    async fn run(&self, cx: &Context, _: ()) -> Result<Option<Option<String>>> {
        let answer: Option<Option<String>> = cx.wait_for_event("answer").timeout(minutes(1)).await?;
        let noted = self.note(answer).await?;
        let () = cx.wait_for_event("say").await?;
        Ok(noted)
    }

    #[step]
    async fn note(&self, answer: Option<Option<String>>) -> Result<Option<Option<String>>> {
        self.notes.fetch_add(1, Ordering::SeqCst);
        Ok(answer)
    }
}

struct Chooser;

#[workflow]
impl Chooser {
    async fn run(&self, cx: &Context, _: ()) -> Result<(String, Option<u32>)> {
        let colour = cx.wait_for_event("colour").timeout(minutes(1)).or("blue".to_owned()).await?;
        let size = cx.wait_for_event("size").timeout(minutes(1)).await?;
        Ok((colour, size))
    }
}

/// Asks, sleeps, and asks again.
struct Twice;

#[workflow]
impl Twice {
    async fn run(&self, cx: &Context, _: ()) -> Result<(Option<u32>, Option<u32>)> {
        let first = cx.wait_for_event("answer").timeout(minutes(1)).await?;
        cx.sleep(minutes(30)).await?;
        let second = cx.wait_for_event("answer").timeout(minutes(1)).await?;
        Ok((first, second))
    }
}

/// The wait under that key.
async fn wait(durable: &Durable, id: ExecutionId, key: &str) -> Wait {
    let details = durable.get_execution(id).await.unwrap();
    details.waits.into_iter().find(|wait| wait.key == key).unwrap_or_else(|| panic!("no wait `{key}`"))
}

async fn until_waiting(database: &Database, executions: i64) {
    eventually("all wait", async || database.count(WAITING).await == executions).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_sleepers_hold_no_slot_and_wake_on_time_elsewhere() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().queue("default", 10).register(Sleeper).register(Echo).start().await.unwrap();
    for _ in 0..10 {
        worker.start_many::<Sleeper>(vec![3600; 1000]).await.unwrap();
    }
    until_waiting(&database, 10_000).await;
    assert_eq!(database.count("select count(*) from durable.executions where state = 'running'").await, 0);
    let echo = worker.start::<Echo>("there is room".to_owned()).await.unwrap();
    assert_eq!(echo.result_within(PATIENCE).await.unwrap(), "there is room");
    worker.shutdown().await.unwrap();

    // Nobody is there when their time comes.
    clock::turn(&database, hours(1) - seconds(1)).await;
    let worker = database.builder().queue("default", 100).register(Sleeper).register(Echo).start().await.unwrap();
    let echo = worker.start::<Echo>("not yet".to_owned()).await.unwrap();
    assert_eq!(echo.result_within(PATIENCE).await.unwrap(), "not yet");
    assert_eq!(database.count(WAITING).await, 10_000, "a second is left");
    worker.shutdown().await.unwrap();
    clock::turn(&database, seconds(1)).await;
    let worker = database.builder().queue("default", 100).register(Sleeper).register(Echo).start().await.unwrap();
    eventually("all are awake", async || {
        database.count("select count(*) from durable.executions where state = 'completed'").await == 10_002
    })
    .await;
    assert_eq!(database.count("select count(*) from durable.waits where outcome = 'elapsed'").await, 10_000);
    worker.shutdown().await.unwrap();
}

/// With a cache the future goes on in memory; without one it is replayed. Both must say the same.
async fn stages_take_their_time(cached: usize) {
    let database = support::database().await;
    clock::freeze(&database).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let worker = database.builder().cached_executions(cached).register(Stages { calls: calls.clone() }).start().await.unwrap();
    let handle = worker.start::<Stages>(()).await.unwrap();
    until_waiting(&database, 1).await;
    clock::advance(&database, seconds(59)).await;
    assert_eq!(calls.load(Ordering::SeqCst), 1, "the first sleep is not over");
    clock::advance(&database, seconds(1)).await;
    eventually("the second stage sleeps", async || {
        database.count("select count(*) from durable.waits where key = 'sleep#2' and outcome is null").await == 1
    })
    .await;
    clock::advance(&database, hours(1)).await;
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), [60, 180, 360, 600]);
    assert_eq!(calls.load(Ordering::SeqCst), 3, "what stands before a sleep runs once");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn sleeps_end_in_order_and_on_time_in_memory() {
    stages_take_their_time(100).await;
}

#[tokio::test]
async fn sleeps_end_in_order_and_on_time_when_replayed() {
    stages_take_their_time(0).await;
}

async fn events_are_taken_in_order(cached: usize) {
    let database = support::database().await;
    let client = database.client().await;
    let handle = client.start::<Collector>(6).await.unwrap();
    // Before anything runs.
    client.send_event(handle.id(), "item", &1).await.unwrap();
    client.send_event(handle.id(), "other", &99).await.unwrap();
    client.send_event(handle.id(), "item", &2).await.unwrap();
    let worker = database.builder().cached_executions(cached).register(Collector).start().await.unwrap();
    until_waiting(&database, 1).await;
    // During the wait.
    client.send_event(handle.id(), "item", &3).await.unwrap();
    // In a row, faster than anyone wakes.
    for item in 4..=6 {
        worker.send_event(handle.id(), "item", &item).await.unwrap();
    }
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), [1, 2, 3, 4, 5, 6]);
    let details = client.get_execution(handle.id()).await.unwrap();
    let keys: Vec<&str> = details.waits.iter().map(|wait| wait.key.as_str()).collect();
    assert_eq!(keys, ["event item", "event item#2", "event item#3", "event item#4", "event item#5", "event item#6"]);
    assert!(details.waits.iter().all(|wait| wait.outcome == Some(WaitOutcome::Received)));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn events_sent_before_and_during_a_wait_are_taken_in_order_in_memory() {
    events_are_taken_in_order(100).await;
}

#[tokio::test]
async fn events_sent_before_and_during_a_wait_are_taken_in_order_when_replayed() {
    events_are_taken_in_order(0).await;
}

#[tokio::test]
async fn the_same_name_waited_twice_takes_two_events() {
    let database = support::database().await;
    let worker = database.builder().register(Collector).start().await.unwrap();
    let handle = worker.start::<Collector>(2).await.unwrap();
    worker.send_event(handle.id(), "item", &1).await.unwrap();
    eventually("the second wait stands", async || {
        database
            .count(
                "select count(*) from durable.waits join durable.executions using (execution_id) \
                    where waits.key = 'event item#2' and outcome is null and state = 'waiting'",
            )
            .await
            == 1
    })
    .await;
    worker.send_event(handle.id(), "item", &2).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), [1, 2]);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_null_payload_is_an_answer_and_no_answer_is_none() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let notes = Arc::new(AtomicUsize::new(0));
    let worker = database.builder().cached_executions(0).register(Patient { notes: notes.clone() }).start().await.unwrap();
    let answered = worker.start::<Patient>(()).await.unwrap();
    let told_nothing = worker.start::<Patient>(()).await.unwrap();
    let ignored = worker.start::<Patient>(()).await.unwrap();
    until_waiting(&database, 3).await;
    worker.send_event(answered.id(), "answer", "yes").await.unwrap();
    worker.send_event(told_nothing.id(), "answer", &json!(null)).await.unwrap();
    clock::advance(&database, minutes(1)).await;
    for handle in [&answered, &told_nothing, &ignored] {
        worker.send_event(handle.id(), "say", &()).await.unwrap();
    }
    assert_eq!(answered.result_within(PATIENCE).await.unwrap(), Some(Some("yes".to_owned())));
    // JSON has one null for both, so the type that says both says the outer one; the journal tells them apart.
    told_nothing.result_within(PATIENCE).await.unwrap();
    assert_eq!(ignored.result_within(PATIENCE).await.unwrap(), None);
    let outcome = async |id| wait(&worker, id, "event answer").await.outcome;
    assert_eq!(outcome(told_nothing.id()).await, Some(WaitOutcome::Received));
    assert_eq!(outcome(ignored.id()).await, Some(WaitOutcome::TimedOut));
    assert_eq!(notes.load(Ordering::SeqCst), 3, "nobody waits for an answer again");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_timeout_gives_the_value_that_was_written_for_it() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Chooser).start().await.unwrap();
    let silent = worker.start::<Chooser>(()).await.unwrap();
    let told = worker.start::<Chooser>(()).await.unwrap();
    worker.send_event(told.id(), "colour", "red").await.unwrap();
    worker.send_event(told.id(), "size", &7).await.unwrap();
    assert_eq!(told.result_within(PATIENCE).await.unwrap(), ("red".to_owned(), Some(7)));
    until_waiting(&database, 1).await;
    clock::advance(&database, minutes(2)).await;
    assert_eq!(silent.result_within(PATIENCE).await.unwrap(), ("blue".to_owned(), None));
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_races_the_timeout_has_one_winner_that_every_replay_repeats() {
    const EXECUTIONS: usize = 100;
    let database = support::database().await;
    clock::freeze(&database).await;
    let notes = Arc::new(AtomicUsize::new(0));
    let worker = database.builder().cached_executions(0).register(Patient { notes: notes.clone() }).start().await.unwrap();
    let handles = worker.start_many::<Patient>(vec![(); EXECUTIONS]).await.unwrap();
    until_waiting(&database, 100).await;
    let send = join_all(handles.iter().map(|handle| worker.send_event(handle.id(), "answer", "in time?")));
    let (_, sent) = tokio::join!(clock::turn(&database, minutes(1)), send);
    for sent in sent {
        sent.unwrap();
    }
    eventually("every answer is noted", async || notes.load(Ordering::SeqCst) == EXECUTIONS).await;
    for handle in &handles {
        worker.send_event(handle.id(), "say", &()).await.unwrap();
    }
    for handle in &handles {
        let said = handle.result_within(PATIENCE).await.unwrap();
        let outcome = wait(&worker, handle.id(), "event answer").await.outcome;
        let expected = if said.is_some() { WaitOutcome::Received } else { WaitOutcome::TimedOut };
        assert_eq!(outcome, Some(expected));
    }
    let received = database.count("select count(*) from durable.waits where name = 'answer' and outcome = 'received'").await;
    let kept = database.count("select count(*) from durable.mailbox where name = 'answer'").await;
    assert_eq!(received + kept, 100, "an answer that came too late is kept, not lost");
    assert_eq!(notes.load(Ordering::SeqCst), EXECUTIONS);
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_is_lost_however_senders_race_waiters() {
    const WAITERS: usize = 64;
    const ROUNDS: u64 = 25;
    let database = support::database().await;
    let workers = [
        database.builder().cached_executions(0).register(Collector).start().await.unwrap(),
        database.builder().cached_executions(16).register(Collector).start().await.unwrap(),
    ];
    let client = database.client().await;
    let handles = client.start_many::<Collector>(vec![usize::try_from(ROUNDS).unwrap(); WAITERS]).await.unwrap();
    let pool = database.pool();
    join_all(handles.iter().enumerate().map(|(number, handle)| {
        let (client, id) = (client.clone(), handle.id());
        async move {
            for item in 0..ROUNDS {
                if number % 2 == 0 {
                    client.send_event(id, "item", &item).await.unwrap();
                } else {
                    // The verb in SQL notifies nobody: only the look at the mailbox and the next poll find it.
                    sqlx::query("select durable.send_event($1, 'item', to_json($2))")
                        .bind(id.as_uuid())
                        .bind(i64::try_from(item).unwrap())
                        .execute(pool)
                        .await
                        .unwrap();
                }
            }
        }
    }))
    .await;
    let expected: Vec<u64> = (0..ROUNDS).collect();
    for handle in &handles {
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), expected);
    }
    assert_eq!(database.count("select count(*) from durable.mailbox").await, 0);
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn an_event_counts_if_and_when_its_transaction_commits() {
    let database = support::database().await;
    let worker = database.builder().register(Collector).start().await.unwrap();
    let handle = worker.start::<Collector>(1).await.unwrap();
    until_waiting(&database, 1).await;
    let mut connection = database.pool().acquire().await.unwrap();

    let mut transaction = connection.begin().await.unwrap();
    worker.send_event_within(&mut transaction, handle.id(), "item", &1).await.unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(wait(&worker, handle.id(), "event item").await.outcome, None);
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Waiting);

    let mut transaction = connection.begin().await.unwrap();
    worker.send_event_within(&mut transaction, handle.id(), "item", &2).await.unwrap();
    assert_eq!(wait(&worker, handle.id(), "event item").await.outcome, None, "not committed yet");
    transaction.commit().await.unwrap();
    worker.notify_queue("default");
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), [2]);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_event_to_an_unknown_or_finished_execution_is_refused() {
    let database = support::database().await;
    let worker = database.builder().register(Echo).register(Collector).start().await.unwrap();
    let nobody = ExecutionId::from(uuid::Uuid::now_v7());
    let error = worker.send_event(nobody, "item", &1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(&format!("there is no execution {nobody}")), "{error}");

    let echo = worker.start::<Echo>("done".to_owned()).await.unwrap();
    echo.result_within(PATIENCE).await.unwrap();
    let error = worker.send_event(echo.id(), "item", &1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Finished);
    assert!(error.to_string().contains("is already completed: event `item` came too late"), "{error}");

    let waiting = worker.start::<Collector>(1).await.unwrap();
    for (name, payload, problem) in [
        ("", json!(1), "without a name"),
        ("item", json!("a\0b"), "\\u0000"),
        ("item", json!("x".repeat(durable::PAYLOAD_LIMIT)), "over the limit"),
    ] {
        let error = worker.send_event(waiting.id(), name, &payload).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Payload, "{error}");
        assert!(error.to_string().contains(problem), "{error}");
    }
    assert_eq!(database.count("select count(*) from durable.mailbox").await, 0);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_event_of_another_type_is_refused_with_the_reason_and_the_next_is_taken() {
    let database = support::database().await;
    let worker = database.builder().register(Collector).start().await.unwrap();
    let handle = worker.start::<Collector>(1).await.unwrap();
    worker.send_event(handle.id(), "item", "seven").await.unwrap();
    worker.send_event(handle.id(), "item", &7).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), [7]);
    let reason = worker.get_execution(handle.id()).await.unwrap().refusals.remove(0).reason;
    assert!(reason.contains("event `item` does not decode") && reason.contains("u64"), "{reason}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_event_from_a_transaction_that_could_not_see_the_wait_is_delivered_all_the_same() {
    let database = support::database().await;
    let client = database.client().await;
    let handle = client.start::<Collector>(1).await.unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    let mut transaction = connection.begin_with("begin isolation level repeatable read").await.unwrap();
    let seen: i64 = sqlx::query_scalar(WAITING).fetch_one(&mut *transaction).await.unwrap();
    let worker = database.builder().register(Collector).start().await.unwrap();
    until_waiting(&database, 1).await;
    // Its view of the database is from before the wait.
    client.send_event_within(&mut transaction, handle.id(), "item", &7).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!((seen, handle.result_within(PATIENCE).await.unwrap()), (0, vec![7]));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_event_that_came_after_the_timeout_is_kept_for_the_next_wait_of_its_name() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().cached_executions(0).register(Twice).start().await.unwrap();
    let handle = worker.start::<Twice>(()).await.unwrap();
    until_waiting(&database, 1).await;
    clock::advance(&database, minutes(1)).await;
    worker.send_event(handle.id(), "answer", &5).await.unwrap();
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Waiting, "it sleeps");
    clock::advance(&database, hours(1)).await;
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), (None, Some(5)));
    worker.shutdown().await.unwrap();
}
