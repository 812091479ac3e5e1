//! Lists: pages of the executions with a tag, among very many.

use std::time::Instant;

use durable::sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, raw_sql};
use durable::{Durable, ExecutionList, ExecutionState, Result};
use serde::Serialize;

use super::announce;
use super::claims::fill;
use crate::Bench;
use crate::latencies::Latencies;
use crate::report::Table;

/// Pages that are measured of each list.
const PAGES: usize = 100;

/// Every tenant has a thousandth of the executions; every tenth execution belongs to the region, and every hundredth has failed.
const TAGS: &str = "insert into durable.execution_tags (execution_id, name, value)
    select execution_id, name, case when name = 'tenant' then (n % 1000)::text when n % 10 = 0 then 'eu' else 'us' end
    from (select execution_id, row_number() over (order by execution_id) as n from durable.executions) as execution
    cross join unnest(array['tenant', 'region']) as name;
    update durable.executions
    set state = 'failed', finished_at = created_at
    where execution_id in (select execution_id from durable.execution_tags where name = 'tenant' and value like '%7');
    vacuum (analyze) durable.executions, durable.execution_tags";

/// The entry of the report, in milliseconds.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Figures {
    executions: usize,
    rare_tag_p95_ms: f64,
    common_tag_p95_ms: f64,
    two_tags_p95_ms: f64,
    tag_and_state_p95_ms: f64,
    later_page_p95_ms: f64,
    without_tag_p95_ms: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    let executions = bench.scale.pending;
    announce(&format!("lists of executions with a tag, {executions} stored"));
    let url = bench.server.database().await?;
    let mut connection = PgConnection::connect(&url).await?;
    connection.execute(raw_sql(AssertSqlSafe(fill(executions, "null")))).await?;
    for statement in TAGS.split(';') {
        connection.execute(raw_sql(AssertSqlSafe(statement.to_owned()))).await?;
    }
    let client = Durable::builder().database_url(&url).start().await?;
    let tenant = client.list_executions().tag("tenant", "123");
    let region = client.list_executions().tag("region", "eu");
    let failed = client.list_executions().tag("tenant", "7").state(ExecutionState::Failed).workflow("one_step");
    let both = client.list_executions().tag("region", "us").tag("tenant", "123");
    let mut later = region.clone();
    if let Some(cursor) = region.clone().limit(1000).await?.next {
        later = later.after(cursor);
    }
    let all = client.list_executions();
    let mut figures = Figures { executions, ..Figures::default() };
    let lists: [(&str, &mut f64, ExecutionList<'_>); 6] = [
        ("a rare tag", &mut figures.rare_tag_p95_ms, tenant),
        ("a common tag", &mut figures.common_tag_p95_ms, region),
        ("a rare tag and a common one", &mut figures.two_tags_p95_ms, both),
        ("a tag, a state and a workflow", &mut figures.tag_and_state_p95_ms, failed),
        ("a common tag, a later page", &mut figures.later_page_p95_ms, later),
        ("no tag", &mut figures.without_tag_p95_ms, all),
    ];
    for (what, figure, list) in lists {
        let pages = pages(&list).await?;
        table.latency(&format!("Page of 50, {what}, {executions} stored"), &pages, None);
        *figure = pages.p95();
    }
    client.shutdown().await?;
    Ok(figures)
}

/// The time of a page, after one that is not measured.
async fn pages(list: &ExecutionList<'_>) -> Result<Latencies> {
    list.clone().await?;
    let mut latencies = Latencies::default();
    for _ in 0..PAGES {
        let page = list.clone();
        let start = Instant::now();
        page.await?;
        latencies.push_since(start);
    }
    Ok(latencies)
}
