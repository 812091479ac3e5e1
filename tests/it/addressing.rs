//! Addressing: a wrong address is refused at once, with what was tried and what to do; passwords are never shown.

use std::time::{Duration, Instant};

use durable::migrate::{SchemaName, check, migrate};
use durable::prelude::*;
use durable::sqlx::postgres::PgConnectOptions;
use durable::{Builder, migrate};

use tracing::Level;

use crate::support::log::Log;
use crate::support::{self, Database, PATIENCE};

/// Upper bound for a call that must not wait: far less than the operation timeout, on a busy machine too.
const AT_ONCE: Duration = Duration::from_secs(20);

const PASSWORD: &str = "hunter2";

struct Idle;

#[workflow]
impl Idle {
    async fn run(&self, cx: &Context, (): ()) -> Result<()> {
        cx.wait_for_event("go").await
    }
}

/// Starts an engine that would wait long for an outage to pass, and returns the refusal.
async fn refusal(builder: Builder) -> Error {
    let began = Instant::now();
    let error = builder.operation_timeout(PATIENCE).start().await.unwrap_err();
    assert!(began.elapsed() < AT_ONCE, "after {:?}: {error}", began.elapsed());
    assert!(!format!("{error}{error:?}{error:#}").contains(PASSWORD), "{error}");
    error
}

#[tokio::test]
async fn an_address_of_something_else_is_refused_at_once() {
    for (url, what) in [
        ("mysql://ada:hunter2@localhost/app", "it starts with `mysql://`, not with `postgres://`"),
        (
            "jdbc:postgresql://localhost/app?user=ada&password=hunter2",
            "it starts with `jdbc:postgresql://`, not with `postgres://`",
        ),
        ("ada:hunter2@localhost/app", "it does not start with `postgres://`"),
        ("postgres://ada:hunter2@localhost:port/app", "invalid port number"),
        ("postgres://ada:hunter2@localhost/app?sslmode=perhaps", "sslmode"),
        ("", "it is empty"),
    ] {
        let error = refusal(Durable::builder().database_url(url)).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{url}: {error}");
        assert!(error.to_string().to_lowercase().contains(&what.to_lowercase().replace("sslmode", "ssl")), "{url}: {error}");
        assert!(error.to_string().contains("write it as postgres://user:password@host:port/database"), "{url}: {error}");
        let error = migrate(url, &SchemaName::default()).await.unwrap_err();
        assert!(matches!(error, migrate::Error::InvalidUrl { .. }), "{url}: {error}");
        assert!(!format!("{error}{error:?}").contains(PASSWORD), "{url}: {error}");
    }
    let owned = String::from("mysql://localhost");
    assert_eq!(refusal(Durable::builder().database_url(&owned)).await.kind(), ErrorKind::Invalid);
    assert_eq!(refusal(Durable::builder().database_url(owned)).await.kind(), ErrorKind::Invalid);
}

fn options(database: &Database) -> PgConnectOptions {
    database.url.parse().unwrap()
}

#[tokio::test]
async fn a_role_a_password_or_a_database_that_is_not_there_is_refused_at_once() {
    let database = support::database().await;
    let named = |options: &PgConnectOptions| {
        let name = options.get_database().unwrap();
        format!("database `{name}` at {}:{} as role `{}`", options.get_host(), options.get_port(), options.get_username())
    };
    for (options, remedy) in [
        (options(&database).password(PASSWORD), "correct the user or the password in the database url"),
        (options(&database).username("stranger").password(PASSWORD), "correct the user or the password in the database url"),
        (
            options(&database).database("nowhere"),
            "create the database (with `createdb`), or correct its name in the database url",
        ),
    ] {
        let error = refusal(Durable::builder().connect_options(options.clone())).await;
        assert_eq!(error.kind(), ErrorKind::Database, "{error}");
        let message = error.to_string();
        assert!(message.starts_with(&format!("cannot connect to {}: ", named(&options))), "{message}");
        assert!(message.ends_with(remedy), "{message}");
        let error = Durable::builder().connect_options(options).examine().await.unwrap_err();
        assert!(error.to_string().ends_with(remedy), "{error}");
    }
}

#[tokio::test]
async fn tls_that_does_not_come_about_is_refused_at_once() {
    let database = support::database().await;
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!("{}?sslmode={mode}", database.url);
        let error = refusal(Durable::builder().database_url(&url)).await;
        let message = error.to_string();
        assert!(message.starts_with("cannot connect to database `"), "{message}");
        // The program that runs the tests may have been built with it.
        let cure = if cfg!(feature = "tls") { "correct `sslmode`" } else { "turn on the feature `tls` of `durable`" };
        assert!(message.contains(cure), "{message}");
        let error = check(url.as_str(), &SchemaName::default()).await.unwrap_err();
        assert!(error.to_string().contains(cure), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_named() {
    let database = support::database().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let builder = Durable::builder().connect_options(options(&database).port(port).password(PASSWORD));
    let error = builder.operation_timeout(Duration::from_millis(100)).start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let message = error.to_string();
    assert!(message.contains(&format!("at 127.0.0.1:{port} as role `")), "{message}");
    assert!(message.ends_with("start the server, or correct host and port in the database url"), "{message}");

    let socket = "postgres:///app?host=/nowhere/at/all&user=ada&password=hunter2";
    let builder = Durable::builder().database_url(socket).operation_timeout(Duration::from_millis(100));
    let error = builder.start().await.unwrap_err().to_string();
    assert!(error.contains("database `app` at /nowhere/at/all as role `ada`") && !error.contains(PASSWORD), "{error}");
}

#[tokio::test]
async fn an_outage_names_the_server_that_was_tried() {
    let (cluster, database) = support::server_of_its_own().await;
    let client = database.builder().operation_timeout(Duration::from_millis(100)).start().await.unwrap();
    cluster.stop().unwrap();
    let error = client.list_executions().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains(&format!("at 127.0.0.1:{} as role `", cluster.port())), "{error}");
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_text_is_refused() {
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let database = support::database_in(encoding).await;
        let said = |message: &str| {
            message.contains(&format!("its encoding is {encoding}, in which not every text can be stored"))
                && message.contains("template template0 encoding 'UTF8'")
        };
        let error = migrate(&database.url, &SchemaName::default()).await.unwrap_err();
        assert!(matches!(error, migrate::Error::Encoding { .. }) && said(&error.to_string()), "{error}");
        assert_eq!(database.count("select count(*) from pg_namespace where nspname = 'durable'").await, 0, "nothing was written");
        let error = check(&database.url, &SchemaName::default()).await.unwrap_err();
        assert!(said(&error.to_string()), "{error}");
        let error = refusal(database.builder()).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(said(&error.to_string()), "{error}");
    }
}

#[tokio::test]
async fn nothing_that_is_printed_or_logged_shows_the_password() {
    let database = support::database().await;
    let password = database.url.split_once("://").unwrap().1.split_once('@').unwrap().0.split_once(':').unwrap().1.to_owned();
    let (log, _listening) = Log::listen(Level::TRACE);
    let mut shown = vec![format!("{:?}", database.builder())];
    let durable = database.builder().register(Idle).start().await.unwrap();
    let id = durable.start::<Idle>(()).await.unwrap().id();
    shown.push(format!("{durable:?}"));
    shown.push(format!("{:?}", durable.handle::<Idle>(id)));
    shown.push(format!("{:?}", durable.queue("default")));
    shown.push(format!("{:?}", durable.start::<Idle>(())));
    shown.push(format!("{:?}", durable.start_many::<Idle>([()])));
    shown.push(format!("{:?}", durable.start_by_name("idle", &())));
    shown.push(format!("{:?}", durable.list_executions()));
    shown.push(format!("{:?}", durable.prune(days(1))));
    shown.push(format!("{:?}", durable.fork(id, "step")));
    shown.push(format!("{:?}", durable.cancel(id, "no")));
    shown.push(format!("{:?}", durable.publish("topic", &())));
    shown.push(format!("{:?}", durable.provide_input(id, "name", &())));
    shown.push(format!("{:?}", durable.pending_inputs()));
    shown.push(format!("{:?}", durable.schedule::<Idle>("daily", "@daily", ())));
    shown.push(format!("{:?}", durable.trigger_schedule("daily")));
    shown.push(format!("{:?}", durable.list_schedules()));
    shown.push(format!("{:?}", durable.schedule_firings("daily")));
    shown.push(format!("{:?}", migrate::Database::from(&database.url)));
    shown.push(format!("{:?}", migrate::Database::from(database.pool())));
    for shown in shown {
        assert!(!shown.contains(&password), "{shown}");
    }
    durable.shutdown().await.unwrap();
    let log = log.take();
    assert!(log.len() > 1000 && !log.contains(&password), "the password was logged");
}
