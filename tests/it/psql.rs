//! Psql: what the Rust client does, anyone who speaks SQL does, with the same checks.

use durable::Home;
use durable::prelude::*;
use serde_json::json;
use sqlx::postgres::PgDatabaseError;
use sqlx::{AssertSqlSafe, Executor};
use uuid::Uuid;

use crate::support::{self, Database, PATIENCE, clock, eventually};

struct Trip;

#[workflow(queue = "trips")]
impl Trip {
    async fn run(&self, cx: &Context, to: String) -> Result<String> {
        let day: String = cx.wait_for_event("day").await?;
        let seats: u8 = cx.wait_for_input("seats").await?;
        Ok(format!("to {to} on {day} with {seats}"))
    }
}

/// Waits on a topic.
struct Listener;

#[workflow]
impl Listener {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        cx.wait_for_topic("news").correlation("sports").await
    }
}

struct Echo;

#[workflow]
impl Echo {
    async fn run(&self, _cx: &Context, text: Option<String>) -> Result<Option<String>> {
        Ok(text)
    }
}

/// What the database answers to a statement that it refuses: code, message and hint.
async fn refusal(database: &Database, sql: &str) -> (String, String) {
    let error = database.pool().execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.map(drop).expect_err(sql);
    let error = error.into_database_error().unwrap();
    let error = error.downcast_ref::<PgDatabaseError>();
    (error.code().to_owned(), format!("{}; {}", error.message(), error.hint().unwrap_or_default()))
}

#[tokio::test]
async fn an_execution_lives_its_life_by_sql_alone() {
    let database = support::database().await;
    let worker = database.builder().register(Trip).register(Echo).start().await.unwrap();
    let id: Uuid =
        database.value(r#"select durable.start('trip', '"Oslo"', queue => 'trips', key => 'oslo', priority => 3)"#).await;
    let again: Uuid = database.value(r#"select durable.start('trip', '"Oslo"', key => 'oslo')"#).await;
    assert_eq!(id, again);
    assert_eq!(id.get_version_num(), 7);
    let sent: String = database.value(&format!(r#"select outcome from durable.send_event('{id}', 'day', '"Monday"')"#)).await;
    assert!(["delivered", "kept"].contains(&sent.as_str()), "{sent}");
    eventually("it asks", async || worker.pending_inputs().await.unwrap().len() == 1).await;
    let (code, message) = refusal(&database, &format!("select durable.provide_input('{id}', 'seats', '300')")).await;
    assert_eq!((code.as_str(), message.contains("above the maximum 255")), ("UD422", true), "{message}");
    database.run(&format!("select durable.provide_input('{id}', 'seats', '4')")).await;
    let handle = worker.handle::<Trip>(id.into());
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "to Oslo on Monday with 4");
    let execution = handle.execution().await.unwrap();
    assert_eq!((execution.priority, execution.input), (3, json!("Oslo").into()));

    let without_input: Uuid = database.value("select durable.start('echo')").await;
    assert_eq!(worker.handle::<Echo>(without_input.into()).result_within(PATIENCE).await.unwrap(), None);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_start_by_sql_may_be_scheduled_and_cancelled() {
    let database = support::database().await;
    let now = clock::freeze(&database).await;
    let client = database.client().await;
    let delayed: Uuid = database.value("select durable.start('echo', delay => '1 hour')").await;
    let at: Uuid = database.value("select durable.start('echo', start_at => durable.now() + interval '2 hours')").await;
    let due = async |id: Uuid| client.get_execution(id.into()).await.unwrap().execution.wake_at;
    assert_eq!(due(delayed).await, Some(now + hours(1)));
    assert_eq!(due(at).await, Some(now + hours(2)));
    database.run(&format!("select durable.cancel('{at}', 'not needed'); select durable.cancel('{at}')")).await;
    let cancelled = client.get_execution(at.into()).await.unwrap().execution;
    assert_eq!((cancelled.state, cancelled.error.unwrap().message.as_str()), (ExecutionState::Cancelled, "not needed"));
    let worker = database.builder().register(Echo).start().await.unwrap();
    clock::advance(&database, hours(3)).await;
    assert_eq!(worker.handle::<Echo>(delayed.into()).result_within(PATIENCE).await.unwrap(), None);
    let (code, message) = refusal(&database, &format!("select durable.cancel('{delayed}')")).await;
    assert_eq!(code, "UD410", "{message}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_id_made_by_sql_has_the_layout_of_one_made_by_the_client() {
    let database = support::database().await;
    let before = ExecutionId::new_in(Home::default()).as_uuid();
    let ids: Vec<Uuid> = database.values("select durable.new_id() from generate_series(1, 100)").await;
    let after = ExecutionId::new_in(Home::default()).as_uuid();
    // The first 48 bits are milliseconds, by the clock of one machine.
    let millis = |id: Uuid| id.as_u128() >> 80;
    for id in ids {
        assert_eq!((id.get_version_num(), id.get_variant()), (7, uuid::Variant::RFC4122), "{id}");
        assert_eq!(ExecutionId::from(id).home(), Home::default(), "{id}");
        assert!((millis(before)..=millis(after)).contains(&millis(id)), "{id}");
    }
}

#[tokio::test]
async fn what_is_published_cancelled_and_rolled_back_by_sql_says_whom_it_met() {
    let database = support::database().await;
    let worker = database.builder().register(Listener).start().await.unwrap();
    let ids: Vec<Uuid> = database.values("select durable.start('listener') from generate_series(1, 3)").await;
    eventually("all listen", async || {
        database
            .count("select count(*) from durable.waits join durable.executions using (execution_id) where state = 'waiting'")
            .await
            == 3
    })
    .await;
    database.run(&format!("select durable.cancel_wait('{}', 'news')", ids[0])).await;
    let error = worker.handle::<Listener>(ids[0].into()).result_within(PATIENCE).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Failed && error.to_string().contains("was cancelled"), "{error}");
    let met: Vec<String> = database.values(&format!("select id || ' ' || state from durable.rollback('{}')", ids[1])).await;
    assert_eq!(met, [format!("{} compensating", ids[1])]);
    let reached =
        r#"select reached || ' ' || more || ' ' || woken_queues::text from durable.publish('news', '"goal"', 'sports')"#;
    assert_eq!(database.value::<String>(reached).await, "1 false {default}");
    assert_eq!(worker.handle::<Listener>(ids[2].into()).result_within(PATIENCE).await.unwrap(), "goal");
    let error = worker.handle::<Listener>(ids[1].into()).result_within(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RolledBack);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_the_client_refuses_the_verbs_refuse_with_a_code_and_a_hint() {
    let database = support::database().await;
    let id: Uuid = database.value("select durable.start('echo', '1', key => 'taken')").await;
    let nobody = Uuid::now_v7();
    let large = "repeat('x', 4 * 1024 * 1024)";
    for (sql, code, message) in [
        ("select durable.start('')".to_owned(), "UD422", "names no workflow; select durable.start("),
        ("select durable.start('echo', '2', key => 'taken')".to_owned(), "UD409", "with another input; use a new key"),
        ("select durable.start('echo', delay => '-1 second')".to_owned(), "UD422", "negative"),
        (format!("select durable.start('echo', to_json({large}))"), "UD413", "over the limit of 4194304"),
        (r#"select durable.start('echo', '"a\u0000b"')"#.to_owned(), "UD422", "\\u0000"),
        ("select durable.start('echo', (repeat('[', 127) || repeat(']', 127))::json)".to_owned(), "UD422", "126 levels"),
        ("select durable.start('echo', '{not json')".to_owned(), "22P02", "json"),
        (format!("select durable.send_event('{nobody}', 'x')"), "UD404", "there is no execution"),
        (format!("select durable.send_event('{id}', '')"), "UD422", "without a name"),
        (format!("select durable.send_event('{id}', 'x', to_json({large}))"), "UD413", "event `x` is"),
        (format!("select durable.provide_input('{nobody}', 'x', '1')"), "UD404", "there is no execution"),
        (format!("select durable.provide_input('{id}', '', '1')"), "UD422", "without a name"),
        (format!("select durable.cancel('{nobody}')"), "UD404", "there is no execution"),
        (format!("select durable.resume('{id}')"), "UD410", "is pending, neither paused nor stopped"),
        (format!("select durable.rollback('{nobody}')"), "UD404", "there is no execution"),
        (format!("select durable.provide_input('{id}', 'x', '1', answered_by => repeat('x', 1001))"), "UD422", "over 1000 bytes"),
        (format!("select durable.cancel_wait('{nobody}', 'x')"), "UD404", "there is no execution"),
        (format!("select durable.cancel_wait('{id}', 'x')"), "UD404", "has no wait `x`; it waits for nothing now"),
        (format!("select durable.cancel_wait('{id}', '')"), "UD422", "a wait without a key or a name; list the open ones"),
        ("select durable.publish('')".to_owned(), "UD422", "without a topic; give the topic that workflows wait on"),
        (format!("select durable.publish('x', to_json({large}))"), "UD413", "the publication to `x` is"),
        ("select durable.publish('x', key => repeat('x', 1001))".to_owned(), "UD422", "has 1001 bytes; give 1 to 1000"),
    ] {
        let (actual, said) = refusal(&database, &sql).await;
        assert_eq!(actual, code, "{sql}: {said}");
        assert!(said.contains(message), "{sql}: {said}");
    }
    assert_eq!(database.count("select count(*) from durable.executions").await, 1, "nothing is half-written");
    assert_eq!(database.count("select count(*) from durable.mailbox").await, 0);
    assert_eq!(database.count("select count(*) from durable.publications").await, 0);
    // What only looks like the character is text like any other, and so is a bracket.
    database.run(r#"select durable.start('echo', '"a\\u0000b"')"#).await;
    database.run("select durable.start('echo', to_json(repeat('[', 200)))").await;
}
