//! What the tests stand on: a server for the whole run, a database for each test, and ways to wait for facts instead of time.

pub(crate) mod bodies;
pub(crate) mod clock;
pub(crate) mod crash;
pub(crate) mod hostile;
pub(crate) mod log;
pub(crate) mod moves;
pub(crate) mod pair;
pub(crate) mod pgbouncer;
pub(crate) mod process;
pub(crate) mod programs;
pub(crate) mod proxy;
pub(crate) mod voyage;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use durable::Durable;
use durable::migrate::{SchemaName, migrate};
use durable_postgres::{Cluster, ClusterOptions, Lifetime};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use tokio::sync::OnceCell;
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;

/// Longer than anything here takes on a busy machine; only a test that fails waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// Connections the shared server accepts.
const SERVER_CONNECTIONS: u32 = 400;

/// Settings of a server that one test has to itself.
const MODEST: [(&str, &str); 3] = [("max_connections", "60"), ("shared_buffers", "16MB"), ("track_commit_timestamp", "on")];

/// The migrated database that the others are copies of.
const TEMPLATE: &str = "template_of_tests";

/// A database of its own for one test.
#[derive(Debug)]
pub(crate) struct Database {
    /// Its address, as the superuser of the server; without a query.
    pub(crate) url: String,
    pool: PgPool,
}

impl Database {
    pub(crate) fn at(url: String) -> Self {
        let options: PgConnectOptions = url.parse().unwrap();
        let options = if hostile::is_wanted() { hostile::as_usual(options) } else { options };
        Self { url, pool: pool(options) }
    }

    /// The same database, by connections of the test that ignore the settings of the database.
    pub(crate) fn with_usual_settings(self) -> Self {
        let options = hostile::as_usual(self.url.parse().unwrap());
        self.seen_through(pool(options))
    }

    /// The same database, by other connections of the test.
    pub(crate) fn seen_through(self, pool: PgPool) -> Self {
        Self { pool, ..self }
    }

    /// Connections for the test itself.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// An engine on this database, with few connections, as many engines share the server.
    pub(crate) fn builder(&self) -> durable::Builder {
        Durable::builder().database_url(&self.url).max_connections(4).poll_interval(Duration::from_millis(200))
    }

    /// An engine that only starts, sends and looks.
    pub(crate) async fn client(&self) -> Durable {
        self.builder().start().await.unwrap()
    }

    /// A number from the database.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.value(sql).await
    }

    /// One value from the database; `sql` is this test's own text.
    pub(crate) async fn value<T>(&self, sql: &str) -> T
    where
        T: Send + Unpin + for<'row> sqlx::Decode<'row, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// All values of one column, in order.
    pub(crate) async fn values<T>(&self, sql: &str) -> Vec<T>
    where
        T: Send + Unpin + for<'row> sqlx::Decode<'row, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_all(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The first value that a query returns, once it returns any.
    pub(crate) async fn eventually_value<T>(&self, sql: &str) -> T
    where
        T: Send + Unpin + for<'row> sqlx::Decode<'row, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        let found = async {
            loop {
                if let Some(value) = self.values(sql).await.into_iter().next() {
                    return value;
                }
                tokio::time::sleep(GLANCE).await;
            }
        };
        soon(&format!("a row for {sql}"), found).await
    }

    /// Runs statements that return nothing of interest.
    pub(crate) async fn run(&self, sql: &str) {
        self.pool.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

fn pool(options: PgConnectOptions) -> PgPool {
    let options = options.application_name(moves::BY_HAND);
    PgPoolOptions::new().max_connections(4).acquire_timeout(PATIENCE).connect_lazy_with(options)
}

/// A migrated database on the server of this test run.
pub(crate) async fn database() -> Database {
    let server = server().await;
    let database = Database::at(create(server, &format!("template {TEMPLATE}")).await);
    if hostile::is_wanted() {
        hostile::make_hostile(&database).await;
    }
    database
}

/// A database without a schema, in another encoding than UTF-8.
pub(crate) async fn database_in(encoding: &str) -> Database {
    let how = format!("template template0 encoding '{encoding}' lc_collate 'C' lc_ctype 'C'");
    Database::at(create(server().await, &how).await)
}

/// A database with nothing in it.
pub(crate) async fn empty_database() -> Database {
    Database::at(create(server().await, "").await)
}

/// A server of the test's own, durable as in production, with a migrated database: for tests that restart or kill it. It knows when
/// each transaction was committed.
pub(crate) async fn server_of_its_own() -> (Arc<Cluster>, Database) {
    let cluster = start("crashed", &MODEST).await;
    migrate(&cluster.url(), &SchemaName::default()).await.unwrap();
    moves::watch(&cluster.url()).await;
    let database = Database::at(cluster.url());
    (cluster, database)
}

/// Waits until the condition holds, and fails saying `what` did not come about.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    eventually_some(what, async || condition().await.then_some(())).await;
}

/// Waits until there is something, and returns it.
pub(crate) async fn eventually_some<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(GLANCE).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("after {PATIENCE:?}: not yet {what}"))
}

/// The future's output, or a failure after a generous time.
pub(crate) async fn soon<T>(what: &str, future: impl IntoFuture<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future.into_future()).await.unwrap_or_else(|_| panic!("after {PATIENCE:?}: not yet {what}"))
}

async fn server() -> &'static Arc<Cluster> {
    static SERVER: OnceCell<Arc<Cluster>> = OnceCell::const_new();
    SERVER
        .get_or_init(|| async {
            let connections = SERVER_CONNECTIONS.to_string();
            let hasty = [
                ("fsync", "off"),
                ("synchronous_commit", "off"),
                ("full_page_writes", "off"),
                ("max_connections", connections.as_str()),
                ("max_wal_size", "1GB"),
            ];
            let cluster = start("tests", &hasty).await;
            let template = create_named(&cluster, TEMPLATE, "").await;
            migrate(&template, &SchemaName::default()).await.unwrap();
            moves::watch(&template).await;
            cluster
        })
        .await
}

/// Lets a test trace what happens on its own thread. While there is no subscriber, or one, `tracing` asks only the thread that first
/// comes to a span or an event whether anybody wants it; with these two, which want nothing, it asks for each thread.
fn trace_by_thread() {
    static NOBODY: OnceLock<[Dispatch; 2]> = OnceLock::new();
    NOBODY.get_or_init(|| [Dispatch::new(NoSubscriber::new()), Dispatch::new(NoSubscriber::new())]);
}

fn options(name: &str, settings: &[(&str, &str)]) -> ClusterOptions {
    // Before the first engine, which needs a server.
    trace_by_thread();
    ClusterOptions {
        name: name.to_owned(),
        in_memory: true,
        lifetime: Lifetime::Temporary,
        settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..ClusterOptions::default()
    }
}

async fn start(name: &str, settings: &[(&str, &str)]) -> Arc<Cluster> {
    let options = options(name, settings);
    let cluster = tokio::task::spawn_blocking(|| Cluster::start(options)).await.unwrap().unwrap();
    make_logins_cheap(&cluster).await;
    Arc::new(cluster)
}

/// Has passwords checked by MD5: thousands of rounds of SHA-256 without optimisation take longer than most tests.
async fn make_logins_cheap(cluster: &Cluster) {
    let rules = cluster.data_directory().join("pg_hba.conf");
    let stricter = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, stricter.replace("scram-sha-256", "md5")).unwrap();
    let url = cluster.url();
    let (role, password) = url.split_once("://").and_then(|(_, rest)| rest.split_once('@')?.0.split_once(':')).unwrap();
    let script = format!(
        "set password_encryption = 'md5'; alter role {role} password '{password}'; alter system set password_encryption = 'md5'"
    );
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for statement in script.split("; ").chain(["select pg_reload_conf()"]) {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))).await.unwrap();
    }
    connection.close().await.unwrap();
}

async fn create(server: &Cluster, how: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    create_named(server, &name, how).await
}

async fn create_named(server: &Cluster, name: &str, how: &str) -> String {
    let mut connection = PgConnection::connect(&server.url()).await.unwrap();
    connection.execute(sqlx::raw_sql(AssertSqlSafe(format!("create database {name} {how}")))).await.unwrap();
    connection.close().await.unwrap();
    server.database_url(name)
}

/// The statements in a folder, by the name `<table>/<verb>`.
pub(crate) fn statements(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for table in fs::read_dir(folder).unwrap() {
        let table = table.unwrap();
        for file in fs::read_dir(table.path()).unwrap() {
            let file = file.unwrap().path();
            let verb = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let name = format!("{}/{verb}", table.file_name().to_str().unwrap());
            found.insert(name, fs::read_to_string(file).unwrap());
        }
    }
    found
}
