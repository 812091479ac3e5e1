//! Agreeing: Rust and the database know the same words, and the same moves from state to state.

use std::collections::{BTreeMap, BTreeSet};

use durable::migrate::Kind;
use durable::prelude::*;
use durable::{FiringCause, FiringOutcome, InputForm, Missed, Overlap, ParentPolicy, WaitKind, WaitOutcome};
use serde::de::DeserializeOwned;
use sqlx::Row;

use crate::support;

/// Every CHECK that lists the words of one column, and nothing else.
const LISTS: &str = r"
    select
        class.relname || '.' || attribute.attname as column,
        array(select match[1] from regexp_matches(pg_get_constraintdef(held.oid), '''(\w+)''::text', 'g') as match) as words
    from pg_constraint as held
    join pg_class as class on class.oid = held.conrelid
    join pg_attribute as attribute on attribute.attrelid = class.oid and attribute.attnum = held.conkey[1]
    where held.contype = 'c'
      and held.connamespace = 'durable'::regnamespace
      and pg_get_constraintdef(held.oid) ~ '^CHECK \(\(\w+ = ANY \(ARRAY\[[^]]*\]\)\)\)$'";

type Words = BTreeSet<String>;

/// The words of an enum, which serde lists where it is given another.
fn words<T: DeserializeOwned>() -> Words {
    let Err(error) = serde_json::from_str::<T>("\"\"") else { panic!("the empty word is accepted") };
    // "unknown variant ``, expected one of `sleep`, `event`, …"
    error.to_string().split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[tokio::test]
async fn each_enum_has_the_words_of_its_check() {
    let in_rust: BTreeMap<String, Words> = [
        (
            "executions.state",
            ExecutionState::ALL.into_iter().filter(|state| state.is_stored()).map(|state| state.to_string()).collect(),
        ),
        ("executions.parent_policy", words::<ParentPolicy>()),
        ("waits.kind", words::<WaitKind>()),
        ("waits.form", words::<InputForm>()),
        ("waits.outcome", words::<WaitOutcome>()),
        // Of the kinds of waits, those that a message waits for in the mailbox.
        ("mailbox.kind", [WaitKind::Event, WaitKind::Input].map(|kind| kind.as_str().to_owned()).into()),
        ("migrations.kind", [Kind::Expand, Kind::Contract, Kind::Breaking].map(|kind| kind.to_string()).into()),
        ("schedules.missed", words::<Missed>()),
        ("schedules.overlap", words::<Overlap>()),
        ("schedule_firings.cause", words::<FiringCause>()),
        ("schedule_firings.outcome", words::<FiringOutcome>()),
    ]
    .map(|(column, words)| (column.to_owned(), words))
    .into();
    let database = support::database().await;
    let rows = sqlx::query(LISTS).fetch_all(database.pool()).await.unwrap();
    let in_sql: BTreeMap<String, Words> =
        rows.iter().map(|row| (row.get("column"), row.get::<Vec<String>, _>("words").into_iter().collect())).collect();
    assert_eq!(in_sql, in_rust);
}

#[tokio::test]
async fn what_rust_calls_an_end_has_a_time_in_the_database() {
    let database = support::database().await;
    let ends: Vec<String> = database
        .values(
            r"select match[1]
              from pg_constraint,
                regexp_matches(pg_get_constraintdef(oid), '''(\w+)''::text', 'g') as match
              where conname = 'finished_at_only_when_finished'",
        )
        .await;
    let known = ExecutionState::ALL.into_iter().filter(|state| state.is_stored() && state.is_finished());
    assert_eq!(ends.into_iter().collect::<Words>(), known.map(|state| state.to_string()).collect());
}

#[tokio::test]
async fn a_state_that_has_a_word_of_its_own_is_shown_and_found_by_this_word() {
    let database = support::database().await;
    let client = database.client().await;
    let fresh = async || client.start_by_name("errand", &()).await.unwrap();
    let held = "worker_id = gen_random_uuid(), epoch = 1, state";
    let mut expected = Vec::new();
    for (state, changes) in [
        ("pending", vec![]),
        ("running", vec![format!("{held} = 'running'")]),
        ("waiting", vec![format!("{held} = 'running'"), "state = 'waiting'".to_owned()]),
        ("paused", vec!["paused_at = durable.now()".to_owned()]),
        ("paused", vec![format!("{held} = 'running', paused_at = durable.now()")]),
        (
            "stopped",
            vec![
                format!("{held} = 'running', paused_at = durable.now(), rollback = '{{}}'"),
                r#"state = 'waiting', error = '{"kind": "diverged", "message": ""}'"#.to_owned(),
            ],
        ),
        ("compensating", vec!["rollback = '{}'".to_owned()]),
        (
            "cancelled",
            vec!["state = 'cancelled', finished_at = durable.now(), error = durable.failure('cancelled', 'over')".to_owned()],
        ),
        (
            "expired",
            vec!["state = 'cancelled', finished_at = durable.now(), error = durable.failure('expired', 'late')".to_owned()],
        ),
        // A workflow may fail with any error, and be cancelled for it.
        (
            "cancelled",
            vec![
                format!("{held} = 'running'"),
                r#"state = 'cancelled', finished_at = durable.now(), error = '{"kind": "expired", "message": "\u0000"}'"#
                    .to_owned(),
            ],
        ),
    ] {
        let id = fresh().await;
        for change in changes {
            database.run(&format!("update durable.executions set {change} where execution_id = '{id}'")).await;
        }
        expected.push((state, id));
    }
    for (state, id) in &expected {
        assert_eq!(client.get_execution(*id).await.unwrap().execution.state.as_str(), *state);
        let in_sql = format!("select state from durable.shown_executions where execution_id = '{id}'");
        assert_eq!(database.value::<String>(&in_sql).await, *state);
    }
    for state in ExecutionState::ALL {
        let found = client.list_executions().state(state).await.unwrap().executions;
        let found: BTreeSet<ExecutionId> = found.into_iter().map(|execution| execution.id).collect();
        let all = expected.iter().filter(|(shown, _)| *shown == state.as_str());
        assert_eq!(found, all.map(|(_, id)| *id).collect(), "{state}");
        assert_eq!(client.list_executions().state(state).count().await.unwrap(), found.len() as u64, "{state}");
    }
    let expired = client.prune(std::time::Duration::ZERO).state(ExecutionState::Expired);
    assert_eq!(expired.await.unwrap().executions, 1);
    assert_eq!(client.list_executions().count().await.unwrap(), expected.len() as u64 - 1);
}

#[tokio::test]
async fn a_move_that_no_execution_makes_is_refused_in_all_tests() {
    let database = support::database().await;
    let client = database.client().await;
    let id = client.start_by_name("errand", &()).await.unwrap();
    client.cancel(id, "over").await.unwrap();
    let stranger = sqlx::PgPool::connect(&database.url).await.unwrap();
    let reopened = "update durable.executions set state = 'pending', finished_at = null";
    let error = sqlx::query(reopened).execute(&stranger).await.unwrap_err();
    assert!(error.to_string().contains("an execution went from `cancelled` to `pending`"), "{error}");
}
