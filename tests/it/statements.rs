//! Statements: Postgres accepts every one of them, with parameters of the types on record.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Postgres, Row, raw_sql};

use crate::support::{self, Database, eventually};

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// After a wanted change: `DURABLE_BLESS=1 cargo test --test it statements`.
#[tokio::test]
async fn every_statement_is_accepted_and_has_the_parameters_on_record() {
    let database = support::database().await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let statements = support::statements(&in_repository("durable-core/src/store/sql"));
    assert!(statements.len() > 20, "found only {}", statements.len());
    for (name, text) in &statements {
        let prepare = format!("prepare \"{name}\" as\n{text}");
        connection.execute(raw_sql(AssertSqlSafe(prepare))).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    // The names of types are on record without quotes.
    connection.execute("set quote_all_identifiers = off").await.unwrap();
    let prepared = sqlx::query(
        "select name, array_to_string(parameter_types, ', ') as types from pg_prepared_statements where from_sql order by name",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let actual: BTreeMap<String, String> = prepared.iter().map(|row| (row.get("name"), row.get("types"))).collect();
    assert_eq!(actual.len(), statements.len());
    let actual: String = actual.iter().map(|(name, types)| format!("{name}({types})\n")).collect();

    let golden = in_repository("tests/it/statements.golden");
    if std::env::var_os("DURABLE_BLESS").is_some() {
        fs::write(&golden, &actual).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(actual, expected, "the parameters changed; if that is wanted, run this test again with DURABLE_BLESS=1");
}

/// A session as the engine opens it to read lists, with a statement that is prepared as `list`.
async fn reader(database: &Database, list: &str) -> PoolConnection<Postgres> {
    let mut connection = database.pool().acquire().await.unwrap();
    let prepared = format!("{}{}prepare list as {list}", setting("session"), setting("plans_for_each_parameter"));
    connection.execute(raw_sql(AssertSqlSafe(prepared))).await.unwrap();
    connection
}

fn statement(name: &str) -> String {
    fs::read_to_string(in_repository("durable-core/src/store/sql").join(name).with_extension("sql")).unwrap()
}

fn setting(name: &str) -> String {
    fs::read_to_string(in_repository("durable-core/src/store/settings").join(name).with_extension("sql")).unwrap()
}

/// The plan of the page itself. A subplan reads the tags of one execution, and from PostgreSQL 16 on it may sort these few.
fn without_subplans(plan: &str) -> String {
    plan.split("SubPlan").next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_page_of_the_newest_executions_is_read_from_the_primary_key_and_not_sorted() {
    let database = support::database().await;
    let mut connection = reader(&database, &statement("executions/list")).await;
    // A table of a test is too small for an index.
    connection.execute("set enable_seqscan = off").await.unwrap();
    let filters = "null, null, null, null, null, null, null, null, null, null";
    let id = "'00000000-0000-7000-8000-000000000001'";
    for (page, is_sorted) in
        [("null, false, null, null", false), (&format!("null, false, 0, {id}"), false), ("'priority', true, null, null", true)]
    {
        let explain = format!("explain (costs off) execute list({filters}, {page}, 50, '{{}}', '{{}}', null)");
        let plan = connection.fetch_all(raw_sql(AssertSqlSafe(explain))).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let plan = without_subplans(&plan.join("\n"));
        assert_eq!(plan.contains("Sort"), is_sorted, "{plan}");
        assert_eq!(plan.contains("Index Scan Backward using executions_pkey"), !is_sorted, "{plan}");
        assert!(!plan.contains("Filter"), "a filter that is null costs nothing: {plan}");
    }
}

#[tokio::test]
async fn a_page_of_the_executions_with_a_tag_is_read_from_the_index_of_tags_and_not_sorted() {
    let database = support::database().await;
    // A few of very many have the tag, so that each plan other than the intended one costs more.
    let fill = "insert into durable.executions (execution_id, created_at, version, priority, workflow, queue, input, state, epoch, claims, rank)
        select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, now(), 1, 0, 'ship', 'default', 'null', 'pending', 0, 0, now()
        from generate_series(1, 20000) as n;
        insert into durable.execution_tags (execution_id, name, value)
        select execution_id, name, case name when 'tenant' then 'tenant ' || right(execution_id::text, 2) else right(execution_id::text, 4) end
        from durable.executions
        cross join unnest(array['tenant', 'order']) as name;
        analyze durable.executions, durable.execution_tags";
    database.run(fill).await;
    let mut connection = reader(&database, &statement("executions/list")).await;
    let id = "'00000000-0000-7000-8000-000000010000'";
    let filters = "null, 'ship', null, null, null, null, null, null, null, null";
    for (page, tags, joins) in [
        ("null, false, null, null", "'{tenant}', '{tenant 07}'", 1),
        (&format!("null, false, 0, {id}"), "'{tenant}', '{tenant 07}'", 1),
        ("null, false, null, null", "'{tenant,order}', '{tenant 07,0107}'", 2),
    ] {
        let explain = format!("explain (costs off) execute list({filters}, {page}, 20, {tags}, null)");
        let plan = connection.fetch_all(raw_sql(AssertSqlSafe(explain))).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("execution_tags_by_value"), "{plan}");
        assert!(!plan.contains("Seq Scan on executions"), "{plan}");
        // Besides the tags that are shown, those that are filtered by, and no more.
        assert_eq!(plan.matches("on execution_tags").count(), joins + 1, "{plan}");
        let is_sorted = joins > 1;
        assert!(is_sorted || !without_subplans(&plan).contains("Sort Key"), "{plan}");
    }
}

#[tokio::test]
async fn a_page_reads_no_more_executions_than_it_shows() {
    let database = support::database().await;
    let fill = "insert into durable.executions (execution_id, created_at, version, priority, workflow, queue, input, state, epoch, claims, rank)
        select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, now(), 1, 0, 'ship', 'default', 'null', 'pending', 0, 0, now()
        from generate_series(1, 20000) as n;
        analyze durable.executions";
    database.run(fill).await;
    let client = database.client().await;
    let read =
        "select seq_tup_read + idx_tup_fetch from pg_stat_user_tables where schemaname = 'durable' and relname = 'executions'";
    let before = database.count(read).await;
    let page = client.list_executions().workflow("ship").limit(50).await.unwrap();
    assert_eq!(page.executions.len(), 50);
    eventually("the server has counted what the page read", async || database.count(read).await > before).await;
    let read = database.count(read).await - before;
    assert!(read < 500, "the page read {read} executions");
}
