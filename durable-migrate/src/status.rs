//! Compares what a schema has with what this program brings, and says whether the two fit.

use std::fmt;

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use sqlx::types::chrono::{DateTime, Utc};

use crate::database::{Place, Remedy};
use crate::error::BEFORE_BASELINE;
use crate::ledger::{self, Ledger};
use crate::{Database, Error, History, Migration, SchemaName};

/// What a schema has, beside what this program brings.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// The schema.
    pub schema: SchemaName,
    /// The version of the schema; `None` where it was never migrated.
    pub database_version: Option<i32>,
    /// Programs that know this version, or a later one, can work with the schema.
    pub serves_from: i32,
    /// The version that this program needs.
    pub known_version: i32,
    /// What was applied, oldest first.
    pub applied: Vec<Applied>,
    /// What [`migrate`](crate::migrate) would apply, oldest first.
    pub pending: Vec<&'static Migration>,
    /// The functions in the schema, beside those of this program.
    pub functions: FunctionsState,
    /// What this program brings.
    history: History,
}

/// A migration that was applied to a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// Its number.
    pub version: i32,
    /// What it does.
    pub name: String,
    /// When, by the clock of the database.
    pub applied_at: DateTime<Utc>,
    /// Is its text the one this program has? `None` where this program does not know the version.
    pub unchanged: Option<bool>,
}

/// The functions in a schema, beside those of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionsState {
    /// There are none yet.
    Missing,
    /// They are those of this program.
    Current,
    /// They come from an older release, or from a build between two releases.
    Differ {
        /// The release that brought them.
        release: String,
    },
    /// They come from a newer release with the same migrations: they serve this program, and it leaves them alone.
    Newer {
        /// The release that brought them.
        release: String,
    },
}

/// How far a schema was migrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaVersion {
    /// The number of the newest migration that was applied.
    pub version: i32,
    /// The number of the newest that did more than add: the schema serves programs that know it, and no older ones.
    pub serves_from: i32,
}

/// Compares a schema with what this program brings.
///
/// # Errors
/// When the database cannot be reached or the ledger cannot be read.
pub async fn status(database: impl Into<Database>, schema: &SchemaName) -> Result<Status, Error> {
    History::OF_THIS_PROGRAM.status(database, schema).await
}

/// Is the schema exactly what this program brings?
///
/// # Errors
/// When it is behind, ahead, edited or without the functions of this program; the message says what to run. Also when
/// the database cannot be reached or the ledger cannot be read.
pub async fn check(database: impl Into<Database>, schema: &SchemaName) -> Result<(), Error> {
    History::OF_THIS_PROGRAM.check(database, schema).await
}

/// How far a schema was migrated, for a worker that starts; `None` where it never was. [`accept_version`] judges it.
///
/// # Errors
/// When the ledger cannot be read, the database has another encoding than UTF-8, or the schema is from before the first release.
pub async fn version(connection: &mut PgConnection, schema: &SchemaName) -> Result<Option<SchemaVersion>, Error> {
    History::OF_THIS_PROGRAM.found(connection, schema).await
}

/// Can this program work with a schema that was migrated so far? With a newer one it can as long as all that is new was added to
/// what it knows, so that a deployment can migrate first, and let programs of both versions work side by side.
///
/// # Errors
/// When it is older than the version this program needs, or a newer migration took something away; the message says what to run.
pub fn accept_version(found: Option<SchemaVersion>, schema: &SchemaName) -> Result<(), Error> {
    History::OF_THIS_PROGRAM.accept_version(found, schema)
}

impl History {
    /// Compares a schema with this history: see [`status`](status()).
    ///
    /// # Errors
    /// See [`status`](status()).
    pub async fn status(&self, database: impl Into<Database>, schema: &SchemaName) -> Result<Status, Error> {
        let (mut connection, place) = database.into().connect().await?;
        let read = read(&mut connection, &place, schema, *self).await;
        connection.close().await.ok();
        read
    }

    /// Is the schema exactly what this history brings? See [`check`](check()).
    ///
    /// # Errors
    /// See [`check`](check()).
    pub async fn check(&self, database: impl Into<Database>, schema: &SchemaName) -> Result<(), Error> {
        self.status(database, schema).await?.accept()
    }

    /// How far a schema was migrated: see [`version`](version()).
    ///
    /// # Errors
    /// See [`version`](version()).
    pub async fn found(&self, connection: &mut PgConnection, schema: &SchemaName) -> Result<Option<SchemaVersion>, Error> {
        accept_encoding(connection, &Place::Unknown).await?;
        let found = ledger::version(connection, schema).await.map_err(|error| unreadable(&Place::Unknown, schema, &error))?;
        let Some(found) = found else { return Ok(None) };
        self.accept_first(schema, found.first_name.as_deref())?;
        Ok(Some(found.version))
    }

    /// Can a program with this history work with a schema that was migrated so far? See [`accept_version`](accept_version()).
    ///
    /// # Errors
    /// See [`accept_version`](accept_version()).
    pub fn accept_version(&self, found: Option<SchemaVersion>, schema: &SchemaName) -> Result<(), Error> {
        let (schema, known) = (schema.clone(), self.version());
        match found {
            Some(found) if found.serves_from > known => Err(Error::Ahead { schema, found: found.version, known }),
            Some(found) if found.version >= known => Ok(()),
            found => Err(Error::Behind { schema, found: found.map(|found| found.version), needed: known }),
        }
    }

    /// Is the first migration the one that this history begins with? The histories from before the first release begin with
    /// another, and no migration leads from there to here.
    fn accept_first(&self, schema: &SchemaName, name: Option<&str>) -> Result<(), Error> {
        let is_ours = |name: &str| self.migrations.first().is_some_and(|first| first.name == name);
        if name.is_none_or(is_ours) { Ok(()) } else { Err(Error::BeforeBaseline { schema: schema.clone() }) }
    }
}

/// Reads the ledger over a connection that is already there.
pub(crate) async fn read(
    connection: &mut PgConnection,
    place: &Place,
    schema: &SchemaName,
    history: History,
) -> Result<Status, Error> {
    accept_encoding(connection, place).await?;
    let ledger = ledger::read(connection, schema, history).await.map_err(|error| unreadable(place, schema, &error))?;
    Ok(Status::compare(schema, ledger, history))
}

/// A database in LATIN1 would refuse some text only after the step has run, and a database in SQL_ASCII accepts bytes that
/// cannot be read back.
async fn accept_encoding(connection: &mut PgConnection, place: &Place) -> Result<(), Error> {
    let found = ledger::encoding(connection).await;
    let encoding = found.map_err(|error| place.refused("read the encoding of the database", &error, &[]))?;
    if encoding == "UTF8" { Ok(()) } else { Err(Error::Encoding { database: place.to_string(), encoding }) }
}

fn unreadable(place: &Place, schema: &SchemaName, error: &sqlx::Error) -> Error {
    let denied = format!("let the owner of the schema run what `durable-migrate grants --role {}` prints", place.role());
    let old = format!("if {BEFORE_BASELINE}, save what you need from it and drop it with `drop schema {schema} cascade`");
    let remedies: [Remedy<'_>; 2] = [("42501", &denied), ("42703", &old)];
    place.refused(format!("read the ledger of the schema `{schema}`"), error, &remedies)
}

impl Status {
    fn compare(schema: &SchemaName, ledger: Option<Ledger>, history: History) -> Self {
        let mut status = Self {
            schema: schema.clone(),
            database_version: None,
            serves_from: 0,
            known_version: history.version(),
            applied: Vec::new(),
            pending: Vec::new(),
            functions: FunctionsState::Missing,
            history,
        };
        if let Some(ledger) = ledger {
            status.database_version = Some(ledger.migrations.last().map_or(0, |newest| newest.version));
            let altering = ledger.migrations.iter().rfind(|migration| !migration.only_adds);
            status.serves_from = altering.map_or(0, |migration| migration.version);
            status.functions = ledger.functions;
            status.applied = ledger.migrations.into_iter().map(|entry| Applied::compare(entry, history)).collect();
        }
        let newest = status.database_version.unwrap_or(0);
        status.pending = history.migrations.iter().filter(|migration| migration.version > newest).collect();
        status
    }

    /// Is the schema exactly what this program brings?
    ///
    /// # Errors
    /// See [`check`].
    pub fn accept(&self) -> Result<(), Error> {
        self.accept_history()?;
        self.accept_version()?;
        match self.functions {
            FunctionsState::Current | FunctionsState::Newer { .. } => Ok(()),
            FunctionsState::Missing | FunctionsState::Differ { .. } => {
                Err(Error::FunctionsDiffer { schema: self.schema.clone() })
            }
        }
    }

    /// Can this program work with the schema? See [`accept_version`](accept_version()).
    ///
    /// # Errors
    /// When it is older than this program needs, or a newer migration took something away; the message says what to run.
    pub fn accept_version(&self) -> Result<(), Error> {
        let found = self.database_version.map(|version| SchemaVersion { version, serves_from: self.serves_from });
        self.history.accept_version(found, &self.schema)
    }

    /// Is the schema newer than this program, and serves it all the same?
    pub fn is_ahead(&self) -> bool {
        self.database_version.is_some_and(|found| found > self.known_version) && self.accept_version().is_ok()
    }

    /// Is what was applied the beginning of what this program brings?
    pub(crate) fn accept_history(&self) -> Result<(), Error> {
        let first = self.applied.first().filter(|applied| applied.version == 1);
        self.history.accept_first(&self.schema, first.map(|applied| applied.name.as_str()))?;
        if let Some(found) = self.database_version.filter(|found| *found > self.known_version) {
            return Err(Error::Ahead { schema: self.schema.clone(), found, known: self.known_version });
        }
        for (expected, applied) in (1..).zip(&self.applied) {
            if applied.version != expected {
                let schema = self.schema.clone();
                return Err(Error::Gap { schema, missing: expected, next: applied.version });
            }
            if applied.unchanged == Some(false) {
                return Err(Error::Edited {
                    schema: self.schema.clone(),
                    version: applied.version,
                    file: self.history.find(applied.version).map_or_else(|| applied.name.clone(), Migration::file),
                });
            }
        }
        Ok(())
    }
}

impl Applied {
    fn compare(entry: ledger::Entry, history: History) -> Self {
        Self {
            unchanged: history.find(entry.version).map(|migration| migration.checksum() == entry.checksum),
            version: entry.version,
            name: entry.name,
            applied_at: entry.applied_at,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.database_version {
            None => writeln!(f, "schema {}: not created yet", self.schema)?,
            Some(found) => writeln!(f, "schema {}: version {found}", self.schema)?,
        }
        writeln!(f, "this program needs: version {}", self.known_version)?;
        for applied in &self.applied {
            let remark = match applied.unchanged {
                Some(true) => "",
                Some(false) => ", with another text than this program has",
                None => ", unknown to this program",
            };
            let at = applied.applied_at.format("%Y-%m-%d %H:%M:%S UTC");
            writeln!(f, "  {:04}_{} applied {at}{remark}", applied.version, applied.name)?;
        }
        for pending in &self.pending {
            writeln!(f, "  {pending} pending ({})", pending.kind)?;
        }
        write!(f, "functions: {}", self.functions)
    }
}

impl fmt::Display for FunctionsState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("not created yet"),
            Self::Current => f.write_str("current"),
            Self::Differ { release } => write!(f, "those of {release}, to be replaced"),
            Self::Newer { release } => write!(f, "those of {release}, newer than this program"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{VERSION, migrations};

    const OURS: History = History::OF_THIS_PROGRAM;

    /// The status of a schema to which the first migrations were applied, as this program has them.
    fn migrated_to(version: i32) -> Status {
        let applied = migrations().iter().filter(|migration| migration.version <= version);
        let entries = applied.map(|migration| entry(migration.version, migration.name, &migration.checksum()));
        Status::compare(
            &SchemaName::default(),
            Some(Ledger { migrations: entries.collect(), functions: FunctionsState::Current }),
            OURS,
        )
    }

    fn entry(version: i32, name: &str, checksum: &str) -> ledger::Entry {
        let (name, checksum) = (name.to_owned(), checksum.to_owned());
        ledger::Entry { version, name, checksum, applied_at: DateTime::UNIX_EPOCH, only_adds: true }
    }

    #[test]
    fn a_schema_that_is_up_to_date_is_accepted() {
        let status = migrated_to(VERSION);
        assert!(status.pending.is_empty());
        status.accept().unwrap();
    }

    #[test]
    fn a_schema_that_does_not_exist_is_behind() {
        let status = Status::compare(&"billing".parse().unwrap(), None, OURS);
        assert_eq!(status.pending.len(), migrations().len());
        status.accept_history().unwrap();
        let message = status.accept().unwrap_err().to_string();
        assert_eq!(
            message,
            "use the schema `billing`: it has not been created in this database; run `durable-migrate --schema billing migrate`"
        );
    }

    #[test]
    fn a_schema_of_an_older_version_is_behind() {
        let status = migrated_to(VERSION - 1);
        assert_eq!(status.pending.iter().map(|m| m.version).collect::<Vec<_>>(), [VERSION]);
        status.accept_history().unwrap();
        let message = status.accept().unwrap_err().to_string();
        assert!(message.ends_with("run `durable-migrate migrate`"), "{message}");
    }

    #[test]
    fn a_schema_of_a_newer_version_is_ahead() {
        let mut status = migrated_to(VERSION);
        status.applied.push(Applied::compare(entry(VERSION + 1, "from_tomorrow", "?"), OURS));
        status.database_version = Some(VERSION + 1);
        assert!(matches!(status.accept_history(), Err(Error::Ahead { found, .. }) if found == VERSION + 1));
        assert!(matches!(status.accept(), Err(Error::Ahead { .. })));
        assert!(status.to_string().contains("from_tomorrow applied 1970-01-01 00:00:00 UTC, unknown to this program"));
    }

    #[test]
    fn a_schema_from_before_the_first_release_is_refused_and_the_message_says_what_to_do() {
        // Such histories have reached version 44.
        for newest in [1, VERSION, 44] {
            let entries = (1..=newest).map(|version| entry(version, if version == 1 { "create_clock" } else { "later" }, "?"));
            let ledger = Ledger { migrations: entries.collect(), functions: FunctionsState::Current };
            let status = Status::compare(&SchemaName::default(), Some(ledger), OURS);
            for refusal in [status.accept_history(), status.accept()] {
                let message = refusal.unwrap_err().to_string();
                for part in ["before the first release", "`drop schema durable cascade`", "run `durable-migrate migrate`"] {
                    assert!(message.contains(part), "{message}");
                }
            }
        }
    }

    #[test]
    fn an_edited_migration_is_named() {
        let mut status = migrated_to(VERSION);
        status.applied[0].unchanged = Some(false);
        let message = status.accept().unwrap_err().to_string();
        assert!(message.contains(&migrations()[0].file()), "{message}");
    }

    #[test]
    fn a_gap_in_the_ledger_is_named() {
        let mut status = migrated_to(VERSION);
        status.applied.remove(0);
        assert!(matches!(status.accept(), Err(Error::Gap { missing: 1, next: 2, .. })));
    }

    #[test]
    fn functions_of_another_build_are_refused_and_those_of_a_newer_release_are_not() {
        let mut status = migrated_to(VERSION);
        status.functions = FunctionsState::Newer { release: "9.0.0".to_owned() };
        status.accept().unwrap();
        status.functions = FunctionsState::Differ { release: "0.0.1".to_owned() };
        let message = status.accept().unwrap_err().to_string();
        assert!(message.ends_with("run `durable-migrate migrate`"), "{message}");
    }
}
