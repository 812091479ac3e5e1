//! Migrating: a schema comes up to date whole or not at all, once, and whoever may not is told what to do.

mod made_up;

use std::pin::pin;
use std::task::Poll;

use durable_migrate::{
    Error, FunctionsState, SchemaName, SchemaVersion, VERSION, accept_version, check, grants, migrate, migrations, sql, status,
    version,
};
use futures_util::future::{join_all, poll_fn};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Connection, Executor, raw_sql};

use crate::support::{self, Database};

const DESCRIBE: &str = include_str!("migrating/describe.sql");

fn durable() -> SchemaName {
    SchemaName::default()
}

fn named(name: &str) -> SchemaName {
    name.parse().unwrap()
}

/// Everything in a schema as text, as `schema.sql` has it.
async fn describe(database: &Database, schema: &SchemaName) -> String {
    let mut connection = database.pool().acquire().await.unwrap().detach();
    // So that each name is written with its schema.
    connection.execute("set search_path to pg_catalog").await.unwrap();
    let groups: Vec<String> = sqlx::query_scalar(DESCRIBE).bind(schema.as_str()).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    groups.join("\n\n") + "\n"
}

/// The rows of the ledger, with the transaction that wrote each: an update that changes nothing else shows too.
async fn ledger(pool: &PgPool) -> Vec<String> {
    let rows = "select migrations::text || xmin::text from durable.migrations \
                union all select function_digest::text || xmin::text from durable.function_digest order by 1";
    sqlx::query_scalar(rows).fetch_all(pool).await.unwrap()
}

async fn run(pool: &PgPool, script: impl Into<String>) -> Result<(), sqlx::Error> {
    let mut connection = pool.acquire().await.unwrap().detach();
    let outcome = connection.execute(raw_sql(AssertSqlSafe(script.into()))).await.map(drop);
    connection.close().await.unwrap();
    outcome
}

async fn schema_exists(pool: &PgPool, schema: &SchemaName) -> bool {
    sqlx::query_scalar("select to_regnamespace($1) is not null").bind(schema.as_str()).fetch_one(pool).await.unwrap()
}

/// A role of its own for one test, able to log in; roles belong to the server, so that its name is the database's.
async fn new_role(database: &Database) -> (String, PgConnectOptions) {
    let name: String = sqlx::query_scalar("select 'role_of_' || current_database()").fetch_one(database.pool()).await.unwrap();
    run(database.pool(), format!("create role {name} login password 'secret-of-the-role'")).await.unwrap();
    let options = (*database.pool().connect_options()).clone().username(&name).password("secret-of-the-role");
    (name, options)
}

#[tokio::test]
async fn an_empty_database_gets_the_whole_schema() {
    let database = support::empty_database().await;
    let before = status(&database.url, &durable()).await.unwrap();
    assert_eq!((before.database_version, before.functions), (None, FunctionsState::Missing));

    let report = migrate(&database.url, &durable()).await.unwrap();

    assert_eq!(report.applied.len(), migrations().len());
    assert!(report.functions_replaced);
    check(&database.url, &durable()).await.unwrap();
    let after = status(&database.url, &durable()).await.unwrap();
    assert_eq!((after.database_version, after.functions), (Some(VERSION), FunctionsState::Current));
    assert!(after.applied.iter().all(|applied| applied.unchanged == Some(true)));
    assert!(after.pending.is_empty());
}

#[tokio::test]
async fn the_schema_is_the_one_written_in_schema_sql() {
    let database = support::database().await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/durable-migrate/schema.sql");
    let header = "-- The schema after all migrations, for reading. A test writes it: DURABLE_BLESS=1 cargo test migrating\n\n";
    let described = format!("{header}{}", describe(&database, &durable()).await);
    if std::env::var_os("DURABLE_BLESS").is_some() {
        std::fs::write(file, &described).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap_or_default().replace("\r\n", "\n");
    assert_eq!(written, described, "run the test with DURABLE_BLESS=1 and read the difference it makes to schema.sql");
}

#[tokio::test]
async fn every_index_beside_a_primary_key_holds_only_what_it_is_for() {
    let database = support::database().await;
    // Only a whole unique index makes a column part of a row's key; the few rows of `workers` have one for `lost_at`. Every tag
    // is there to be found by, and rows of tags are hardly ever updated.
    let whole = "select indexrelid::regclass::text from pg_index
                 join pg_class on pg_class.oid = indrelid
                 where relnamespace = 'durable'::regnamespace and not indisprimary and indpred is null
                   and indexrelid <> all (array['durable.workers_lost_key', 'durable.execution_tags_by_value']::regclass[])";
    assert_eq!(database.values::<String>(whole).await, Vec::<String>::new());
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let database = support::database().await;
    let before = (ledger(database.pool()).await, describe(&database, &durable()).await);

    let report = migrate(&database.url, &durable()).await.unwrap();

    assert!(report.applied.is_empty() && !report.functions_replaced);
    assert_eq!((ledger(database.pool()).await, describe(&database, &durable()).await), before);
}

#[tokio::test]
async fn many_migrations_at_once_apply_everything_once() {
    let database = support::empty_database().await;
    // Under this default a snapshot taken before one's turn would not show what the others did meanwhile.
    let url = format!("{}?options[default_transaction_isolation]=serializable", database.url);

    let schema = durable();

    let reports = join_all((0..16).map(|_| migrate(&url, &schema))).await;

    let busy = reports.into_iter().filter(|report| report.as_ref().unwrap().functions_replaced).count();
    assert_eq!(busy, 1);
    check(&database.url, &durable()).await.unwrap();
}

#[tokio::test]
async fn a_migration_of_any_earlier_version_arrives_at_the_same_schema() {
    let complete = describe(&support::database().await, &durable()).await;
    for earlier in 0..VERSION {
        let database = support::empty_database().await;
        run(database.pool(), sql(0, earlier, &durable()).unwrap()).await.unwrap();
        assert!(matches!(check(&database.url, &durable()).await, Err(Error::Behind { found, .. }) if found == Some(earlier)));

        let report = migrate(&database.url, &durable()).await.unwrap();

        assert_eq!(report.applied.first().map(|migration| migration.version), Some(earlier + 1));
        check(&database.url, &durable()).await.unwrap();
        assert_eq!(describe(&database, &durable()).await, complete, "from version {earlier}");
    }
}

#[tokio::test]
async fn the_printed_scripts_one_after_the_other_make_the_same_schema() {
    let database = support::empty_database().await;
    for from in 0..VERSION {
        run(database.pool(), sql(from, from + 1, &durable()).unwrap()).await.unwrap();
    }
    check(&database.url, &durable()).await.unwrap();
    assert_eq!(describe(&database, &durable()).await, describe(&support::database().await, &durable()).await);
}

#[tokio::test]
async fn a_printed_script_refuses_a_schema_of_another_version() {
    let database = support::database().await;
    let before = ledger(database.pool()).await;
    for from in [0, VERSION - 1] {
        run(database.pool(), sql(from, VERSION, &durable()).unwrap()).await.unwrap_err();
    }
    assert_eq!(ledger(database.pool()).await, before);
}

#[tokio::test]
async fn a_schema_that_is_newer_than_the_program_is_refused_and_left_alone() {
    let database = support::database().await;
    let tomorrow = format!("insert into durable.migrations values ({}, 'from_tomorrow', 'breaking', '?')", VERSION + 1);
    run(database.pool(), tomorrow).await.unwrap();
    run(database.pool(), "update durable.function_digest set digest = 'from tomorrow'").await.unwrap();
    let before = ledger(database.pool()).await;

    for refusal in [migrate(&database.url, &durable()).await.map(drop), check(&database.url, &durable()).await] {
        let error = refusal.unwrap_err();
        assert!(matches!(&error, Error::Ahead { found, .. } if *found == VERSION + 1), "{error}");
        assert!(error.to_string().ends_with("upgrade `durable` in this program"), "{error}");
    }
    assert_eq!(ledger(database.pool()).await, before);
}

#[tokio::test]
async fn a_schema_from_before_the_first_release_is_refused_and_left_alone() {
    let database = support::database().await;
    // Their first migration had this name, and there were 44.
    let first = "update durable.migrations set name = 'create_clock' where version = 1";
    let others =
        format!("insert into durable.migrations select n, 'old', 'breaking', '?' from generate_series({}, 44) as n", VERSION + 1);
    run(database.pool(), format!("{first}; {others}")).await.unwrap();
    let before = ledger(database.pool()).await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();

    for refusal in [
        migrate(&database.url, &durable()).await.map(drop),
        check(&database.url, &durable()).await,
        version(&mut connection, &durable()).await.map(drop),
    ] {
        let error = refusal.unwrap_err();
        assert!(matches!(error, Error::BeforeBaseline { .. }), "{error}");
        for part in ["before the first release", "`drop schema durable cascade`", "run `durable-migrate migrate`"] {
            assert!(error.to_string().contains(part), "{error}");
        }
    }
    assert_eq!(ledger(database.pool()).await, before);

    // The ledger of the oldest of them did not have this column.
    run(database.pool(), "alter table durable.migrations drop column kind").await.unwrap();
    let message = check(&database.url, &durable()).await.unwrap_err().to_string();
    assert!(message.contains("before the first release") && message.contains("`drop schema durable cascade`"), "{message}");
}

#[tokio::test]
async fn a_migration_that_was_edited_after_it_was_applied_is_named() {
    let database = support::database().await;
    run(database.pool(), "update durable.migrations set checksum = 'of another text' where version = 1").await.unwrap();

    for refusal in [migrate(&database.url, &durable()).await.map(drop), check(&database.url, &durable()).await] {
        let error = refusal.unwrap_err();
        assert!(matches!(&error, Error::Edited { version: 1, .. }), "{error}");
        assert!(error.to_string().contains(&migrations()[0].file()), "{error}");
    }
    let status = status(&database.url, &durable()).await.unwrap();
    assert_eq!(status.applied[0].unchanged, Some(false));
}

#[tokio::test]
async fn a_row_missing_from_the_ledger_is_named() {
    let database = support::database().await;
    run(database.pool(), "delete from durable.migrations where version = 1").await.unwrap();
    let error = migrate(&database.url, &durable()).await.unwrap_err();
    assert!(matches!(error, Error::Gap { missing: 1, next: 2, .. }), "{error}");
}

#[tokio::test]
async fn functions_of_another_build_are_noticed_and_replaced() {
    let database = support::database().await;
    run(database.pool(), "update durable.function_digest set digest = 'of another text', release = '0.0.1'").await.unwrap();
    let error = check(&database.url, &durable()).await.unwrap_err();
    assert!(matches!(error, Error::FunctionsDiffer { .. }), "{error}");

    let report = migrate(&database.url, &durable()).await.unwrap();

    assert!(report.functions_replaced && report.applied.is_empty());
    check(&database.url, &durable()).await.unwrap();
}

#[tokio::test]
async fn functions_of_a_newer_release_are_not_put_back() {
    let database = support::database().await;
    run(database.pool(), "update durable.function_digest set digest = 'of a later text', release = '999.0.0'").await.unwrap();
    let before = ledger(database.pool()).await;

    let report = migrate(&database.url, &durable()).await.unwrap();

    assert!(!report.functions_replaced);
    assert_eq!(ledger(database.pool()).await, before);
    check(&database.url, &durable()).await.unwrap();
}

#[tokio::test]
async fn check_names_the_command_to_run() {
    let database = support::empty_database().await;
    let message = check(&database.url, &durable()).await.unwrap_err().to_string();
    assert!(message.ends_with("run `durable-migrate migrate`"), "{message}");
    let message = check(&database.url, &named("billing")).await.unwrap_err().to_string();
    assert!(message.ends_with("run `durable-migrate --schema billing migrate`"), "{message}");
    assert!(!schema_exists(database.pool(), &durable()).await, "check created something");
}

#[tokio::test]
async fn a_worker_reads_the_version_and_knows_whether_it_fits() {
    let database = support::empty_database().await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    // In a transaction, which a failed statement would end.
    connection.execute("begin").await.unwrap();
    assert_eq!(version(&mut connection, &durable()).await.unwrap(), None);
    connection.execute("commit").await.unwrap();
    migrate(&database.url, &durable()).await.unwrap();
    let found = version(&mut connection, &durable()).await.unwrap().unwrap();
    assert_eq!(found.version, VERSION);
    assert!(found.serves_from <= VERSION);

    let at = |version, serves_from| Some(SchemaVersion { version, serves_from });
    accept_version(Some(found), &durable()).unwrap();
    accept_version(at(VERSION + 2, VERSION), &durable()).unwrap();
    for (found, ending) in [
        (None, "run `durable-migrate migrate`"),
        (at(0, 0), "run `durable-migrate migrate`"),
        (at(VERSION - 1, VERSION - 1), "run `durable-migrate migrate`"),
        (at(VERSION + 1, VERSION + 1), "upgrade `durable` in this program"),
        (at(VERSION + 2, VERSION + 1), "upgrade `durable` in this program"),
    ] {
        let message = accept_version(found, &durable()).unwrap_err().to_string();
        assert!(message.ends_with(ending), "{message}");
    }
}

#[tokio::test]
async fn two_schemas_in_one_database_are_alike_and_share_nothing() {
    let database = support::empty_database().await;
    let billing = named("billing");
    migrate(&database.url, &billing).await.unwrap();
    assert!(!schema_exists(database.pool(), &durable()).await, "the other schema reached for the default one");
    migrate(&database.url, &durable()).await.unwrap();

    let described = describe(&database, &durable()).await;
    assert_eq!(describe(&database, &billing).await, billing.qualify(&described));
    let bodies = "select count(*) from pg_proc where pronamespace = 'billing'::regnamespace and prosrc ~ '\\mdurable\\M'";
    let reaching_over: i64 = sqlx::query_scalar(bodies).fetch_one(database.pool()).await.unwrap();
    assert_eq!(reaching_over, 0);
    run(database.pool(), "drop schema durable cascade").await.unwrap();
    check(&database.url, &billing).await.unwrap();
}

#[tokio::test]
async fn each_word_that_postgres_reserves_is_refused_as_a_schema() {
    let database = support::empty_database().await;
    let words = "select word from pg_get_keywords() where catcode <> 'U'";
    let words: Vec<String> = sqlx::query_scalar(words).fetch_all(database.pool()).await.unwrap();
    let taken: Vec<&String> = words.iter().filter(|word| word.parse::<SchemaName>().is_ok()).collect();
    assert!(taken.is_empty(), "{taken:?}");
}

#[tokio::test]
async fn a_migration_that_is_dropped_half_way_leaves_nothing_behind() {
    let database = support::empty_database().await;
    let whole = polls_before_the_end(u32::MAX, migrate(&database.url, &durable())).await;
    run(database.pool(), "drop schema durable cascade").await.unwrap();
    // All along the way, and closely around the commit, which comes last.
    let evenly = (1..32).map(|part| whole * part / 32);
    for polls in evenly.chain(whole.saturating_sub(12)..=whole) {
        polls_before_the_end(polls, migrate(&database.url, &durable())).await;
        // Its own lock tells when the server has noticed that the migration is gone.
        run(database.pool(), "select pg_advisory_xact_lock(hashtext('durable.migrate.durable'))").await.unwrap();

        if schema_exists(database.pool(), &durable()).await {
            check(&database.url, &durable()).await.unwrap();
            run(database.pool(), "drop schema durable cascade").await.unwrap();
        }
    }
    migrate(&database.url, &durable()).await.unwrap();
    check(&database.url, &durable()).await.unwrap();
}

/// Polls a future so many times at most, then drops it where it stands. How often was it polled?
async fn polls_before_the_end<T>(most: u32, future: impl Future<Output = T>) -> u32 {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|context| {
        if polls == most {
            return Poll::Ready(polls);
        }
        polls += 1;
        future.as_mut().poll(context).map(|_| polls)
    })
    .await
}

#[tokio::test]
async fn the_defaults_of_the_role_do_not_matter() {
    let database = support::empty_database().await;
    run(
        database.pool(),
        "create schema trap;
         create function trap.clock_timestamp() returns timestamptz language sql as $$ select 'epoch'::timestamptz $$;
         create table trap.migrations (version int);",
    )
    .await
    .unwrap();
    let hostile = [
        ("search_path", "trap,pg_catalog"),
        ("default_transaction_read_only", "on"),
        ("default_transaction_isolation", "serializable"),
        ("default_transaction_deferrable", "on"),
        ("standard_conforming_strings", "off"),
        ("check_function_bodies", "off"),
        ("client_min_messages", "debug5"),
    ];
    let options = (*database.pool().connect_options()).clone().options(hostile);

    migrate(options.clone(), &durable()).await.unwrap();

    check(options, &durable()).await.unwrap();
    let complete = describe(&support::database().await, &durable()).await;
    assert_eq!(describe(&database, &durable()).await, complete);
}

#[tokio::test]
async fn a_role_with_the_printed_grants_works_but_cannot_migrate() {
    let database = support::database().await;
    let (role, options) = new_role(&database).await;
    let message = check(options.clone(), &durable()).await.unwrap_err().to_string();
    assert!(
        message.ends_with(&format!("let the owner of the schema run what `durable-migrate grants --role {role}` prints")),
        "{message}"
    );

    run(database.pool(), grants(&role, &durable()).unwrap()).await.unwrap();

    check(options.clone(), &durable()).await.unwrap();
    migrate(options.clone(), &durable()).await.unwrap();
    let pool = PgPool::connect_with(options.clone()).await.unwrap();
    run(&pool, "select durable.start('process_order', '{\"id\": 42}'); delete from durable.executions;").await.unwrap();
    for forbidden in [
        "delete from durable.migrations",
        "update durable.function_digest set digest = ''",
        "create table durable.mine (id int)",
        "drop table durable.executions",
        "truncate durable.executions",
        "update durable.clock set ahead_by = '1 day'",
        "delete from durable.clock",
        "delete from durable.workers",
        "update durable.workers set host = 'elsewhere'",
        "update durable.workers set worker_id = gen_random_uuid()",
    ] {
        let refusal = run(&pool, forbidden).await.unwrap_err();
        assert_eq!(refusal.as_database_error().unwrap().code().as_deref(), Some("42501"), "{forbidden}: {refusal}");
    }
    let lost = "insert into durable.workers (worker_id, host, process_id, queues, started_at, lease_until, lost_at)
                select gen_random_uuid(), 'here', 1, '{}', now(), now(), case when n > 1 then now() end from generate_series(1, 3) as n";
    run(database.pool(), lost).await.unwrap();
    run(&pool, "select durable.forget_workers()").await.unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from durable.workers").fetch_one(&pool).await.unwrap();
    assert_eq!(left, 1, "workers that are lost and hold nothing are forgotten");
    run(database.pool(), "update durable.function_digest set digest = '', release = '0.0.1'").await.unwrap();
    let message = migrate(options, &durable()).await.unwrap_err().to_string();
    assert!(message.ends_with("migrate as the role that owns the schema `durable` and everything in it"), "{message}");
    // What the migrating role adds later is covered too.
    run(database.pool(), "create table durable.added_later (id int)").await.unwrap();
    run(&pool, "insert into durable.added_later values (1)").await.unwrap();
    pool.close().await;
    run(database.pool(), format!("drop owned by {role}; drop role {role}")).await.unwrap();
}

#[tokio::test]
async fn a_role_that_may_not_create_a_schema_is_told_which_grant_it_needs() {
    let database = support::empty_database().await;
    let (role, options) = new_role(&database).await;
    let name: String = sqlx::query_scalar("select current_database()").fetch_one(database.pool()).await.unwrap();

    let message = migrate(options.clone(), &durable()).await.unwrap_err().to_string();
    let cure = format!("grant create on database \"{name}\" to \"{role}\"");
    assert!(message.starts_with("create the schema `durable` in database"), "{message}");
    assert!(message.ends_with(&format!("let an administrator run `{cure}`")), "{message}");

    run(database.pool(), cure).await.unwrap();
    migrate(options, &durable()).await.unwrap();
    run(database.pool(), format!("drop owned by {role}; drop role {role}")).await.unwrap();
}

#[tokio::test]
async fn a_role_that_owns_an_empty_schema_needs_no_right_to_create_one() {
    let database = support::empty_database().await;
    let (role, options) = new_role(&database).await;
    run(database.pool(), format!("create schema durable authorization {role}")).await.unwrap();
    migrate(options, &durable()).await.unwrap();
    check(&database.url, &durable()).await.unwrap();
    run(database.pool(), format!("drop owned by {role}; drop role {role}")).await.unwrap();
}

#[tokio::test]
async fn something_in_the_way_stops_a_migration_before_it_changes_anything() {
    let database = support::empty_database().await;
    run(database.pool(), "create schema durable; create table durable.waits (mine int);").await.unwrap();

    let error = migrate(&database.url, &durable()).await.unwrap_err();

    let message = error.to_string();
    assert!(matches!(error, Error::Statement { .. }), "{message}");
    assert!(message.starts_with("apply ") && message.contains("_create_waits.sql in the schema `durable`"), "{message}");
    assert!(message.contains("already exists"), "{message}");
    let tables: Vec<String> =
        sqlx::query_scalar("select relname::text from pg_class where relnamespace = 'durable'::regnamespace")
            .fetch_all(database.pool())
            .await
            .unwrap();
    assert_eq!(tables, ["waits"]);
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_named_without_the_password() {
    let database = support::empty_database().await;
    let options = (*database.pool().connect_options()).clone();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free_port = closed.local_addr().unwrap().port();
    drop(closed);
    let unreachable = [
        (options.clone().password("hunter2"), "correct the user or the password in the database url"),
        (options.clone().username("nobody_here").password("hunter2"), "correct the user or the password in the database url"),
        (
            options.clone().database("no_such_database"),
            "create the database (with `createdb`), or correct its name in the database url",
        ),
        (
            options.clone().host("127.0.0.1").port(free_port).password("hunter2"),
            "start the server, or correct host and port in the database url",
        ),
        (
            options.clone().host("no-such-host.invalid").password("hunter2"),
            "start the server, or correct host and port in the database url",
        ),
    ];
    for (options, ending) in unreachable {
        let error = migrate(options, &durable()).await.unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, Error::Connect { .. }), "{message}");
        assert!(message.starts_with("connect to database `") && message.ends_with(ending), "{message}");
        assert!(!format!("{message}{error:?}").contains("hunter2"), "{message}");
    }
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_without_showing_the_password() {
    for url in ["", "localhost", "postgre://u:hunter2@localhost/db", "postgres://u:hunter2@localhost:port/db"] {
        let error = migrate(url, &durable()).await.unwrap_err();
        assert!(matches!(error, Error::InvalidUrl { .. }), "{error}");
        assert!(error.to_string().ends_with("write it as postgres://user:password@host:port/database"), "{error}");
        assert!(!format!("{error}{error:?}").contains("hunter2"), "{error}");
    }
}

#[test]
fn the_calls_can_be_spawned() {
    fn can_be_spawned(_: impl Future + Send + 'static) {}
    can_be_spawned(async { migrate("", &durable()).await.map(drop) });
    can_be_spawned(async { check("", &durable()).await });
    can_be_spawned(async {
        let mut connection = PgConnection::connect("").await.unwrap();
        version(&mut connection, &durable()).await.unwrap()
    });
}
