//! What the sessions of the engine are set to, whatever the defaults of the role, of the database and of the server are.

use sqlx::{AssertSqlSafe, Executor, PgConnection, raw_sql};

/// One statement of several, sent once for each connection. What stays as the database has it: `synchronous_commit`, which is the
/// operator's to choose, and `default_transaction_read_only`, by which operators and deposed primaries refuse writes on purpose. A
/// function of ours sets its own search path, because users call it in sessions of theirs, too.
const SETTINGS: &str = "\
    -- Names without a schema are Postgres's own; nobody's functions, operators, types and temporary tables come before them.
    set search_path = pg_catalog, pg_temp;
    -- A backslash in a literal is a backslash; texts and times are sent and read in one form.
    set standard_conforming_strings = on;
    set client_encoding = 'UTF8';
    set timezone = 'UTC';
    set datestyle = 'ISO, MDY';
    set intervalstyle = 'postgres';
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

/// Nothing of another's is run before the user's search path counts.
const OWN_NAMES: &str = "set search_path = pg_catalog, pg_temp";

/// The search path of the role, of the database or of the address counts again.
const USERS_NAMES: &str = "reset search_path";

/// Whose settings a connection has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settings {
    /// Those that the engine's statements are written for. A lock that a stranger holds is waited for only this long.
    Engine { lock_timeout: &'static str },
    /// Those that the role, the database and the address give: SQL of the user's runs here.
    Users,
}

/// Lets the engine send statements of its own over a new connection.
pub(super) async fn take(connection: &mut PgConnection, settings: Settings) -> Result<(), sqlx::Error> {
    let statements = match settings {
        Settings::Engine { lock_timeout } => format!("{SETTINGS};\nset lock_timeout = '{lock_timeout}'"),
        Settings::Users => OWN_NAMES.to_owned(),
    };
    // Made of constants.
    connection.execute(raw_sql(AssertSqlSafe(statements))).await.map(drop)
}

/// Gives a connection of the user's back, as it was.
pub(super) async fn give_back(connection: &mut PgConnection, settings: Settings) -> Result<(), sqlx::Error> {
    match settings {
        Settings::Engine { .. } => Ok(()),
        Settings::Users => connection.execute(raw_sql(USERS_NAMES)).await.map(drop),
    }
}
