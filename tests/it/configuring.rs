//! Configuring: settings of a role, a database and an application break no guarantee, or are refused.

use std::time::Duration;

use durable::migrate::{SchemaName, grants};
use durable::prelude::*;
use durable::sqlx::{self, Connection, PgConnection};
use sqlx::postgres::PgConnectOptions;
use tracing::Level;

use crate::support::hostile::{as_usual, make_hostile};
use crate::support::log::Log;
use crate::support::voyage::Traveller;
use crate::support::{self, Database, PATIENCE, eventually};

struct Sum;

#[workflow(queue = "sums")]
impl Sum {
    async fn run(&self, cx: &Context, exact: f64) -> Result<f64> {
        let sent: f64 = cx.wait_for_event("number").await?;
        self.add(exact, sent).await
    }

    #[step]
    async fn add(&self, one: f64, other: f64) -> Result<f64> {
        Ok(one + other)
    }
}

/// A step that is claimed from a queue of its own.
struct Render;

#[workflow(queue = "orders")]
impl Render {
    async fn run(&self, _cx: &Context, frame: u8) -> Result<u8> {
        self.draw(frame).await
    }

    #[step(queue = "gpu")]
    async fn draw(&self, frame: u8) -> Result<u8> {
        Ok(frame)
    }
}

/// A database with settings that change what SQL means; the application's role has no more rights than it needs.
async fn hostile() -> (Database, PgConnectOptions) {
    let database = support::database().await;
    make_hostile(&database).await;
    let role: String = database.value("select 'guest_of_' || current_database()").await;
    database.run(&format!("create role {role} login password 'secret-of-the-guest'")).await;
    database.run(&grants(&role, &SchemaName::default()).unwrap()).await;
    let options: PgConnectOptions = database.url.parse().unwrap();
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(4).acquire_timeout(PATIENCE);
    let database = database.seen_through(pool.connect_lazy_with(as_usual(options.clone())));
    (database, options.username(&role).password("secret-of-the-guest"))
}

#[tokio::test]
async fn settings_of_the_role_and_of_the_database_do_not_matter() {
    let (database, options) = hostile().await;
    Traveller { database: &database, options }.travel().await;
}

#[tokio::test]
async fn a_session_that_waits_is_not_ended_by_a_limit_of_the_role() {
    let (database, options) = hostile().await;
    let worker = database.builder().connect_options(options).register(Sum).start().await.unwrap();
    let listening = "from pg_stat_activity where datname = current_database() and query ilike 'listen %'";
    let session = format!("select pid || ' ' || backend_start {listening}");
    let began: String = database.eventually_value(&session).await;
    // Longer than any other idle session lives.
    let idle = format!("select count(*) {listening} and state_change < now() - interval '3 seconds'");
    eventually("it has listened for 3 seconds", async || database.count(&idle).await == 1).await;
    assert_eq!(database.value::<String>(&session).await, began);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_settings_of_transactions_that_belong_to_users_stay_theirs() {
    let (database, options) = hostile().await;
    let client = database.builder().connect_options(options.clone()).start().await.unwrap();
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let settings = "select concat_ws('|', current_setting('search_path'), current_setting('intervalstyle'))";
    let before: String = sqlx::query_scalar(settings).fetch_one(&mut *transaction).await.unwrap();
    let handle = client.start::<Sum>(0.1).within(&mut transaction).await.unwrap();
    client.send_event_within(&mut transaction, handle.id(), "number", &0.2).await.unwrap();
    let after: String = sqlx::query_scalar(settings).fetch_one(&mut *transaction).await.unwrap();
    assert_eq!(before, "public, pg_catalog|sql_standard");
    assert_eq!(after, before);
    transaction.rollback().await.unwrap();
    client.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_time_without_end_is_no_panic() {
    let database = support::database().await;
    let builder =
        || database.builder().operation_timeout(Duration::MAX).poll_interval(Duration::MAX).measure_every(Duration::MAX);
    let error = builder().lease(Duration::MAX).start().await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("is too long")), (ErrorKind::Invalid, true), "{error}");
    let durable = builder().register(Sum).start().await.unwrap();
    let handle = durable.start::<Sum>(0.5).await.unwrap();
    durable.send_event(handle.id(), "number", &0.25).await.unwrap();
    assert_eq!(handle.result_within(Duration::MAX).await.unwrap(), 0.75);
    assert_eq!(durable.queue("sums").drain(Duration::MAX).await.unwrap(), 0);
    durable.shutdown_within(Duration::MAX).await.unwrap();
}

#[tokio::test]
async fn a_workflow_none_of_whose_queues_is_worked_on_is_warned_of() {
    let database = support::database().await;
    let (log, _listening) = Log::listen(Level::WARN);
    for (queue, is_warned_of) in [("sums", false), ("default", true)] {
        database.builder().register(Sum).queue(queue, 1).start().await.unwrap().shutdown().await.unwrap();
        let warnings = log.take();
        assert_eq!(warnings.contains("works on no queue of"), is_warned_of, "{queue}: {warnings}");
        assert_eq!(warnings.contains(r#".queue("sums", "#), is_warned_of, "{queue}: {warnings}");
    }
    for (queue, is_warned_of) in [("orders", false), ("gpu", false), ("default", true)] {
        database.builder().register(Render).queue(queue, 1).start().await.unwrap().shutdown().await.unwrap();
        assert_eq!(log.take().contains("works on no queue of"), is_warned_of, "{queue}");
    }
    database.builder().register(Render).register(Sum).start().await.unwrap().shutdown().await.unwrap();
    assert!(!log.take().contains("works on no queue of"));
}
