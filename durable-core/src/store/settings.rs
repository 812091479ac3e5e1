//! The settings of the engine's sessions, independent of the defaults of the role, the database and the server.

use sqlx::{AssertSqlSafe, Executor, PgConnection, raw_sql};

/// The settings are one message of several statements, sent once for each connection. Two settings keep the database's value:
/// `synchronous_commit`, which is the operator's choice, and `default_transaction_read_only`, with which operators and deposed
/// primaries refuse writes on purpose. Functions of the schema set their own search path, because users call them in their own
/// sessions, too.
const SETTINGS: &str = "\
    -- A name without a schema means Postgres's own function, operator, type or table, never one that a role has created.
    set search_path = pg_catalog, pg_temp;
    -- A backslash in a literal is a backslash; texts and times are sent and read in one form.
    set standard_conforming_strings = on;
    set client_encoding = 'UTF8';
    set timezone = 'UTC';
    set datestyle = 'ISO, MDY';
    set intervalstyle = 'postgres';
    -- Names in findings and in the statements that repair them are quoted only if they have to be.
    set quote_all_identifiers = off;
    -- A double that becomes JSON or text keeps every digit.
    set extra_float_digits = 1;
    -- An array may hold nulls, and `= null` is not `is null`.
    set array_nulls = on;
    set transform_null_equals = off;
    -- Functions that lock and then count must see what was committed while they waited.
    set default_transaction_isolation = 'read committed';
    -- Limits that are meant for requests of people would have a long statement repeated for ever, and a connection that listens
    -- closed. The engine bounds its statements by the size of their batches, and leaves no transaction idle.
    set statement_timeout = 0;
    set idle_in_transaction_session_timeout = 0;
    set idle_session_timeout = 0;
    select set_config('transaction_timeout', '0', false) where current_setting('transaction_timeout', true) is not null;
    -- Notices would fill the log of the application.
    set client_min_messages = 'warning';
    -- A plan made while the tables are empty must still be right when they are full. Every statement finds its rows by an array of
    -- ids or by the index it is written for, and joins what it found by hash.
    set plan_cache_mode = force_generic_plan;
    set enable_indexscan = on;
    set enable_indexonlyscan = on;
    set enable_hashjoin = on;
    set join_collapse_limit = 8;
    set from_collapse_limit = 8;
    set enable_seqscan = off;
    set enable_bitmapscan = off;
    set enable_nestloop = off;
    set enable_sort = off;
    set jit = off";

/// No planted function can run before the user's search path applies.
const OWN_NAMES: &str = "set search_path = pg_catalog, pg_temp";

/// Restores the search path of the role, the database or the address.
const USERS_NAMES: &str = "reset search_path";

/// Whose settings a connection has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settings {
    /// The settings that the engine's statements are written for. A statement waits for another transaction's lock only this
    /// long.
    Engine { lock_timeout: &'static str },
    /// The settings of the role, the database and the address: the user's own SQL runs here.
    Users,
}

/// Prepares a new connection for the engine's statements.
pub(super) async fn take(connection: &mut PgConnection, settings: Settings) -> Result<(), sqlx::Error> {
    let statements = match settings {
        Settings::Engine { lock_timeout } => format!("{SETTINGS};\nset lock_timeout = '{lock_timeout}'"),
        Settings::Users => OWN_NAMES.to_owned(),
    };
    // Made of constants.
    connection.execute(raw_sql(AssertSqlSafe(statements))).await.map(drop)
}

/// Restores a user's connection.
pub(super) async fn give_back(connection: &mut PgConnection, settings: Settings) -> Result<(), sqlx::Error> {
    match settings {
        Settings::Engine { .. } => Ok(()),
        Settings::Users => connection.execute(raw_sql(USERS_NAMES)).await.map(drop),
    }
}
