//! The settings of the engine's sessions, independent of the defaults of the role, the database and the server.

use sqlx::{AssertSqlSafe, Executor, PgConnection, raw_sql};

/// What all sessions of the engine set.
const SESSION: &str = include_str!("settings/session.sql");

/// How statements of workers are planned.
const PLANS_FOR_ANY_PARAMETERS: &str = include_str!("settings/plans_for_any_parameters.sql");

/// How statements with filters that may be null are planned.
const PLANS_FOR_EACH_PARAMETER: &str = include_str!("settings/plans_for_each_parameter.sql");

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
    /// The settings for reading what people ask for. A migration may hold a lock that a list needs.
    Readers { lock_timeout: &'static str },
    /// The settings of the role, the database and the address: the user's own SQL runs here.
    Users,
}

/// Prepares a new connection for the engine's statements.
pub(super) async fn take(connection: &mut PgConnection, settings: Settings) -> Result<(), sqlx::Error> {
    let statements = match settings {
        // One message for each connection.
        Settings::Engine { lock_timeout } => format!("{SESSION}{PLANS_FOR_ANY_PARAMETERS}set lock_timeout = '{lock_timeout}'"),
        Settings::Readers { lock_timeout } => format!("{SESSION}{PLANS_FOR_EACH_PARAMETER}set lock_timeout = '{lock_timeout}'"),
        Settings::Users => OWN_NAMES.to_owned(),
    };
    // Made of constants.
    connection.execute(raw_sql(AssertSqlSafe(statements))).await.map(drop)
}

/// Restores a user's connection.
pub(super) async fn give_back(connection: &mut PgConnection, settings: Settings) -> Result<(), sqlx::Error> {
    match settings {
        Settings::Engine { .. } | Settings::Readers { .. } => Ok(()),
        Settings::Users => connection.execute(raw_sql(USERS_NAMES)).await.map(drop),
    }
}
