//! Settings of a role or a database that change what SQL means, or cut it off: with `DURABLE_HOSTILE_SETTINGS=1` every test's database
//! has them, and only the test's own connections do not.

use durable::sqlx::postgres::PgConnectOptions;

use super::Database;

/// Gives the databases of all tests these settings.
const VARIABLE: &str = "DURABLE_HOSTILE_SETTINGS";

/// Each setting: a hostile value, and the default.
const SETTINGS: [(&str, &str, &str); 25] = [
    ("timezone", "Asia/Kathmandu", "UTC"),
    ("datestyle", "German, DMY", "ISO, MDY"),
    ("intervalstyle", "sql_standard", "postgres"),
    ("default_transaction_isolation", "serializable", "read committed"),
    ("default_transaction_deferrable", "on", "off"),
    ("search_path", "public, pg_catalog", "public"),
    ("statement_timeout", "5s", "0"),
    ("lock_timeout", "1s", "0"),
    ("idle_in_transaction_session_timeout", "30s", "0"),
    ("idle_session_timeout", "2s", "0"),
    ("standard_conforming_strings", "off", "on"),
    ("escape_string_warning", "on", "on"),
    ("bytea_output", "escape", "hex"),
    ("extra_float_digits", "-15", "1"),
    ("quote_all_identifiers", "on", "off"),
    ("array_nulls", "off", "on"),
    ("transform_null_equals", "on", "off"),
    ("row_security", "off", "on"),
    ("check_function_bodies", "off", "on"),
    ("client_min_messages", "log", "notice"),
    ("enable_indexscan", "off", "on"),
    ("enable_hashjoin", "off", "on"),
    ("join_collapse_limit", "1", "8"),
    ("plpgsql.variable_conflict", "use_column", "error"),
    ("plpgsql.extra_errors", "all", "none"),
];

pub(crate) fn is_wanted() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// The default settings, for a connection to a database that may have others.
pub(crate) fn as_usual(options: PgConnectOptions) -> PgConnectOptions {
    options.options(SETTINGS.map(|(name, _, usual)| (name, usual)))
}

/// Gives the database these settings, for sessions that begin after this.
pub(crate) async fn make_hostile(database: &Database) {
    let name: String = database.value("select current_database()").await;
    for (setting, hostile, _) in SETTINGS {
        let value = if setting == "search_path" { hostile.to_owned() } else { format!("'{hostile}'") };
        database.run(&format!("alter database {name} set {setting} = {value}")).await;
    }
    let ends_transactions: bool = database.value("select current_setting('transaction_timeout', true) is not null").await;
    if ends_transactions {
        database.run(&format!("alter database {name} set transaction_timeout = '5s'")).await;
    }
}
