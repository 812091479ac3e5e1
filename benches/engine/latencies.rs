//! Times from one moment to another, and their percentiles.

use std::time::{Duration, Instant};

use durable::Result;
use durable::sqlx::{Connection, Executor, PgConnection, query};

/// Before each measured moment, so that what the last one left behind does not slow the next.
const SETTLING: Duration = Duration::from_millis(5);

/// Times of one kind.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    milliseconds: Vec<f64>,
}

impl Latencies {
    pub(crate) fn push(&mut self, milliseconds: f64) {
        let place = self.milliseconds.partition_point(|earlier| *earlier < milliseconds);
        self.milliseconds.insert(place, milliseconds);
    }

    /// Adds the time that passed since then.
    pub(crate) fn push_since(&mut self, start: Instant) {
        self.push(start.elapsed().as_secs_f64() * 1e3);
    }

    pub(crate) fn p50(&self) -> f64 {
        self.percentile(50)
    }

    pub(crate) fn p95(&self) -> f64 {
        self.percentile(95)
    }

    pub(crate) fn p99(&self) -> f64 {
        self.percentile(99)
    }

    /// The smallest time that so many of a hundred do not exceed.
    fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.milliseconds.len() * percent).div_ceil(100);
        self.milliseconds.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }
}

/// Lets the process and the server come to rest.
pub(crate) async fn settle() {
    tokio::time::sleep(SETTLING).await;
}

/// Commits of a single row over one connection: the yardstick for every latency, taken in turn with it.
pub(crate) struct Commits {
    connection: PgConnection,
    pub(crate) latencies: Latencies,
}

impl Commits {
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let mut connection = PgConnection::connect(url).await?;
        connection.execute("create table if not exists public.commits (id bigint generated always as identity primary key, body text not null)").await?;
        let mut commits = Self { connection, latencies: Latencies::default() };
        // The first one prepares the statement.
        commits.commit().await?;
        commits.latencies = Latencies::default();
        Ok(commits)
    }

    pub(crate) async fn commit(&mut self) -> Result<()> {
        settle().await;
        let start = Instant::now();
        query("insert into public.commits (body) values ($1)").bind("one row").execute(&mut self.connection).await?;
        self.latencies.push_since(start);
        Ok(())
    }
}
