//! Trapping: what another role plants in `public` is never run, even if `public` precedes Postgres's own schema in the search
//! path.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use durable::migrate::{SchemaName, check, grants, status};
use durable::sqlx::{self, AssertSqlSafe, Connection, Executor, PgConnection};
use sqlx::postgres::PgConnectOptions;

use crate::support::voyage::Traveller;
use crate::support::{self, Database};

/// Plants the traps.
const PLANT: &str = include_str!("trapping/plant.sql");

/// The search path of the application's role and of the whole database.
const HOSTILE_PATH: &str = "public, pg_catalog";

/// Every text of SQL that is ours.
fn sources() -> String {
    let mut folders = vec![
        "durable-migrate/functions".to_owned(),
        "durable-migrate/migrations".to_owned(),
        "durable-migrate/ledger".to_owned(),
        "durable-core/src/store/sql".to_owned(),
    ];
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(format!("{folder}/{}", entry.file_name().to_str().unwrap()));
            } else {
                let sql = fs::read_to_string(entry.path()).unwrap();
                text.extend(sql.lines().map(|line| line.split("--").next().unwrap_or_default().to_owned() + "\n"));
            }
        }
    }
    text
}

/// The words before a parenthesis: functions among them.
fn called(sql: &str) -> BTreeSet<String> {
    let before =
        |at: usize| sql[..at].trim_end().rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
    sql.match_indices('(').map(|(at, _)| before(at).to_owned()).filter(|word| !word.is_empty()).collect()
}

/// The operators that are written, and the operators that SQL syntax implies.
fn operators(sql: &str) -> BTreeSet<String> {
    let signs = sql.split(|c: char| !"+-*/<>=~!@#%^&|?".contains(c)).filter(|sign| !sign.is_empty()).map(str::to_owned);
    signs.chain(["=", "<>", "<=", ">=", "<", ">", "~~", "-", "+", "||"].map(str::to_owned)).collect()
}

fn array(words: &BTreeSet<String>) -> String {
    format!("array[{}]::text[]", words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(", "))
}

/// A database in which a stranger has planted traps. The test's connections bypass the traps; the application's address does
/// not.
async fn trapped() -> (Database, PgConnectOptions) {
    let database = support::database().await;
    let name: String = database.value("select current_database()").await;
    let role = format!("trapped_in_{name}");
    let stranger = format!("stranger_in_{name}");
    let owner: String = database.value("select current_user::text").await;
    for sql in [
        format!("create role {stranger} login password 'secret-of-the-stranger'"),
        format!("create role {role} login password 'secret-of-the-role'"),
        format!("grant create, usage on schema public to {stranger}"),
        format!("alter database {name} set search_path = {HOSTILE_PATH}"),
        format!("alter role {role} in database {name} set search_path = {HOSTILE_PATH}"),
        format!("alter role {owner} in database {name} set search_path = pg_catalog, pg_temp"),
        grants(&role, &SchemaName::default()).unwrap(),
    ] {
        database.run(&sql).await;
    }
    let sql = sources();
    let plant = PLANT.replace("$names", &array(&called(&sql))).replace("$operators", &array(&operators(&sql)));
    let options: PgConnectOptions = database.url.parse().unwrap();
    let options = options.password("secret-of-the-stranger");
    let mut connection = PgConnection::connect_with(&options.username(&stranger)).await.unwrap();
    connection.execute(sqlx::raw_sql(AssertSqlSafe(plant))).await.unwrap();
    connection.close().await.unwrap();
    let database = Database::at(database.url);
    let options: PgConnectOptions = database.url.parse().unwrap();
    (database, options.username(&role).password("secret-of-the-role"))
}

async fn assert_not_sprung(database: &Database) {
    let sprung = "select what from public.traps join public.sprung on last_value = number and is_called";
    assert_eq!(database.values::<String>(sprung).await, [""; 0], "a trap was sprung");
}

#[tokio::test]
async fn no_trap_for_a_function_an_operator_or_a_type_is_sprung() {
    let (database, options) = trapped().await;
    let planted = "select count(*) from public.traps where problem is null and what like '";
    for (kind, at_least) in [("function", 150), ("operator", 300), ("type", 10)] {
        let planted = database.count(&format!("{planted}{kind}%'")).await;
        assert!(planted >= at_least, "only {planted} traps for a {kind}");
    }
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    for sprung in ["select 1 + 1", "select pg_backend_pid()", "select 'a'::text", "select 'a' = 'b'"] {
        let error = connection.execute(sprung).await.expect_err(sprung);
        assert!(error.to_string().contains("was sprung"), "{sprung}: {error}");
    }
    connection.close().await.unwrap();
    database.run("select setval('public.sprung', 1, false)").await;

    Traveller { database: &database, options: options.clone() }.travel().await;
    assert_not_sprung(&database).await;
    check(options.clone(), &SchemaName::default()).await.unwrap();
    status(options, &SchemaName::default()).await.unwrap();
    assert_not_sprung(&database).await;
}

#[tokio::test]
async fn every_function_of_the_schema_fixes_its_search_path_or_was_bound_when_it_was_created() {
    let database = support::database().await;
    let open = "select proname::text from pg_proc
                where pronamespace = 'durable'::regnamespace
                  and prosqlbody is null
                  and not coalesce('search_path=pg_catalog, pg_temp' = any (proconfig), false)";
    assert_eq!(database.values::<String>(open).await, [""; 0]);
    let literals = "select proname::text from pg_proc
                    where pronamespace = 'durable'::regnamespace
                      and prosqlbody is null
                      and regexp_replace(prosrc, '--[^\\n]*', '', 'g') like '%\\\\%'
                      and not coalesce('standard_conforming_strings=on' = any (proconfig), false)";
    assert_eq!(database.values::<String>(literals).await, [""; 0], "a backslash reads otherwise under other settings");
}
