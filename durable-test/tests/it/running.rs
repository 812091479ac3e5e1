//! What surrounds a test: a database of its own, which is gone afterwards.

use std::sync::Mutex;

use durable::prelude::*;
use durable::sqlx::{self, PgPool};
use durable_test::Test;

use crate::workflows::{ProcessOrder, order};

async fn database_of(pool: &PgPool) -> Result<String> {
    Ok(sqlx::query_scalar("select current_database()::text").fetch_one(pool).await?)
}

async fn exists(pool: &PgPool, database: &str) -> Result<bool> {
    let found = sqlx::query_scalar("select exists (select from pg_database where datname = $1)");
    Ok(found.bind(database).fetch_one(pool).await?)
}

#[test]
fn parallel_tests_share_nothing() {
    let names = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for number in 0..6 {
            let names = &names;
            scope.spawn(move || {
                durable_test::run("one of several", |test: Test| async move {
                    test.worker().register(ProcessOrder::default()).start().await?;
                    let before = test.now().await?;
                    test.start::<ProcessOrder>(order()).await?;
                    test.advance(days(number)).await?;
                    assert_eq!(test.now().await?, before + days(number));
                    assert_eq!(test.client().list_executions().count().await?, 1);
                    let name = database_of(test.pool()).await?;
                    names.lock().unwrap().push(name);
                    Ok::<(), Error>(())
                });
            });
        }
    });
    let mut names = names.into_inner().unwrap();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 6);
}

#[test]
fn a_test_that_panics_drops_its_database() {
    let name = Mutex::new(String::new());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        durable_test::run("a test", |test: Test| {
            let name = &name;
            async move {
                test.worker().register(ProcessOrder::default()).start().await.unwrap();
                test.start::<ProcessOrder>(order()).await.unwrap();
                *name.lock().unwrap() = database_of(test.pool()).await.unwrap();
                assert!(test.pool().is_closed(), "this is how it fails");
            }
        });
    }));
    assert_eq!(*panicked.unwrap_err().downcast::<&str>().unwrap(), "this is how it fails");
    let name = name.into_inner().unwrap();
    durable_test::run("another test", |test: Test| async move {
        assert!(!name.is_empty() && !exists(test.pool(), &name).await?);
        Ok::<(), Error>(())
    });
}

#[test]
fn a_test_that_returns_an_error_fails_with_its_name_and_the_error() {
    let failed = std::panic::catch_unwind(|| {
        durable_test::run("shop::a_test", |_: Test| async { Err::<(), Error>(Error::permanent("no van")) });
    });
    assert_eq!(*failed.unwrap_err().downcast::<String>().unwrap(), "shop::a_test: no van");
}

/// A killed test is one that this process cannot run: its database is made by hand, with a name of yesterday.
#[test]
fn what_a_killed_test_has_left_is_dropped_by_a_later_run() {
    let made = Mutex::new(String::new());
    durable_test::run("made by hand", |test: Test| {
        let made = &made;
        async move {
            let name: String = sqlx::query_scalar(
                "select format('durable_test_%s_%s', extract(epoch from now())::bigint - 86400, md5(random()::text))",
            )
            .fetch_one(test.pool())
            .await?;
            sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(test.pool()).await?;
            *made.lock().unwrap() = name;
            Ok::<(), Error>(())
        }
    });
    // Each process sweeps when its first test begins.
    let program = std::env::current_exe().unwrap();
    let other = std::process::Command::new(program).args(["--exact", "running::a_test_returns_nothing"]).output().unwrap();
    assert!(other.status.success(), "{}", String::from_utf8_lossy(&other.stdout));
    let made = made.into_inner().unwrap();
    durable_test::run("a look", |test: Test| async move {
        assert!(!exists(test.pool(), &made).await?);
        Ok::<(), Error>(())
    });
}

#[durable_test::test]
async fn a_test_returns_nothing(test: Test) {
    assert_eq!(test.client().list_executions().count().await.unwrap(), 0);
}

/// Runs a test in a process that finds no Postgres, and returns what that says.
fn without(variable: &str, value: &str) -> String {
    let program = std::env::current_exe().unwrap();
    let mut other = std::process::Command::new(program);
    other.args(["--exact", "running::a_test_returns_nothing"]).env(variable, value);
    let output = other.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn without_the_programs_of_postgres_a_test_says_what_to_do() {
    let said = without("DURABLE_POSTGRES_BIN", "/nowhere");
    assert!(said.contains("DURABLE_TEST_DATABASE_URL"), "{said}");
    assert!(said.contains("/nowhere"), "{said}");
}

#[test]
fn without_a_server_at_the_address_a_test_names_the_address() {
    let said = without("DURABLE_TEST_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    assert!(said.contains("127.0.0.1:1"), "{said}");
}
