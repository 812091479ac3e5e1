//! Rows whose columns hold whatever their types allow, by the hundred: they spoil their own executions and nothing else.
//!
//! A seed decides what is written; `DURABLE_ROWS_SEED=42 cargo test odd_rows` tries another than the usual one.

use std::time::Duration;

use durable::prelude::*;
use sqlx::{AssertSqlSafe, Executor, raw_sql};

use crate::support::{self, Database, PATIENCE, clock, eventually, soon};

/// Names another seed.
const SEED: &str = "DURABLE_ROWS_SEED";

/// Executions that are spoiled, and as many that are not.
const EXECUTIONS: usize = 150;

/// The columns of rows that belong to an execution, but those that say to which.
const COLUMNS: &str = "
    select columns.table_name || ' ' || columns.column_name || ' ' || columns.udt_name
    from information_schema.columns
    where columns.table_schema = 'durable'
      and columns.column_name <> 'execution_id'
      and columns.table_name in ('executions', 'waits', 'checkpoints', 'attempts', 'mailbox')
    order by 1";

/// Every value that a person or a later release may write: without what the tables check.
const UNCHECKED: &str = "
    do $do$
    declare
        named record;
    begin
        for named in
            select conrelid::regclass as of, conname from pg_constraint where contype = 'c' and connamespace = 'durable'::regnamespace
        loop
            execute format('alter table %s drop constraint %I', named.of, named.conname);
        end loop;
    end $do$";

/// Gives an execution a row in each table.
const MORE_ROWS: &str = "
    insert into durable.attempts (execution_id, key, attempt, started_at, retry_at)
    values ('{id}', 'step wake', 1, durable.now(), durable.now());
    select durable.send_event('{id}', 'news', '1')";

/// Plans, sleeps a minute, and wakes.
struct Night;

#[workflow]
impl Night {
    async fn run(&self, cx: &Context, number: usize) -> Result<usize> {
        let planned = self.plan(number).await?;
        cx.sleep(minutes(1)).await?;
        self.wake(planned).await
    }

    #[step]
    async fn plan(&self, number: usize) -> Result<usize> {
        Ok(number)
    }

    #[step]
    async fn wake(&self, number: usize) -> Result<usize> {
        Ok(number)
    }
}

/// Values of a type, as SQL; `{id}` is the execution's.
fn values_of(of_type: &str) -> &'static [&'static str] {
    match of_type {
        "timestamptz" => {
            &["'infinity'", "'-infinity'", "'294276-12-31 23:59'", "'290000-01-01'", "'4713-01-01 BC'", "'1970-01-01'", "null"]
        }
        "interval" => &["'178000000 years'", "'-178000000 years'", "'1 microsecond'", "null"],
        "json" => &[
            r#"'"\ud800"'"#,
            r#"'{"a": 1e400}'"#,
            r#"'["\u0000 and \udc00"]'"#,
            "'null'",
            "'{}'",
            "'[[[]]]'",
            "(repeat('[', 300) || repeat(']', 300))::json",
            "to_json(repeat('x', 3000000))",
            r#"'{"kind": "dreamt", "message": 7}'"#,
            "null",
        ],
        "int2" => &["-32768", "32767", "-1", "0", "null"],
        "int4" => &["-2147483648", "2147483647", "-1", "0", "null"],
        "int8" => &["-9223372036854775808", "9223372036854775807", "-1", "0", "null"],
        "uuid" => &["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'", "'{id}'", "null"],
        "bool" => &["true", "false", "null"],
        "float8" => &["'NaN'", "'infinity'", "'-infinity'", "1e308", "null"],
        "text" => {
            &["''", "'dreaming'", r"E'na\np\t'", r"E'\u2028 \u202e'", "'step wake'", "'%s {} \"'", "repeat('é', 3000)", "null"]
        }
        "_text" => &["'{}'", "array[null]", "array['', 'a']", "null"],
        other => panic!("add odd values of the type {other}"),
    }
}

/// Writes odd values into one to three columns of an execution's rows; returns the statements that the tables took.
async fn spoil(database: &Database, random: &mut fastrand::Rng, columns: &[String], id: ExecutionId) -> Vec<String> {
    let mut written = Vec::new();
    for _ in 0..random.usize(1..=3) {
        let column: Vec<&str> = columns[random.usize(..columns.len())].split(' ').collect();
        let [table, column, of_type] = column[..] else { panic!("not three words: {column:?}") };
        let values = values_of(of_type);
        let value = values[random.usize(..values.len())];
        let sql = format!("update durable.{table} set {column} = {value} where execution_id = '{{id}}'");
        let sql = sql.replace("{id}", &id.to_string());
        // A column that must not be null, or a name that must be unique, refuses it.
        if database.pool().execute(raw_sql(AssertSqlSafe(sql.clone()))).await.is_ok() {
            written.push(sql);
        }
    }
    written
}

#[tokio::test]
async fn whatever_the_rows_of_some_executions_hold_the_others_finish_and_all_are_shown() {
    let seed = std::env::var(SEED).map_or(1, |seed| seed.parse().unwrap());
    println!("{SEED}={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let database = support::database().await;
    database.run(UNCHECKED).await;
    clock::freeze(&database).await;
    let columns = database.values::<String>(COLUMNS).await;
    // Whatever is claimed is replayed, so that journals are loaded, too.
    let worker = database.builder().register(Night).cached_executions(0).max_claims(3).start().await.unwrap();
    let odd = worker.start_many::<Night>((0..EXECUTIONS).collect::<Vec<_>>()).await.unwrap();
    let healthy = worker.start_many::<Night>((0..EXECUTIONS).collect::<Vec<_>>()).await.unwrap();
    let asleep = "select count(*) from durable.executions where state = 'waiting'";
    eventually("all sleep", async || database.count(asleep).await == i64::try_from(2 * EXECUTIONS).unwrap()).await;

    let mut spoiled = 0;
    for execution in &odd {
        database.run(&MORE_ROWS.replace("{id}", &execution.id().to_string())).await;
        let written = spoil(&database, &mut random, &columns, execution.id()).await;
        println!("{}: {written:?}", execution.id());
        spoiled += usize::from(!written.is_empty());
    }
    assert!(spoiled > EXECUTIONS / 2, "{spoiled} of {EXECUTIONS} are spoiled");

    clock::turn(&database, minutes(2)).await;
    for (number, execution) in healthy.iter().enumerate() {
        assert_eq!(execution.result_within(PATIENCE).await.unwrap(), number);
    }
    let listed = worker.list_executions().include_archived().limit(1000).await.unwrap().executions;
    assert_eq!(listed.len(), 2 * EXECUTIONS);
    for execution in &healthy {
        let listed = listed.iter().find(|listed| listed.id == execution.id()).unwrap();
        assert_eq!(listed.unreadable, None);
    }
    for execution in &odd {
        worker.get_execution(execution.id()).await.unwrap();
        // It is cancelled, or refused with a reason.
        let _ = soon("it is cancelled or refused", worker.cancel(execution.id(), "it is odd")).await;
    }
    worker.list_executions().include_archived().count_by_state().await.unwrap();
    worker.pending_inputs().await.unwrap();
    soon("the doctor is done", database.builder().examine()).await.unwrap();
    // The next heartbeat says what the worker met.
    database.run("update durable.workers set troubles = '{\"asked\": true}'").await;
    let said = "select coalesce(troubles, '{}')::text from durable.workers where troubles ->> 'asked' is null";
    let troubles: String = database.eventually_value(said).await;
    assert!(!troubles.contains(r#""panics":[{"#), "{troubles}");
    soon("it shuts down", worker.shutdown_within(Duration::from_secs(1))).await.unwrap();
}
