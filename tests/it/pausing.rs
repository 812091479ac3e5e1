//! Queues from outside: paused, resumed, drained, limited, listed, deleted; and what is refused.

use std::time::Duration;

use durable::prelude::*;
use durable::{Durable, QueueLimits, Rate};
use sqlx::Executor;

use crate::support::bodies::Gate;
use crate::support::{self, PATIENCE, eventually, soon};

/// A poll interval in which no test ends.
const HOUR: Duration = Duration::from_secs(3600);

/// Waits for the gate.
struct Errand {
    gate: Gate,
}

#[workflow(queue = "errands")]
impl Errand {
    async fn run(&self, _cx: &Context, number: u32) -> Result<u32> {
        self.run_it(number).await
    }

    #[step]
    async fn run_it(&self, number: u32) -> Result<u32> {
        self.gate.pass().await;
        Ok(number)
    }
}

async fn refusal<T: std::fmt::Debug>(refused: impl Future<Output = Result<T>>) -> (ErrorKind, String) {
    let error = refused.await.unwrap_err();
    (error.kind(), error.to_string())
}

#[tokio::test]
async fn a_paused_queue_finishes_what_runs_and_begins_nothing_until_it_is_resumed() {
    let database = support::database().await;
    let gate = Gate::closed();
    let worker = database.builder().poll_interval(HOUR).register(Errand { gate: gate.clone() }).start().await.unwrap();
    let client = database.client().await;
    let running = worker.start::<Errand>(1).await.unwrap();
    gate.until_inside(1).await;

    client.queue("errands").pause().await.unwrap();
    client.queue("errands").pause().await.unwrap();
    let here = worker.start::<Errand>(2).await.unwrap();
    let there = client.start::<Errand>(3).await.unwrap();
    gate.let_pass(3);
    assert_eq!(running.result_within(PATIENCE).await.unwrap(), 1);
    let queue = client.queue("errands").get().await.unwrap();
    assert_eq!((queue.pending, queue.running, queue.paused_at.is_some()), (2, 0, true));
    assert_eq!(database.count("select count(*) from durable.executions where epoch > 0").await, 1);

    client.queue("errands").resume().await.unwrap();
    assert_eq!(here.result_within(PATIENCE).await.unwrap(), 2);
    assert_eq!(there.result_within(PATIENCE).await.unwrap(), 3);
    assert_eq!(client.queue("errands").get().await.unwrap().paused_at, None);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_drain_waits_for_what_runs_and_says_what_still_does_when_the_time_is_over() {
    let database = support::database().await;
    let gate = Gate::closed();
    let worker = database.builder().queue("errands", 2).register(Errand { gate: gate.clone() }).start().await.unwrap();
    worker.start_many::<Errand>(0..5).await.unwrap();
    gate.until_inside(2).await;
    let queue = worker.queue("errands");
    assert_eq!(queue.drain(Duration::from_millis(10)).await.unwrap(), 2);

    let draining = tokio::spawn({
        let queue = queue.clone();
        async move { queue.drain(PATIENCE).await }
    });
    gate.let_pass(5);
    assert_eq!(soon("drained", draining).await.unwrap().unwrap(), 0);
    let drained = queue.get().await.unwrap();
    assert_eq!((drained.pending, drained.running), (3, 0), "what had not begun has not begun");

    queue.resume().await.unwrap();
    eventually("the rest completes", async || {
        database.count("select count(*) from durable.executions where state = 'completed'").await == 5
    })
    .await;
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn queues_are_listed_with_their_limits_and_what_is_in_them() {
    let database = support::database().await;
    let gate = Gate::closed();
    let worker =
        database.builder().queue("errands", 1).queue("idle", 1).register(Errand { gate: gate.clone() }).start().await.unwrap();
    worker.start_many::<Errand>(0..3).await.unwrap();
    gate.until_inside(1).await;
    let limits = QueueLimits::default().concurrency(7).rate(5, minutes(1)).rate_per_key(1, Duration::from_millis(1500));
    worker.queue("errands").set_limits(limits).await.unwrap();
    worker.start::<Errand>(4).concurrency_key("a key").await.unwrap();
    worker.start::<Errand>(5).delay(hours(1)).await.unwrap();
    worker.start::<Errand>(6).queue("nobody's").await.unwrap();

    let queues = worker.queues().await.unwrap();
    let shown: Vec<(&str, u64, u64)> = queues.iter().map(|queue| (queue.name.as_str(), queue.pending, queue.running)).collect();
    assert_eq!(shown, [("errands", 3, 1), ("idle", 0, 0), ("nobody's", 1, 0)]);
    assert_eq!(queues[0].limits, limits);
    assert_eq!(queues[0].limits.rate_per_key, Some(Rate { executions: 1, period: Duration::from_millis(1500) }));
    assert!(queues[0].oldest_pending_at.is_some() && queues[1].oldest_pending_at.is_none());
    assert_eq!(queues[2].limits, QueueLimits::default());
    gate.let_pass(6);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_queue_with_work_in_it_is_not_deleted() {
    let database = support::database().await;
    let gate = Gate::closed();
    let worker = database.builder().queue("errands", 1).register(Errand { gate: gate.clone() }).start().await.unwrap();
    let queue = worker.queue("errands");
    let (kind, message) = refusal(queue.delete()).await;
    assert_eq!((kind, message.contains("queue `errands` has no settings")), (ErrorKind::NotFound, true), "{message}");

    queue.set_limits(QueueLimits::default().concurrency(1)).await.unwrap();
    let handles = worker.start_many::<Errand>(0..3).await.unwrap();
    gate.until_inside(1).await;
    let (kind, message) = refusal(queue.delete()).await;
    let what = message.contains("queue `errands` is not empty: 2 pending, 1 running");
    assert_eq!((kind, what), (ErrorKind::Conflict, true), "{message}");
    assert_eq!(queue.get().await.unwrap().limits.concurrency, Some(1));

    gate.let_pass(3);
    for handle in handles {
        handle.result_within(PATIENCE).await.unwrap();
    }
    queue.delete().await.unwrap();
    assert_eq!(queue.get().await.unwrap().limits, QueueLimits::default());
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn limits_that_make_no_sense_are_refused_and_nothing_is_written() {
    let database = support::database().await;
    let client = database.client().await;
    let none = QueueLimits::default;
    for (limits, what) in [
        (none().concurrency(0), "concurrency of 0; give at least 1"),
        (none().concurrency(u32::MAX), "concurrency of 4294967295; give at most 2147483647"),
        (none().rate(0, seconds(1)), "rate of 0; give at least 1"),
        (none().rate(1, Duration::ZERO), "rate with a period that is not between 1 ms and 1000 days"),
        (none().rate_per_key(1, days(1001)), "rate per key with a period that is not between"),
    ] {
        for refused in [
            refusal(client.queue("errands").set_limits(limits)).await,
            refusal(database.builder().queue_limits("errands", limits).start()).await,
        ] {
            assert_eq!(refused.0, ErrorKind::Invalid);
            assert!(refused.1.contains("queue `errands` has a ") && refused.1.contains(what), "{}", refused.1);
        }
    }
    let twice = database.builder().queue_limits("errands", none()).queue_limits("errands", none()).start();
    assert!(refusal(twice).await.1.contains("the limits of queue `errands` are given twice"));
    let (kind, message) = refusal(client.queue("").pause()).await;
    assert_eq!((kind, message.contains("needs a name")), (ErrorKind::Invalid, true), "{message}");
    let (kind, message) = refusal(client.queue("errand").get()).await;
    assert_eq!((kind, message.contains("there is no queue `errand`")), (ErrorKind::NotFound, true), "{message}");
    for key in ["", "a\0b", &"a".repeat(1001)] {
        let (kind, message) = refusal(client.start::<Errand>(1).concurrency_key(key).into_future()).await;
        assert_eq!((kind, message.contains("a concurrency key has 1 to 1000 bytes")), (ErrorKind::Invalid, true), "{message}");
    }
    assert_eq!(
        database.count("select (select count(*) from durable.queues) + (select count(*) from durable.executions)").await,
        0
    );
}

#[tokio::test]
async fn the_same_is_said_and_refused_by_sql() {
    let database = support::database().await;
    for (sql, code, message) in [
        ("select durable.set_queue_limits('errands', 0)", "UD422", "queue `errands` is given a limit of 0"),
        ("select durable.set_queue_limits('errands', rate => 1)", "UD422", "has no number or no period above zero"),
        ("select durable.set_queue_limits('errands', rate => 1, rate_period => '0 s')", "UD422", "has no number or no period"),
        ("select durable.set_queue_limits('')", "UD422", "limits of a queue without a name"),
        ("select durable.pause_queue('')", "UD422", "a queue without a name"),
        ("select durable.delete_queue('errands')", "UD404", "queue `errands` has no settings"),
        ("select durable.start('errand', '1', concurrency_key => '')", "UD422", "a concurrency key has 0 bytes"),
    ] {
        let error = database.pool().execute(sql).await.expect_err(sql).into_database_error().unwrap();
        assert_eq!((error.code().as_deref(), error.message().contains(message)), (Some(code), true), "{error}");
    }
    assert_eq!(
        database.count("select (select count(*) from durable.queues) + (select count(*) from durable.executions)").await,
        0
    );

    database.run("select durable.set_queue_limits('errands', 2, rate => 5, rate_period => '1 s'); select durable.pause_queue('errands')").await;
    database.run("select durable.start('errand', '1', queue => 'errands', concurrency_key => 'a key')").await;
    let client = database.client().await;
    let queue = client.queue("errands").get().await.unwrap();
    assert_eq!(queue.limits, QueueLimits::default().concurrency(2).rate(5, seconds(1)));
    assert_eq!((queue.pending, queue.paused_at.is_some()), (1, true));
    let started = client.list_executions().queue("errands").await.unwrap().executions;
    assert_eq!(started[0].concurrency_key.as_deref(), Some("a key"));
    database.run("select durable.resume_queue('errands')").await;
    assert_eq!(client.queue("errands").get().await.unwrap().paused_at, None);
}

#[tokio::test]
async fn limits_in_code_are_written_when_an_engine_starts_and_only_where_they_differ() {
    let database = support::database().await;
    let start = async |concurrency| -> Durable {
        let limits = QueueLimits::default().concurrency(concurrency);
        database.builder().queue_limits("errands", limits).start().await.unwrap()
    };
    let version = async || database.value::<String>("select concurrency || ' ' || xmin from durable.queues").await;
    start(3).await;
    let first = version().await;
    start(3).await;
    assert_eq!(version().await, first, "nothing was written");
    start(4).await;
    assert!(version().await.starts_with("4 "));
}
