//! What a piece of work costs: time, statements, transactions, write-ahead log and processor.

use std::time::{Duration, Instant};

use durable::Result;
use durable::sqlx::{Connection, Executor, PgConnection, Row, query};

use crate::cluster::Server;
use crate::processes;

/// Used if statements are counted. The third value is the number of transactions so far that wrote something.
const READ: &str = "select
    (select coalesce(sum(calls), 0) from pg_stat_statements(false)
     where dbid = (select oid from pg_database where datname = current_database()))::float8,
    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8,
    pg_snapshot_xmax(pg_current_snapshot())::text::float8";

/// Used otherwise: each operation of the engine is one statement and one transaction.
const READ_WITHOUT_COUNTS: &str = "select
    pg_snapshot_xmax(pg_current_snapshot())::text::float8,
    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::float8,
    pg_snapshot_xmax(pg_current_snapshot())::text::float8";

/// A connection whose statements are the bench's own, and not counted.
pub(crate) async fn uncounted(url: &str) -> Result<PgConnection> {
    let mut connection = PgConnection::connect(url).await?;
    // If statements are not counted, this setting has no effect.
    connection.execute("set pg_stat_statements.track = 'none'").await?;
    Ok(connection)
}

/// Reads the counters of one database, its server and this process.
pub(crate) struct Meter<'server> {
    server: &'server Server,
    connection: PgConnection,
}

/// The counters at one moment.
pub(crate) struct Reading {
    database: Counters,
    worker_cpu: Duration,
    postgres_cpu: Duration,
    at: Instant,
}

#[derive(Clone, Copy)]
struct Counters {
    statements: f64,
    wal_bytes: f64,
    transactions: f64,
}

/// What was spent between two moments.
pub(crate) struct Spent {
    pub(crate) seconds: f64,
    pub(crate) statements: f64,
    pub(crate) transactions: f64,
    pub(crate) wal_bytes: f64,
    pub(crate) worker_cpu: f64,
    pub(crate) postgres_cpu: f64,
}

/// How fast items went, and what each cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Throughput {
    /// Items per second.
    pub(crate) rate: f64,
    pub(crate) statements: f64,
    pub(crate) transactions: f64,
    pub(crate) wal_bytes: f64,
    /// Microseconds.
    pub(crate) worker_cpu_us: f64,
    /// Microseconds.
    pub(crate) postgres_cpu_us: f64,
}

impl<'server> Meter<'server> {
    pub(crate) async fn open(server: &'server Server, url: &str) -> Result<Self> {
        let mut meter = Self { server, connection: uncounted(url).await? };
        // Prepares the statement, so that the readings themselves cost next to nothing.
        meter.counters().await?;
        Ok(meter)
    }

    /// The counters now, just before the work.
    pub(crate) async fn start(&mut self) -> Result<Reading> {
        let database = self.counters().await?;
        let postgres_cpu = processes::server_cpu(self.server.postmaster()?)?;
        let worker_cpu = processes::own_cpu()?;
        Ok(Reading { database, worker_cpu, postgres_cpu, at: Instant::now() })
    }

    /// What was spent since the start, just after the work.
    pub(crate) async fn spent_since(&mut self, start: Reading) -> Result<Spent> {
        let seconds = start.at.elapsed().as_secs_f64();
        let worker_cpu = processes::own_cpu()?.saturating_sub(start.worker_cpu);
        let postgres_cpu = processes::server_cpu(self.server.postmaster()?)?.saturating_sub(start.postgres_cpu);
        let database = self.counters().await?;
        Ok(Spent {
            seconds,
            statements: database.statements - start.database.statements,
            transactions: database.transactions - start.database.transactions,
            wal_bytes: database.wal_bytes - start.database.wal_bytes,
            worker_cpu: worker_cpu.as_secs_f64(),
            postgres_cpu: postgres_cpu.as_secs_f64(),
        })
    }

    async fn counters(&mut self) -> Result<Counters> {
        let read = if self.server.counts_statements() { READ } else { READ_WITHOUT_COUNTS };
        let row = query(read).fetch_one(&mut self.connection).await?;
        Ok(Counters { statements: row.try_get(0)?, wal_bytes: row.try_get(1)?, transactions: row.try_get(2)? })
    }
}

impl Spent {
    /// The same, for each of so many items.
    pub(crate) fn per_item(&self, items: usize) -> Throughput {
        let items = items as f64;
        Throughput {
            rate: items / self.seconds,
            statements: self.statements / items,
            transactions: self.transactions / items,
            wal_bytes: self.wal_bytes / items,
            worker_cpu_us: self.worker_cpu * 1e6 / items,
            postgres_cpu_us: self.postgres_cpu * 1e6 / items,
        }
    }
}

impl Throughput {
    /// Worker and Postgres together, in microseconds.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.worker_cpu_us + self.postgres_cpu_us
    }

    /// The run whose rate is in the middle; runs are several, or this is a run of no items.
    pub(crate) fn median(mut runs: Vec<Self>) -> Self {
        runs.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        runs[runs.len() / 2]
    }
}
