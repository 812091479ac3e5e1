//! Isolating: two schemas are two instances that share nothing, and a role with few rights runs workflows.

use durable::migrate::{SchemaName, grants, migrate};
use durable::prelude::*;
use sqlx::postgres::PgConnectOptions;

use crate::support::{self, PATIENCE, clock, eventually};

/// Says where it ran, once it was told something.
struct Visit {
    house: &'static str,
}

#[workflow]
impl Visit {
    async fn run(&self, cx: &Context, guest: String) -> Result<String> {
        cx.sleep(hours(1)).await?;
        let word: String = cx.wait_for_event("word").await?;
        let name: String = cx.wait_for_input("name").await?;
        self.greet(guest, word, name).await
    }

    #[step(retry(max_attempts = 2, backoff = constant, base = "1m"))]
    async fn greet(&self, guest: String, word: String, name: String) -> Result<String> {
        if durable::step().attempt() == 1 {
            return Err(durable::Error::new("not at home"));
        }
        Ok(format!("{word}, {guest}, says {name} of the {} house", self.house))
    }
}

#[tokio::test]
async fn two_schemas_in_one_database_share_nothing() {
    let database = support::database().await;
    let other: SchemaName = "other_house".parse().unwrap();
    migrate(&database.url, &other).await.unwrap();
    let here = database.builder().register(Visit { house: "first" }).start().await.unwrap();
    let there = database.builder().schema("other_house").register(Visit { house: "other" }).start().await.unwrap();

    // The same key twice.
    let first = here.start::<Visit>("Ada".to_owned()).key("ada").await.unwrap();
    let second = there.start::<Visit>("Bo".to_owned()).key("ada").await.unwrap();
    assert_ne!(first.id(), second.id());
    for (durable, stranger) in [(&here, second.id()), (&there, first.id())] {
        for refused in [
            durable.get_execution(stranger).await.map(drop),
            durable.send_event(stranger, "word", "Hi").await.map(drop),
            durable.provide_input(stranger, "name", "Cy").await.map(drop),
            durable.cancel(stranger, "not mine").await,
            durable.resume(stranger).await,
        ] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::NotFound);
        }
        assert_eq!(durable.list_executions().await.unwrap().executions.len(), 1);
    }

    // One clock turns, the other stands.
    eventually("both sleep", async || {
        let sql = "select (select count(*) from durable.waits) + (select count(*) from other_house.waits)";
        database.count(sql).await == 2
    })
    .await;
    clock::freeze(&database).await;
    clock::advance(&database, hours(2)).await;
    here.send_event(first.id(), "word", "Good day").await.unwrap();
    here.provide_input(first.id(), "name", "Cy").await.unwrap();
    clock::quiet(&database).await;
    clock::advance(&database, minutes(2)).await;
    assert_eq!(first.result_within(PATIENCE).await.unwrap(), "Good day, Ada, says Cy of the first house");
    assert_eq!(second.execution().await.unwrap().state, ExecutionState::Waiting);
    assert!(there.pending_inputs().await.unwrap().is_empty());
    assert_eq!(database.count("select count(*) from other_house.checkpoints").await, 0);
    assert_eq!(database.count("select count(*) from durable.executions").await, 1);
    here.shutdown().await.unwrap();
    there.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_schema_name_that_is_no_identifier_is_refused_before_anything_is_sent() {
    let database = support::database().await;
    for name in ["", "a b", "a-b", "1st", "public; drop schema durable", "a\"b", "a.b", "ä", &"x".repeat(64), "pg_mine"] {
        let error = database.builder().schema(name).start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name}: {error}");
    }
    let error = database.builder().schema("not_there").start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.to_string().contains("durable-migrate") && error.to_string().contains("not_there"), "{error}");
}

#[tokio::test]
async fn a_role_with_the_documented_rights_and_no_more_runs_workflows() {
    let database = support::database().await;
    let role: String = database.value("select 'guest_of_' || current_database()").await;
    database.run(&format!("create role {role} login password 'secret-of-the-guest'")).await;
    let options: PgConnectOptions = (*database.pool().connect_options()).clone().username(&role).password("secret-of-the-guest");
    let guest = || database.builder().connect_options(options.clone()).register(Visit { house: "guest" });
    let error = guest().start().await.unwrap_err();
    assert!(error.to_string().contains("grants"), "without rights it says how to get them: {error}");

    database.run(&grants(&role, &SchemaName::default()).unwrap()).await;
    clock::freeze(&database).await;
    let worker = guest().cached_executions(0).start().await.unwrap();
    let handle = worker.start::<Visit>("Ada".to_owned()).key("ada").await.unwrap();
    let cancelled = worker.start_many::<Visit>(["Bo".to_owned()]).await.unwrap().remove(0);
    clock::advance(&database, hours(1)).await;
    worker.send_event(handle.id(), "word", "Welcome").await.unwrap();
    worker.provide_input(handle.id(), "name", "Di").await.unwrap();
    worker.cancel(cancelled.id(), "no room").await.unwrap();
    clock::advance(&database, minutes(2)).await;
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "Welcome, Ada, says Di of the guest house");
    assert_eq!(worker.list_executions().await.unwrap().executions.len(), 2);
    assert_eq!(worker.get_execution(handle.id()).await.unwrap().steps.len(), 1);
    worker.shutdown().await.unwrap();
    assert_eq!(database.count("select count(*) from durable.workers where lost_at is null").await, 0, "it could retire");
}
