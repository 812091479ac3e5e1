//! Looking: lists by every filter and page by page, and one execution with all its journal says.

use std::collections::BTreeSet;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use durable::chrono::{DateTime, Utc};
use durable::prelude::*;
use durable::sqlx::Connection as _;
use durable::{AttemptOutcome, Cursor, Execution, Json, SortBy, SortOrder, WaitKind, WaitOutcome};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::support::{self, PATIENCE, clock, eventually};

/// Greets at the second attempt, in two parts with a wait between, and fails for nobody.
struct Greeting;

#[workflow(queue = "greetings")]
impl Greeting {
    async fn run(&self, cx: &Context, name: String) -> Result<String> {
        let name = self.check(name).await?;
        let greeting = self.find("morning").await?;
        let title: Option<String> = cx.wait_for_event("title").timeout(hours(1)).await?;
        let close = self.find("evening").await?;
        Ok(format!("{greeting}, {}{name}. {close}!", title.unwrap_or_default()))
    }

    #[step]
    async fn check(&self, name: String) -> Result<String> {
        if name.is_empty() { Err(durable::Error::permanent("nobody is there")) } else { Ok(name) }
    }

    #[step(retry(max_attempts = 2, backoff = constant, base = "1m", jitter = 0.0))]
    async fn find(&self, time: &str) -> Result<String> {
        if durable::step().attempt() == 1 {
            return Err(durable::Error::new("the dictionary is lent out"));
        }
        Ok(format!("Good {time}"))
    }
}

/// A step that runs until the gate opens.
struct Gated {
    gate: Arc<Semaphore>,
}

#[workflow]
impl Gated {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        self.pass().await
    }

    #[step]
    async fn pass(&self) -> Result<()> {
        self.gate.acquire().await?.forget();
        Ok(())
    }
}

#[tokio::test]
async fn an_execution_is_shown_with_its_steps_their_attempts_and_its_waits() {
    let database = support::database().await;
    let start = clock::freeze(&database).await;
    let worker = database.builder().register(Greeting).start().await.unwrap();
    let handle = worker.start::<Greeting>("Ada".to_owned()).key("greet-ada").priority(3).await.unwrap();
    clock::advance(&database, minutes(1)).await;
    eventually("it waits for its event", async || {
        database.count("select count(*) from durable.waits where outcome is null").await == 1
    })
    .await;
    worker.send_event(handle.id(), "title", "Countess ").await.unwrap();
    clock::quiet(&database).await;
    clock::advance(&database, minutes(1)).await;
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "Good morning, Countess Ada. Good evening!");

    let details = worker.get_execution(handle.id()).await.unwrap();
    let execution = &details.execution;
    assert_eq!((execution.workflow.as_str(), execution.version), ("greeting", 1));
    assert_eq!((execution.queue.as_str(), execution.priority), ("greetings", 3));
    assert_eq!((execution.key.as_deref(), execution.state), (Some("greet-ada"), ExecutionState::Completed));
    assert_eq!(
        (execution.input.as_str(), execution.output.as_ref().map(Json::as_str)),
        (r#""Ada""#, Some(r#""Good morning, Countess Ada. Good evening!""#))
    );
    assert!(execution.error.is_none() && execution.wake_at.is_none() && execution.deadline_at.is_none());
    assert_eq!((execution.created_at, execution.started_at), (start, Some(start)));
    assert_eq!(execution.finished_at, Some(start + minutes(2)));
    assert!(execution.epoch >= 4, "claimed at the start and after each rest, not {} times", execution.epoch);

    let keys: Vec<&str> = details.steps.iter().map(|step| step.key.as_str()).collect();
    assert_eq!(keys, ["step check", "step find", "step find#2"], "in the order in which they ended");
    let outcomes =
        |nth: usize| details.steps[nth].attempts.iter().map(|attempt| (attempt.number, attempt.outcome)).collect::<Vec<_>>();
    assert_eq!(outcomes(0), [(1, AttemptOutcome::Completed)]);
    for nth in [1, 2] {
        assert_eq!(outcomes(nth), [(1, AttemptOutcome::Failed), (2, AttemptOutcome::Completed)]);
        assert_eq!(details.steps[nth].attempts[0].error.as_ref().unwrap().message, "the dictionary is lent out");
    }
    assert_eq!(details.steps[1].output, Some(json!("Good morning").into()));
    let [wait] = &details.waits[..] else { panic!("{:?}", details.waits) };
    assert_eq!((wait.key.as_str(), wait.kind, wait.name.as_str()), ("event title", WaitKind::Event, "title"));
    assert_eq!((wait.outcome, &wait.payload), (Some(WaitOutcome::Received), &Some(json!("Countess ").into())));
    assert_eq!((wait.started_at, wait.due_at), (start + minutes(1), Some(start + minutes(1) + hours(1))));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_failed_execution_is_shown_with_the_step_that_failed() {
    let database = support::database().await;
    let worker = database.builder().register(Greeting).start().await.unwrap();
    let handle = worker.start::<Greeting>(String::new()).await.unwrap();
    handle.result_within(PATIENCE).await.unwrap_err();
    let details = worker.get_execution(handle.id()).await.unwrap();
    assert_eq!(details.execution.state, ExecutionState::Failed);
    assert_eq!(details.execution.error.as_ref().unwrap().message, "nobody is there");
    assert_eq!(details.steps[0].error.as_ref().unwrap().message, "nobody is there");
    assert_eq!(details.steps[0].output, None);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_attempt_that_has_run_for_a_second_is_shown_as_running() {
    let database = support::database().await;
    let gate = Arc::new(Semaphore::new(0));
    let worker = database.builder().register(Gated { gate: gate.clone() }).start().await.unwrap();
    let handle = worker.start::<Gated>(()).await.unwrap();
    eventually("the attempt is shown", async || !worker.get_execution(handle.id()).await.unwrap().steps.is_empty()).await;
    let attempts = |steps: &[durable::Step]| steps[0].attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>();
    assert_eq!(attempts(&worker.get_execution(handle.id()).await.unwrap().steps), [AttemptOutcome::Running]);
    gate.add_permits(1);
    handle.result_within(PATIENCE).await.unwrap();
    assert_eq!(attempts(&worker.get_execution(handle.id()).await.unwrap().steps), [AttemptOutcome::Completed]);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_list_passes_what_every_filter_passes() {
    let database = support::database().await;
    let start = clock::freeze(&database).await;
    let worker = database.builder().register(Greeting).start().await.unwrap();
    let failed = worker.start::<Greeting>(String::new()).key("nobody").await.unwrap().id();
    clock::quiet(&database).await;
    clock::turn(&database, hours(1)).await;
    let waiting = worker.start::<Greeting>("Ada".to_owned()).await.unwrap().id();
    clock::quiet(&database).await;
    clock::turn(&database, seconds(1)).await;
    let client = database.client().await;
    let other = client.start_by_name("gated", &()).version(2).await.unwrap();
    let elsewhere = client.start::<Gated>(()).queue("rare").key("only").await.unwrap().id();

    let list = || client.list_executions();
    for (what, filtered, expected) in [
        ("no filter, newest first", list(), vec![elsewhere, other, waiting, failed]),
        ("a state", list().state(ExecutionState::Pending), vec![elsewhere, other]),
        ("states", list().state(ExecutionState::Failed).state(ExecutionState::Waiting), vec![waiting, failed]),
        ("a workflow", list().workflow("greeting"), vec![waiting, failed]),
        ("a version", list().workflow("gated").version(2), vec![other]),
        ("a version, in an order", list().version(2).order_by(SortBy::Created, SortOrder::Ascending), vec![other]),
        ("versions that none has", list().version(u32::MAX), vec![]),
        ("a queue", list().queue("rare"), vec![elsewhere]),
        ("a key", list().key("nobody"), vec![failed]),
        ("a key that nobody has", list().key("no' or true --"), vec![]),
        ("from a time on", list().created_from(start + hours(1)), vec![elsewhere, other, waiting]),
        ("before a time", list().created_before(start + hours(1)), vec![failed]),
        ("between times", list().created_from(start + hours(1)).created_before(start + hours(1) + seconds(1)), vec![waiting]),
        ("all at once", list().workflow("gated").queue("rare").key("only").state(ExecutionState::Pending), vec![elsewhere]),
        ("what excludes itself", list().workflow("gated").queue("greetings"), vec![]),
    ] {
        assert_eq!(filtered.clone().count().await.unwrap(), expected.len() as u64, "{what}");
        assert_eq!(filtered.clone().count_at_most(2).await.unwrap(), expected.len().min(2) as u64, "{what}");
        let page = filtered.await.unwrap();
        let ids: Vec<ExecutionId> = page.executions.iter().map(|execution| execution.id).collect();
        assert_eq!(ids, expected, "{what}");
        assert_eq!(page.next, None, "{what}");
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn in_any_order_and_on_pages_of_any_size_there_is_every_execution_once() {
    let database = support::database().await;
    let start = clock::freeze(&database).await;
    let client = database.client().await;
    for nth in 0..12_u64 {
        let priority = [3, -1, 0][usize::try_from(nth % 3).unwrap()];
        let started = client.start::<Gated>(()).priority(priority);
        let handle = if nth % 4 == 0 { started.delay(seconds(100 - nth)).await } else { started.await }.unwrap();
        clock::turn(&database, seconds(1)).await;
        if nth % 5 == 0 {
            client.cancel(handle.id(), "over").await.unwrap();
        }
    }
    let all = client.list_executions().await.unwrap().executions;
    let micros = |time: Option<DateTime<Utc>>| time.map(|time| (time - start).num_microseconds().unwrap());
    for sort in SortBy::ALL {
        let value = |execution: &Execution| match sort {
            SortBy::Created => micros(Some(execution.created_at)),
            SortBy::Started => micros(execution.started_at),
            SortBy::Finished => micros(execution.finished_at),
            SortBy::Wakes => micros(execution.wake_at),
            _ => Some(i64::from(execution.priority)),
        };
        for (order, sign) in [(SortOrder::Ascending, 1), (SortOrder::Descending, -1)] {
            // The list is the newest first already, and stays so among those alike.
            let mut expected: Vec<&Execution> = all.iter().collect();
            expected.sort_by_key(|execution| value(execution).map_or(i64::MAX, |value| sign * value));
            let expected: Vec<ExecutionId> = expected.iter().map(|execution| execution.id).collect();
            for limit in [1, 5, 12] {
                let list = || client.list_executions().order_by(sort, order).limit(limit);
                let mut page = list().await.unwrap();
                let mut seen: Vec<ExecutionId> = Vec::new();
                loop {
                    seen.extend(page.executions.iter().map(|execution| execution.id));
                    let Some(cursor) = page.next else { break };
                    // As a program passes it on.
                    page = list().after(cursor.to_string().parse::<Cursor>().unwrap()).await.unwrap();
                }
                assert_eq!(seen, expected, "{sort:?} {order:?}, {limit} on a page");
            }
        }
    }
}

#[tokio::test]
async fn a_cursor_of_another_order_is_refused() {
    let database = support::database().await;
    let client = database.client().await;
    client.start_many::<Gated>([(), ()]).await.unwrap();
    let list = || client.list_executions().limit(1);
    let plain = list().await.unwrap().next.unwrap();
    let by_priority = list().order_by(SortBy::Priority, SortOrder::Descending).await.unwrap().next.unwrap();
    for (list, cursor) in [
        (list(), by_priority),
        (list().order_by(SortBy::Priority, SortOrder::Ascending), by_priority),
        (list().order_by(SortBy::Created, SortOrder::Descending), by_priority),
        (list().order_by(SortBy::Priority, SortOrder::Descending), plain),
    ] {
        let error = list.after(cursor).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("a list in another order"), "{error}");
    }
}

#[tokio::test]
async fn what_is_counted_by_state_is_what_is_listed() {
    let database = support::database().await;
    let client = database.client().await;
    for (nth, handle) in client.start_many::<Gated>(vec![(); 9]).await.unwrap().iter().enumerate() {
        match nth {
            0..3 => client.cancel(handle.id(), "over").await.unwrap(),
            3 => client.rollback(handle.id(), "over").await.unwrap(),
            _ => {}
        }
    }
    let counts = client.list_executions().count_by_state().await.unwrap();
    let expected = [(ExecutionState::Pending, 5), (ExecutionState::Cancelled, 3), (ExecutionState::Compensating, 1)];
    assert_eq!(counts, expected);
    for (state, count) in counts {
        assert_eq!(client.list_executions().state(state).await.unwrap().executions.len() as u64, count, "{state}");
        assert_eq!(client.list_executions().state(state).count().await.unwrap(), count);
    }
    assert_eq!(client.list_executions().workflow("nobody's").count_by_state().await.unwrap(), []);
}

#[tokio::test]
async fn pages_hold_every_execution_once_though_others_are_started_meanwhile() {
    let database = support::database().await;
    let client = database.client().await;
    let started: BTreeSet<ExecutionId> =
        client.start_many::<Gated>(vec![(); 25]).await.unwrap().iter().map(ExecutionHandle::id).collect();
    let mut seen = Vec::new();
    let mut page = client.list_executions().limit(10).await.unwrap();
    loop {
        seen.extend(page.executions.iter().map(|execution| execution.id));
        client.start::<Gated>(()).await.unwrap();
        let Some(cursor) = page.next else { break };
        page = client.list_executions().limit(10).after(cursor).await.unwrap();
    }
    assert_eq!(seen.len(), 25);
    assert!(seen.is_sorted_by(|newer, older| newer > older));
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), started);
    // A page that is exactly full is the last one.
    assert_eq!(client.list_executions().limit(28).await.unwrap().next, None);
    for limit in [0, 1001] {
        let error = client.list_executions().limit(limit).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("between 1 and 1000"), "{error}");
    }
}

#[tokio::test]
async fn an_unknown_execution_is_said_to_be_unknown() {
    let database = support::database().await;
    let client = database.client().await;
    let nobody = ExecutionId::from(uuid::Uuid::now_v7());
    for error in [
        client.get_execution(nobody).await.unwrap_err(),
        client.handle::<Gated>(nobody).execution().await.unwrap_err(),
        client.handle::<Gated>(nobody).result_within(PATIENCE).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains(&nobody.to_string()), "{error}");
    }
    let error = "order-42".parse::<ExecutionId>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_list_does_not_wait_without_end_for_the_lock_of_a_migration() {
    let database = support::database().await;
    let client = database.builder().operation_timeout(Duration::from_secs(3)).start().await.unwrap();
    assert!(client.list_executions().await.unwrap().executions.is_empty());
    let mut connection = database.pool().acquire().await.unwrap();
    let mut migration = connection.begin().await.unwrap();
    sqlx::query("lock table durable.executions in access exclusive mode").execute(&mut *migration).await.unwrap();
    let refused = tokio::time::timeout(PATIENCE, client.list_executions().into_future()).await.unwrap().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.to_string().contains("another transaction holds a lock"), "{refused}");
    migration.rollback().await.unwrap();
    assert!(client.list_executions().await.unwrap().executions.is_empty());
}
