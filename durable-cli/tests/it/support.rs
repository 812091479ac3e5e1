//! What the tests stand on: a server for the whole run, a database for each test, the program, and workflows to look at.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use durable::migrate::{SchemaName, migrate};
use durable::prelude::*;
use durable_postgres::{Cluster, ClusterOptions, Lifetime};
use serde_json::Value;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Executor, PgPool};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::OnceCell;

/// Longer than anything here takes on a busy machine; only a test that fails waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_durable");

/// A database of its own for one test.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) url: String,
    pool: PgPool,
}

/// How the program ended, and what it printed.
#[derive(Debug)]
pub(crate) struct Printed {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Printed {
    /// What was printed by a program that did what it was asked to.
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// That as JSON.
    pub(crate) fn json(self) -> Value {
        let text = self.done();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// What a program complains of that ends with this code, and prints nothing else.
    pub(crate) fn refused(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{self:?}");
        self.err
    }
}

impl Database {
    pub(crate) fn at(url: String) -> Self {
        let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(PATIENCE).connect_lazy(&url).unwrap();
        Self { url, pool }
    }

    /// Runs the program on this database.
    pub(crate) async fn durable(&self, arguments: &[&str]) -> Printed {
        self.durable_reading(arguments, "").await
    }

    /// Runs the program on this database, with something to read.
    pub(crate) async fn durable_reading(&self, arguments: &[&str], input: &str) -> Printed {
        durable(&[&["--database-url", self.url.as_str()], arguments].concat(), input).await
    }

    /// An engine on this database, which runs the workflows below.
    pub(crate) async fn worker(&self) -> Durable {
        let builder = Durable::builder().database_url(&self.url).max_connections(4).poll_interval(Duration::from_millis(100));
        builder.register(Journey::default()).start().await.unwrap()
    }

    /// One value from the database; `sql` is this test's own text.
    pub(crate) async fn value<T>(&self, sql: &str) -> T
    where
        T: Send + Unpin + for<'row> sqlx::Decode<'row, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let found = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&self.pool).await;
        found.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Runs statements that return nothing of interest.
    pub(crate) async fn run(&self, sql: &str) {
        self.pool.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// Goes to a place that a person names; trips over its own feet where it is told to, until it is helped.
#[derive(Default)]
pub(crate) struct Journey {
    helped: Arc<AtomicBool>,
}

impl Journey {
    /// One that trips no more once this is true.
    pub(crate) fn helped_by(helped: &Arc<AtomicBool>) -> Self {
        Self { helped: helped.clone() }
    }
}

#[workflow]
impl Journey {
    async fn run(&self, cx: &Context, traveller: String) -> Result<String> {
        self.pack(&traveller).await?;
        let place: String = cx.wait_for_input("place").prompt("Where to?").await?;
        self.walk(&place).await
    }

    #[step(compensate = unpack)]
    async fn pack(&self, traveller: &str) -> Result<String> {
        if traveller == "nobody" {
            return Err(durable::Error::permanent("nobody travels"));
        }
        Ok(format!("{traveller}'s bag"))
    }

    #[compensation]
    async fn unpack(&self, _bag: String) -> Result<()> {
        Ok(())
    }

    #[step(retry(max_attempts = 2, base = "10ms"))]
    async fn walk(&self, place: &str) -> Result<String> {
        if place == "the moon" && !self.helped.load(Ordering::SeqCst) {
            return Err(durable::Error::new("too far to walk"));
        }
        Ok(format!("in {place}"))
    }
}

/// Runs the program, with something to read and nothing in its environment that it knows.
pub(crate) async fn durable(arguments: &[&str], input: &str) -> Printed {
    let mut child = program().args(arguments).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes()).await;
    let output = soon(&format!("the end of {arguments:?}"), child.wait_with_output()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Printed { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// The program, which does not outlive its test.
pub(crate) fn program() -> Command {
    let mut program = Command::new(PROGRAM);
    program.env_remove("DATABASE_URL").env_remove("DURABLE_SCHEMA").stdout(Stdio::piped()).kill_on_drop(true);
    program
}

/// A migrated database on the server of this test run.
pub(crate) async fn database() -> Database {
    let database = empty_database().await;
    migrate(&database.url, &SchemaName::default()).await.unwrap();
    database
}

/// A database with nothing in it.
pub(crate) async fn empty_database() -> Database {
    static CREATED: AtomicU32 = AtomicU32::new(0);
    let server = server().await;
    let name = format!("cli_{}", CREATED.fetch_add(1, Ordering::SeqCst));
    Database::at(server.url()).run(&format!("create database {name}")).await;
    Database::at(server.database_url(&name))
}

/// Waits until the condition holds, and fails saying `what` did not come about.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let held = async {
        while !condition().await {
            tokio::time::sleep(GLANCE).await;
        }
    };
    soon(what, held).await;
}

/// The future's output, or a failure after a generous time.
pub(crate) async fn soon<T>(what: &str, future: impl IntoFuture<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future.into_future()).await.unwrap_or_else(|_| panic!("after {PATIENCE:?}: not yet {what}"))
}

async fn server() -> &'static Cluster {
    static SERVER: OnceCell<Cluster> = OnceCell::const_new();
    SERVER
        .get_or_init(|| async {
            let hasty = [("fsync", "off"), ("synchronous_commit", "off"), ("max_connections", "300")];
            let options = ClusterOptions {
                name: "cli-tests".to_owned(),
                in_memory: true,
                lifetime: Lifetime::Temporary,
                settings: hasty.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
                ..ClusterOptions::default()
            };
            tokio::task::spawn_blocking(|| Cluster::start(options)).await.unwrap().unwrap()
        })
        .await
}
