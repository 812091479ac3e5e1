//! What people ask about very many executions: pages of a list, one execution, figures about all of them.

use std::time::Instant;

use durable::sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, raw_sql};
use durable::{Durable, ExecutionId, ExecutionList, ExecutionState, Result};
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

/// Every execution has two steps.
const STEPS: &str = "insert into durable.checkpoints (execution_id, started_at, finished_at, attempt, key, output)
    select execution_id, created_at, created_at + interval '1 second', 1, step, '1'
    from durable.executions
    cross join unnest(array['step one', 'step two']) as step;
    vacuum (analyze) durable.checkpoints";

/// The entry of the report, in milliseconds; figures about all executions in seconds.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Figures {
    executions: usize,
    rare_tag_p95_ms: f64,
    common_tag_p95_ms: f64,
    two_tags_p95_ms: f64,
    tag_and_state_p95_ms: f64,
    later_page_p95_ms: f64,
    without_tag_p95_ms: f64,
    get_p95_ms: f64,
    introspect_p95_ms: f64,
    analytics_of_a_tag_ms: f64,
    analytics_s: f64,
}

pub(crate) async fn measure(bench: &Bench, table: &mut Table) -> Result<Figures> {
    let executions = bench.scale.pending;
    announce(&format!("lists of executions with a tag, {executions} stored"));
    let url = bench.server.database().await?;
    let mut connection = PgConnection::connect(&url).await?;
    connection.execute(raw_sql(AssertSqlSafe(fill(executions, "null")))).await?;
    for statement in TAGS.split(';').chain(STEPS.split(';')) {
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
    let ids: Vec<ExecutionId> =
        client.list_executions().limit(1000).await?.executions.iter().map(|execution| execution.id).collect();
    let (mut got, mut introspected) = (Latencies::default(), Latencies::default());
    for id in ids.into_iter().step_by(1000 / PAGES) {
        let start = Instant::now();
        client.get_execution(id).await?;
        got.push_since(start);
        let start = Instant::now();
        client.introspect(id).await?;
        introspected.push_since(start);
    }
    table.latency(&format!("Get an execution, {executions} stored"), &got, None);
    table.latency(&format!("Introspect an execution, {executions} stored"), &introspected, None);
    (figures.get_p95_ms, figures.introspect_p95_ms) = (got.p95(), introspected.p95());
    let start = Instant::now();
    client.list_executions().tag("tenant", "123").analytics().await?;
    figures.analytics_of_a_tag_ms = start.elapsed().as_secs_f64() * 1000.0;
    let start = Instant::now();
    client.list_executions().analytics().await?;
    figures.analytics_s = start.elapsed().as_secs_f64();
    table.note(format!(
        "Analytics: {:.1} s for {executions} executions of two steps, {:.0} ms for the thousandth part with a tag.",
        figures.analytics_s, figures.analytics_of_a_tag_ms
    ));
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
