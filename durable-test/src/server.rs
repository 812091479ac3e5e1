//! The server of all tests: found or started once in a process, with a migrated database that the databases of tests are copies of.

use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;
use std::sync::OnceLock;

use durable::migrate::{self, SchemaName};
use durable_postgres::{Cluster, ClusterOptions, Lifetime};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The server to use, if not one of our own: its role must be allowed to create databases.
const VARIABLE: &str = "DURABLE_TEST_DATABASE_URL";

/// The name of the private server, which lives on between runs.
const CLUSTER: &str = "test";

/// Nothing in it outlives a test, so it need not survive a crash.
const SETTINGS: [(&str, &str); 8] = [
    ("autovacuum", "off"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("jit", "off"),
    ("max_connections", "500"),
    ("max_wal_size", "4GB"),
    ("shared_buffers", "128MB"),
    ("synchronous_commit", "off"),
];

/// Most connections that a test opens: of its client, and of two workers.
const CONNECTIONS_OF_A_TEST: usize = 16;

/// Connections that are left for others: superusers, and tests of other processes that begin at the same time.
const SPARE_CONNECTIONS: usize = 50;

/// The lock under which the template is made, of this server and not of Durable: any number that nothing else uses.
const TEMPLATE_LOCK: i64 = 0x6475_7261_626c_6574;

/// The server of this process.
pub(crate) struct Server {
    options: PgConnectOptions,
    template: String,
    permits: Semaphore,
}

impl Server {
    /// The server; the first call of a process starts it. Must not be called on a runtime.
    pub(crate) fn shared() -> Result<&'static Self, String> {
        static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
        SERVER.get_or_init(Self::start).as_ref().map_err(Clone::clone)
    }

    fn start() -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed_to("start a runtime"))?;
        match std::env::var(VARIABLE) {
            Ok(url) if !url.trim().is_empty() => {
                let options = migrate::connect_options(&url).map_err(failed_to(&format!("read {VARIABLE}")))?;
                runtime.block_on(Self::prepare(options, None))
            }
            _ => {
                let cluster = Cluster::start(cluster_options()).map_err(|error| no_server(&error))?;
                let url = cluster.url();
                let options = PgConnectOptions::from_str(&url).map_err(failed_to("read the address of the server"))?;
                runtime.block_on(Self::prepare(options, password(&url)))
            }
        }
    }

    /// Makes the template, if it is missing, and removes what killed tests have left.
    async fn prepare(options: PgConnectOptions, own_password: Option<&str>) -> Result<Self, String> {
        let options = options.application_name("durable-test").disable_statement_logging();
        let template = template_name()?;
        let mut admin = connect(&options).await?;
        if let Some(password) = own_password {
            make_logins_cheap(&mut admin, password).await.map_err(failed_to("prepare the role of the server"))?;
        }
        make_template(&mut admin, &options, &template).await?;
        sweep(&mut admin).await;
        let connections: i32 = sqlx::query_scalar("select current_setting('max_connections')::int")
            .fetch_one(&mut admin)
            .await
            .map_err(failed_to("ask the server for its limit of connections"))?;
        let _ = admin.close().await;
        let connections = usize::try_from(connections).unwrap_or_default().saturating_sub(SPARE_CONNECTIONS);
        Ok(Self { options, template, permits: Semaphore::new((connections / CONNECTIONS_OF_A_TEST).max(1)) })
    }

    /// Waits until the server has connections for one more test.
    pub(crate) async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        self.permits.acquire().await.ok()
    }

    pub(crate) fn template(&self) -> &str {
        &self.template
    }

    /// How to connect to a database of this server.
    pub(crate) fn connect_options(&self, database: &str) -> PgConnectOptions {
        self.options.clone().database(database)
    }

    /// A connection to the database that all roles may use.
    pub(crate) async fn admin(&self) -> Result<PgConnection, String> {
        connect(&self.options).await
    }
}

fn cluster_options() -> ClusterOptions {
    ClusterOptions {
        name: CLUSTER.to_owned(),
        lifetime: Lifetime::Persistent,
        settings: SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..ClusterOptions::default()
    }
}

fn no_server(error: &durable_postgres::Error) -> String {
    format!(
        "failed to start a Postgres for tests: {error}\nInstall the server programs of PostgreSQL, or set {VARIABLE} to the address of a \
         server whose role may create databases"
    )
}

fn failed_to<E: Display>(what: &str) -> impl Fn(E) -> String {
    move |error| format!("failed to {what}: {error}")
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, String> {
    let address = migrate::describe_address(options);
    PgConnection::connect_with(options).await.map_err(failed_to(&format!("connect to the server of the tests, {address}")))
}

fn password(url: &str) -> Option<&str> {
    url.split_once("://")?.1.split_once('@')?.0.split_once(':').map(|(_, password)| password)
}

/// Thousands of rounds of SHA-256 for each login would take longer than most tests, in builds without optimisation.
async fn make_logins_cheap(admin: &mut PgConnection, password: &str) -> Result<(), sqlx::Error> {
    if sqlx::query_scalar(include_str!("sql/cheap_logins.sql")).fetch_one(&mut *admin).await? {
        let password = password.replace('\'', "''");
        run(admin, format!("set scram_iterations = 1; alter role current_user password '{password}'")).await?;
    }
    Ok(())
}

/// The name of the template: a database for each version of the schema, so that no test copies an old one.
fn template_name() -> Result<String, String> {
    let script = migrate::sql(0, migrate::VERSION, &SchemaName::default()).map_err(failed_to("read the schema of durable"))?;
    let mut hasher = DefaultHasher::new();
    script.hash(&mut hasher);
    Ok(format!("durable_test_template_{:016x}", hasher.finish()))
}

async fn make_template(admin: &mut PgConnection, options: &PgConnectOptions, template: &str) -> Result<(), String> {
    if exists(admin, template).await? {
        return Ok(());
    }
    let failed = || format!("make the database `{template}`");
    sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut *admin).await.map_err(failed_to(&failed()))?;
    if exists(admin, template).await? {
        return Ok(());
    }
    // Under another name until it is whole: a process that dies over it leaves nothing that a test would copy.
    let unfinished = format!("{template}_unfinished");
    run(admin, format!("drop database if exists {unfinished} with (force)")).await.map_err(failed_to(&failed()))?;
    run(admin, format!("create database {unfinished} template template0 encoding 'UTF8'")).await.map_err(failed_to(&failed()))?;
    migrate::migrate(options.clone().database(&unfinished), &SchemaName::default()).await.map_err(failed_to(&failed()))?;
    run(admin, format!("alter database {unfinished} rename to {template}")).await.map_err(failed_to(&failed()))
}

async fn exists(admin: &mut PgConnection, database: &str) -> Result<bool, String> {
    let found = sqlx::query_scalar("select exists (select from pg_catalog.pg_database where datname = $1)");
    found.bind(database).fetch_one(admin).await.map_err(failed_to("list the databases of the server"))
}

/// Drops the databases of tests that were killed. What cannot be dropped is in use, or left for a later run.
async fn sweep(admin: &mut PgConnection) {
    let found = sqlx::query_scalar(include_str!("sql/abandoned.sql")).fetch_all(&mut *admin).await;
    for database in found.unwrap_or_default() {
        let database: String = database;
        let _ = run(admin, format!("drop database if exists {database}")).await;
    }
}

/// Runs text that this crate has put together from names of its own, one statement after the other.
pub(crate) async fn run(connection: &mut PgConnection, statements: String) -> Result<(), sqlx::Error> {
    for statement in statements.split("; ") {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))).await?;
    }
    Ok(())
}
