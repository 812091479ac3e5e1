//! Has the database refuse every move of an execution from state to state that `ExecutionState::can_become` does not allow.

use durable::ExecutionState;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, raw_sql};

/// The name of sessions in which a test writes rows by hand. They may make any move: a test begins where it likes.
pub(crate) const BY_HAND: &str = "a test";

/// Begins to watch. The function is outside the schema of the engine, so that descriptions of the schema leave the trigger out.
pub(crate) async fn watch(url: &str) {
    let stored = || ExecutionState::ALL.into_iter().filter(|state| state.is_stored());
    let legal = stored().flat_map(|state| stored().filter(move |next| state.can_become(*next)).map(move |next| (state, next)));
    let legal: Vec<String> = legal.map(|(state, next)| format!("('{state}', '{next}')")).collect();
    // A word that a test made up may become anything.
    let known: Vec<String> = stored().map(|state| format!("'{state}'")).collect();
    let install = format!(
        "create schema watch;
         grant usage on schema watch to public;
         create function watch.refuse_move() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
         begin
             raise exception 'an execution went from `%` to `%`', old.state, new.state;
         end $$;
         create trigger legal_moves after update of state on durable.executions for each row when (
             old.state <> new.state
             and old.state in ({})
             and (old.state, new.state) not in ({})
             and current_setting('application_name') <> '{BY_HAND}'
         ) execute function watch.refuse_move();",
        known.join(", "),
        legal.join(", ")
    );
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute(raw_sql(AssertSqlSafe(install))).await.unwrap();
    connection.close().await.unwrap();
}
