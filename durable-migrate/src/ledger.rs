//! The record, kept in the schema itself, of what was applied to it.
//!
//! All of it is sent as simple queries, which need no prepared statement: a migration may come through a pooler.

use std::cmp::Ordering;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Executor, Row, raw_sql};

use crate::{FunctionsState, History, Migration, SchemaName, SchemaVersion};

/// Creates the two tables of the ledger.
pub(crate) const CREATE: &str = include_str!("../ledger/create.sql");

/// What the ledger of a schema says.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    pub(crate) migrations: Vec<Entry>,
    pub(crate) functions: FunctionsState,
}

/// A migration that was applied.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) version: i32,
    pub(crate) name: String,
    pub(crate) checksum: String,
    pub(crate) applied_at: DateTime<Utc>,
    pub(crate) only_adds: bool,
}

/// How far a schema was migrated, and the name of the first migration.
pub(crate) struct Found {
    pub(crate) version: SchemaVersion,
    pub(crate) first_name: Option<String>,
}

/// What the ledger says to a program with this history; `None` if the schema was never migrated.
pub(crate) async fn read(
    connection: &mut PgConnection,
    schema: &SchemaName,
    history: History,
) -> Result<Option<Ledger>, sqlx::Error> {
    if !exists(connection, schema).await? {
        return Ok(None);
    }
    let migrations = query(connection, schema, include_str!("../ledger/list_migrations.sql")).await?;
    let functions = query(connection, schema, include_str!("../ledger/find_functions.sql")).await?;
    Ok(Some(Ledger {
        migrations: migrations.iter().map(entry).collect::<Result<_, _>>()?,
        functions: match functions.first() {
            None => FunctionsState::Missing,
            Some(row) => functions_state(history, row.try_get("digest")?, row.try_get("release")?),
        },
    }))
}

/// The encoding in which the server stores text of this database.
pub(crate) async fn encoding(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    connection.fetch_one(raw_sql(include_str!("../ledger/find_encoding.sql"))).await?.try_get("encoding")
}

/// How far the schema was migrated, and by which history; `None` if it never was.
pub(crate) async fn version(connection: &mut PgConnection, schema: &SchemaName) -> Result<Option<Found>, sqlx::Error> {
    if !exists(connection, schema).await? {
        return Ok(None);
    }
    let rows = query(connection, schema, include_str!("../ledger/find_version.sql")).await?;
    let read = |row: &PgRow| {
        let version = SchemaVersion { version: row.try_get("version")?, serves_from: row.try_get("serves_from")? };
        Ok(Found { version, first_name: row.try_get("first_name")? })
    };
    rows.first().map(read).transpose()
}

/// Asked first, because a statement on a table that is not there would end the caller's transaction.
async fn exists(connection: &mut PgConnection, schema: &SchemaName) -> Result<bool, sqlx::Error> {
    let rows = query(connection, schema, include_str!("../ledger/exists.sql")).await?;
    rows.first().map_or(Ok(false), |row| row.try_get("is_there"))
}

async fn query(connection: &mut PgConnection, schema: &SchemaName, sql: &str) -> Result<Vec<PgRow>, sqlx::Error> {
    connection.fetch_all(raw_sql(AssertSqlSafe(schema.qualify(sql)))).await
}

fn entry(row: &PgRow) -> Result<Entry, sqlx::Error> {
    Ok(Entry {
        version: row.try_get("version")?,
        name: row.try_get("name")?,
        checksum: row.try_get("checksum")?,
        applied_at: row.try_get("applied_at")?,
        only_adds: row.try_get("only_adds")?,
    })
}

/// The statement that records a migration, written for the schema `durable`.
pub(crate) fn record_migration(migration: &Migration) -> String {
    let Migration { version, name, kind, .. } = migration;
    let checksum = migration.checksum();
    format!(
        "insert into durable.migrations (version, name, kind, checksum)\nvalues ({version}, '{name}', '{kind}', '{checksum}');\n"
    )
}

/// The statement that records the functions, written for the schema `durable`.
pub(crate) fn record_functions(history: History) -> String {
    let (digest, release) = (history.function_digest(), history.release);
    format!(
        "insert into durable.function_digest (digest, release)\nvalues ('{digest}', '{release}')\non conflict (singleton)\n\
         do update set digest = excluded.digest, release = excluded.release, applied_at = excluded.applied_at;\n"
    )
}

fn functions_state(history: History, digest: String, release: String) -> FunctionsState {
    if digest == history.function_digest() {
        FunctionsState::Current
    } else if compare_releases(&release, history.release) == Ordering::Greater {
        FunctionsState::Newer { release }
    } else {
        FunctionsState::Differ { release }
    }
}

/// By number, so that 0.10.0 comes after 0.9.1; what stands after the numbers is not compared.
fn compare_releases(left: &str, right: &str) -> Ordering {
    let numbers = |release: &str| -> Vec<u64> { release.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect() };
    numbers(left).cmp(&numbers(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_compare_by_number() {
        assert_eq!(compare_releases("0.10.0", "0.9.1"), Ordering::Greater);
        assert_eq!(compare_releases("0.9.1", "0.9.1"), Ordering::Equal);
        assert_eq!(compare_releases("1.0.0-rc.1", "1.0.0"), Ordering::Equal);
        assert_eq!(compare_releases("0.9.1", "1.0.0"), Ordering::Less);
    }

    #[test]
    fn functions_of_a_newer_release_are_told_from_those_of_an_older_one() {
        let ours = History::OF_THIS_PROGRAM;
        assert_eq!(functions_state(ours, ours.function_digest(), "9.0.0".to_owned()), FunctionsState::Current);
        let newer = FunctionsState::Newer { release: "9.0.0".to_owned() };
        assert_eq!(functions_state(ours, "another".to_owned(), "9.0.0".to_owned()), newer);
        let older = FunctionsState::Differ { release: ours.release.to_owned() };
        assert_eq!(functions_state(ours, "another".to_owned(), ours.release.to_owned()), older);
    }

    #[test]
    fn what_is_recorded_needs_no_escaping() {
        for migration in crate::migrations() {
            assert!(migration.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{migration}");
        }
    }
}
