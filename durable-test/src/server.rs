//! The server of all tests: found or started once in a process, with a migrated database that the databases of tests are copies
//! of.

use std::fmt::Display;
#[cfg(unix)]
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::str::FromStr;
use std::sync::OnceLock;

use durable::migrate::{self, SchemaName};
#[cfg(unix)]
use durable_postgres::{Cluster, ClusterOptions, Lifetime};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The server to use, if not one of our own: its role must be allowed to create databases.
const VARIABLE: &str = "DURABLE_TEST_DATABASE_URL";

/// The beginning of the name of the private server, which lives on between runs.
#[cfg(unix)]
const CLUSTER: &str = "test";

/// Nothing in it outlives a test, so it need not survive a crash.
#[cfg(unix)]
const SETTINGS: [(&str, &str); 8] = [
    ("autovacuum", "off"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("jit", "off"),
    ("max_connections", "500"),
    // The log may be in memory.
    ("max_wal_size", "512MB"),
    ("shared_buffers", "128MB"),
    ("synchronous_commit", "off"),
];

/// Most connections that a test opens: of its client, and of two workers.
const CONNECTIONS_OF_A_TEST: usize = 16;

/// Connections that are left for others: superusers, and tests of other processes that begin at the same time.
const SPARE_CONNECTIONS: usize = 50;

/// The lock under which a process prepares the server: any number that nothing else uses.
const PREPARING: i64 = 0x6475_7261_626c_6574;

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
                let own = OwnServer::start()?;
                let options = PgConnectOptions::from_str(&own.url).map_err(failed_to("read the address of the server"))?;
                runtime.block_on(Self::prepare(options, Some(&own)))
            }
        }
    }

    /// Makes the template, if it is missing, and removes what killed tests have left.
    async fn prepare(options: PgConnectOptions, own: Option<&OwnServer>) -> Result<Self, String> {
        let options = options.application_name("durable-test").disable_statement_logging();
        let template = template_name()?;
        let mut admin = connect(&options).await?;
        // Another process may do the same at this moment. The lock ends with the connection.
        let locked = sqlx::query("select pg_advisory_lock($1)").bind(PREPARING).execute(&mut admin).await;
        locked.map_err(failed_to("lock the server of the tests"))?;
        if let Some(own) = own {
            own.make_logins_cheap(&mut admin).await.map_err(failed_to("prepare the role of the server"))?;
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

/// The private server.
struct OwnServer {
    url: String,
    #[cfg(unix)]
    cluster: Cluster,
}

#[cfg(unix)]
impl OwnServer {
    fn start() -> Result<Self, String> {
        let start = || {
            let binaries = durable_postgres::find_binaries()?;
            Cluster::start(ClusterOptions {
                // The files of one major version are of no use to another.
                name: format!("{CLUSTER}-{}", binaries.major()),
                in_memory: true,
                lifetime: Lifetime::Persistent,
                settings: SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
                binaries: Some(binaries),
                ..ClusterOptions::default()
            })
        };
        let cluster = start().map_err(|error| no_server(&error))?;
        Ok(Self { url: cluster.url(), cluster })
    }

    /// Thousands of rounds of SHA-256 for each login would take longer than most tests, in builds without optimisation.
    async fn make_logins_cheap(&self, admin: &mut PgConnection) -> Result<(), sqlx::Error> {
        let way: Option<String> = sqlx::query_scalar(include_str!("sql/cheap_logins.sql")).fetch_one(&mut *admin).await?;
        let (Some(way), Some(password)) = (way, password(&self.url)) else { return Ok(()) };
        let password = password.replace('\'', "''");
        if way == "scram" {
            return run(admin, format!("set scram_iterations = 1; alter role current_user password '{password}'")).await;
        }
        // Before PostgreSQL 16 the number of rounds is fixed. With these rules the server accepts both kinds of passwords.
        let rules = self.cluster.data_directory().join("pg_hba.conf");
        let stricter = fs::read_to_string(&rules)?;
        fs::write(&rules, stricter.replace("scram-sha-256", "md5"))?;
        let role = format!("alter role current_user password '{password}'");
        run(admin, format!("select pg_reload_conf(); set password_encryption = 'md5'; {role}")).await
    }
}

#[cfg(not(unix))]
impl OwnServer {
    fn start() -> Result<Self, String> {
        Err(no_server(&"a private server works on Linux and macOS only"))
    }

    async fn make_logins_cheap(&self, _admin: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

fn no_server(error: &dyn Display) -> String {
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

#[cfg(unix)]
fn password(url: &str) -> Option<&str> {
    url.split_once("://")?.1.split_once('@')?.0.split_once(':').map(|(_, password)| password)
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
