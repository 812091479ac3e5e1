//! Claims: what taking a hundred executions costs with few and with many pending, and with limits that have to be counted.

use std::time::Instant;

use durable::Result;
use durable::sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, query_scalar, raw_sql};
use serde::Serialize;

use super::announce;
use crate::Bench;
use crate::latencies::Latencies;
use crate::report::Table;

/// Executions that a claim asks for.
const ROOM: i32 = 100;

/// Claims that are measured; each takes what the one before has left.
const CLAIMS: usize = 9;

/// As an engine's connection plans.
const SETTINGS: &str = "set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_bitmapscan = off; set enable_nestloop = off; set enable_sort = off; set jit = off";

const WORKER: &str = "insert into durable.workers (worker_id, host, process_id, queues, started_at, lease_until)
    select '00000000-0000-0000-0000-000000000001', 'here', 1, '{default}', durable.now(), durable.now() + interval '1 day'";

const CLAIM: &str = "select count(*) from durable.claim(
    '00000000-0000-0000-0000-000000000001', 'default', $1,
    array['one_step'], array[1], array[null::float8], array['one_step@1'], array[1])";

/// Milliseconds of a claim, the median, by what is pending.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    unlimited: Vec<Cost>,
    concurrency: Vec<Cost>,
    rate: Vec<Cost>,
    keys: Vec<Cost>,
}

#[derive(Debug, Serialize)]
struct Cost {
    pending: usize,
    p50_ms: f64,
    p95_ms: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    Ok(Figures {
        unlimited: by_pending(bench, table, "no limits", None, "null").await?,
        concurrency: by_pending(bench, table, "concurrency", Some("concurrency => 1000000"), "null").await?,
        rate: by_pending(bench, table, "rate", Some("rate => 1000000, rate_period => '1 s'"), "null").await?,
        keys: by_pending(bench, table, "1 of each key", None, "'key ' || n").await?,
    })
}

/// The cost with a thousand executions pending, a hundred thousand and a million, or what the scale allows.
async fn by_pending(bench: &Bench, table: &mut Table, what: &str, limits: Option<&str>, key: &str) -> Result<Vec<Cost>> {
    let mut costs = Vec::new();
    for pending in [1_000, 100_000, 1_000_000].into_iter().filter(|pending| *pending <= bench.scale.pending) {
        announce(&format!("claims, {what}, {pending} pending"));
        let claims = claims(bench, pending, limits, key).await?;
        table.latency(&format!("Claim of 100, {what}, {pending} pending"), &claims, None);
        costs.push(Cost { pending, p50_ms: claims.p50(), p95_ms: claims.p95() });
    }
    Ok(costs)
}

async fn claims(bench: &Bench, pending: usize, limits: Option<&str>, key: &str) -> Result<Latencies> {
    let url = bench.server.database().await?;
    if let Some(limits) = limits {
        let set = format!("select durable.set_queue_limits('default', {limits})");
        PgConnection::connect(&url).await?.execute(raw_sql(AssertSqlSafe(set))).await?;
    }
    let mut claims = Claims::prepare(&url, pending, key).await?;
    let mut latencies = Latencies::default();
    for _ in 0..CLAIMS {
        let start = Instant::now();
        claims.claim().await?;
        latencies.push_since(start);
    }
    Ok(latencies)
}

/// A connection that claims as a worker's does.
pub(crate) struct Claims {
    connection: PgConnection,
}

impl Claims {
    /// Makes so many pending, of this key, and claims once, as the first one plans.
    pub(crate) async fn prepare(url: &str, pending: usize, key: &str) -> Result<Self> {
        let mut connection = PgConnection::connect(url).await?;
        connection.execute(raw_sql(SETTINGS)).await?;
        connection.execute(WORKER).await?;
        connection.execute(raw_sql(AssertSqlSafe(fill(pending, key)))).await?;
        connection.execute("checkpoint").await?;
        let mut claims = Self { connection };
        claims.claim().await?;
        Ok(claims)
    }

    /// Claims a hundred.
    pub(crate) async fn claim(&mut self) -> Result<i64> {
        Ok(query_scalar(CLAIM).bind(ROOM).fetch_one(&mut self.connection).await?)
    }
}

/// Makes executions of one step pending.
pub(crate) fn fill(pending: usize, key: &str) -> String {
    format!(
        "insert into durable.executions (
             execution_id, created_at, version, priority, workflow, queue, input, state, epoch, claims, rank, concurrency_key
         )
         select durable.new_id(), durable.now(), 1, 0, 'one_step', 'default', '1', 'pending', 0, 0, durable.now(), {key}
         from generate_series(1, {pending}) as n"
    )
}
