//! The server that is measured: a fresh one, with default durability.

use std::cell::Cell;

use durable::migrate::{SchemaName, migrate};
use durable::sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, raw_sql};
use durable::{Error, Result};
use durable_postgres::{Cluster, ClusterOptions, Lifetime};

/// No checkpoint during a run: its page images would count for the next workload.
const SETTINGS: [(&str, &str); 4] =
    [("shared_buffers", "1GB"), ("max_wal_size", "16GB"), ("checkpoint_timeout", "1h"), ("max_connections", "100")];

/// Only what clients send: statements inside functions are no round trips.
const COUNTING: [(&str, &str); 2] = [("shared_preload_libraries", "pg_stat_statements"), ("pg_stat_statements.track", "top")];

/// A running server, removed when dropped.
pub(crate) struct Server {
    cluster: Cluster,
    counts_statements: bool,
    databases: Cell<u32>,
}

impl Server {
    /// Starts the server, and counts statements if it can.
    pub(crate) fn start() -> Result<Self> {
        let counting = start(SETTINGS.iter().chain(&COUNTING));
        let counts_statements = counting.is_ok();
        // The library has a package of its own, which may not be installed.
        let cluster = counting.or_else(|_| start(SETTINGS.iter()))?;
        Ok(Self { cluster, counts_statements, databases: Cell::new(0) })
    }

    /// Whether the server counts statements.
    pub(crate) fn counts_statements(&self) -> bool {
        self.counts_statements
    }

    /// The id of the server's first process.
    pub(crate) fn postmaster(&self) -> Result<u32> {
        self.cluster.postmaster_pid().ok_or_else(|| Error::new("the server has gone; see why in its log"))
    }

    /// The url of a new database with the schema in it.
    pub(crate) async fn database(&self) -> Result<String> {
        let nth = self.databases.replace(self.databases.get() + 1);
        let name = format!("bench_{nth}");
        let mut connection = PgConnection::connect(&self.cluster.url()).await?;
        connection.execute(raw_sql(AssertSqlSafe(format!("create database {name}")))).await?;
        connection.close().await?;
        let url = self.cluster.database_url(&name);
        migrate(&url, &SchemaName::default()).await?;
        if self.counts_statements {
            let mut connection = PgConnection::connect(&url).await?;
            connection.execute("create extension pg_stat_statements").await?;
            connection.close().await?;
        }
        Ok(url)
    }
}

fn start<'a>(settings: impl Iterator<Item = &'a (&'a str, &'a str)>) -> Result<Cluster, durable_postgres::Error> {
    Cluster::start(ClusterOptions {
        name: "bench".to_owned(),
        lifetime: Lifetime::Temporary,
        settings: settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..ClusterOptions::default()
    })
}
