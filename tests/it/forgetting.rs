//! Forgetting: an execution of a worker that is gone is taken over, however the worker ended.

use std::time::Duration;

use durable::prelude::*;
use sqlx::{Connection, Executor, PgConnection, raw_sql};

use crate::support::{self, Database, eventually, soon};

/// Short, because these workers die without a shutdown.
const LEASE: Duration = Duration::from_secs(1);

/// An execution that runs under a worker without a row.
const ORPHAN: &str = "
    update durable.executions
    set state = 'running', epoch = 1, claims = 1, started_at = durable.now(), worker_id = gen_random_uuid()";

/// Three steps.
struct Errand;

#[workflow]
impl Errand {
    async fn run(&self, _cx: &Context, number: u32) -> Result<u32> {
        let number = self.add(number).await?;
        let number = self.add(number).await?;
        self.add(number).await
    }

    #[step]
    async fn add(&self, number: u32) -> Result<u32> {
        Ok(number + 1)
    }
}

async fn worker(database: &Database) -> Durable {
    database.builder().lease(LEASE).register(Errand).start().await.unwrap()
}

#[tokio::test]
async fn an_execution_that_was_claimed_while_its_worker_shut_down_runs_elsewhere() {
    let database = support::database().await;
    // Claims from a queue with limits lock its row, which a stranger holds.
    database.run("insert into durable.queues (queue, concurrency, updated_at) values ('default', 10, now())").await;
    let mut stranger = PgConnection::connect(&database.url).await.unwrap();
    stranger.execute(raw_sql("begin; select from durable.queues for update")).await.unwrap();
    let handle = database.client().await.start::<Errand>(1).await.unwrap();

    let first = worker(&database).await;
    let waiting = |statement: &str| {
        format!(
            "select count(*) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock' and query like '-- {statement}:%'"
        )
    };
    eventually("the claim is held up", async || database.count(&waiting("executions/claim")).await == 1).await;
    let row: String = database.value("select worker_id::text from durable.workers").await;
    soon("shut down", first.shutdown_within(Duration::from_millis(50))).await.unwrap();

    let second = worker(&database).await;
    // Its row must stay as long as the claim is under way.
    let retired = format!("select count(*) from durable.workers where worker_id = '{row}' and lost_at is not null");
    eventually("the second worker has looked at the first", async || {
        database.count(&retired).await == 0 || database.count(&waiting("workers/forget")).await >= 1
    })
    .await;
    stranger.execute("rollback").await.unwrap();

    assert_eq!(soon("run elsewhere", handle.result()).await.unwrap(), 4);
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn shutdowns_in_a_hurry_leave_nothing_behind() {
    let database = support::database().await;
    let client = database.client().await;
    client.start_many::<Errand>(0..600).await.unwrap();
    let unfinished = async || database.count("select count(*) from durable.executions where finished_at is null").await;
    for round in 1..=3 {
        let hasty = worker(&database).await;
        eventually("some are done", async || unfinished().await <= 600 - 50 * round).await;
        hasty.shutdown_within(Duration::from_millis(5)).await.unwrap();
    }
    let last = worker(&database).await;
    eventually("all are done", async || unfinished().await == 0).await;
    last.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_execution_whose_worker_has_no_row_is_taken_over() {
    let database = support::database().await;
    let handle = database.client().await.start::<Errand>(1).await.unwrap();
    database.run(ORPHAN).await;

    let worker = worker(&database).await;
    assert_eq!(soon("taken over", handle.result()).await.unwrap(), 4);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_execution_of_a_worker_that_lives_is_left_alone() {
    let database = support::database().await;
    let handles = database.client().await.start_many::<Errand>(0..3).await.unwrap();
    // Two workers without a row, with ids before and after the id of a live worker.
    database
        .run(
            "insert into durable.workers (worker_id, host, process_id, queues, started_at, lease_until)
             values ('77777777-7777-4777-8777-777777777777', 'elsewhere', 1, '{default}', now(), 'infinity')",
        )
        .await;
    for (handle, digit) in handles.iter().zip(["1", "7", "e"]) {
        let worker = "dddddddd-dddd-4ddd-8ddd-dddddddddddd".replace('d', digit);
        database
            .run(&format!("{ORPHAN} where execution_id = '{}'", handle.id()).replace("gen_random_uuid()", &format!("'{worker}'")))
            .await;
    }

    let worker = worker(&database).await;
    assert_eq!(soon("taken over", handles[0].result()).await.unwrap(), 3);
    assert_eq!(soon("taken over", handles[2].result()).await.unwrap(), 5);
    let left = handles[1].execution().await.unwrap();
    assert_eq!((left.state, left.epoch), (ExecutionState::Running, 1));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_doctor_finds_executions_whose_worker_has_no_row() {
    let database = support::database().await;
    let client = database.client().await;
    client.start_many::<Errand>([1, 2]).await.unwrap();
    database.run(&ORPHAN.replace("gen_random_uuid()", "'11111111-1111-4111-8111-111111111111'")).await;

    let findings = database.builder().examine().await.unwrap();
    let found: Vec<&str> = findings.iter().map(|finding| finding.problem.as_str()).collect();
    let problem = "2 executions are held by worker 11111111-1111-4111-8111-111111111111, which has no row: it is lost";
    assert!(found.contains(&problem), "{found:#?}");
}

#[tokio::test]
async fn an_execution_whose_worker_has_no_row_counts_under_the_limit_of_its_queue() {
    let database = support::database().await;
    database.run("insert into durable.queues (queue, concurrency, updated_at) values ('default', 1, now())").await;
    let client = database.client().await;
    client.start::<Errand>(1).await.unwrap();
    database.run(ORPHAN).await;
    client.start::<Errand>(2).await.unwrap();
    database
        .run(
            "insert into durable.workers (worker_id, host, process_id, queues, started_at, lease_until)
             values ('77777777-7777-4777-8777-777777777777', 'elsewhere', 1, '{default}', now(), 'infinity')",
        )
        .await;

    let claim = "
        select count(*) from durable.claim(
            '77777777-7777-4777-8777-777777777777', 'default', 10,
            array['Errand'], array[1], array[null]::float8[], array['Errand@1'], array[null]::int[]
        ) where execution_id is not null";
    assert_eq!(database.count(claim).await, 0, "one runs already, of one that may");
    let queue = client.queues().await.unwrap().remove(0);
    assert_eq!((queue.running, queue.pending), (1, 1));
}
