//! Brings a schema up to date: one connection, one transaction, one migration after the other.

use std::fmt;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor, Row, raw_sql};

use crate::database::{PRIMARY, Place, Remedy, quote};
use crate::{Database, Error, FunctionsState, History, Migration, SchemaName, Status, ledger, script, status};

/// What a call of [`migrate`] did.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Report {
    /// The schema.
    pub schema: SchemaName,
    /// Its version now; above [`VERSION`](crate::VERSION) where a later release has migrated it before.
    pub version: i32,
    /// The migrations that were applied, oldest first.
    pub applied: Vec<&'static Migration>,
    /// Were the functions and views created again?
    pub functions_replaced: bool,
}

/// Brings a schema up to date, creating it where it does not exist; where there is nothing to do, it changes nothing. One that is
/// newer than this program, and serves it all the same, is left as it is.
///
/// Everything happens in one transaction under a lock on the name of the schema, so that it happens whole or not at all,
/// also when the future is dropped, and once, however many processes call it at the same time.
///
/// # Errors
/// When the database cannot be reached, the role may not create what is needed, or a statement fails; when the schema is
/// newer and no longer serves this program, or was made by migrations of another text. In each case nothing was changed.
pub async fn migrate(database: impl Into<Database>, schema: &SchemaName) -> Result<Report, Error> {
    History::OF_THIS_PROGRAM.migrate(database, schema).await
}

impl History {
    /// Brings a schema up to date with this history: see [`migrate`](migrate()).
    ///
    /// # Errors
    /// See [`migrate`](migrate()).
    pub async fn migrate(&self, database: impl Into<Database>, schema: &SchemaName) -> Result<Report, Error> {
        let (mut connection, place) = database.into().connect().await?;
        let outcome = Run { connection: &mut connection, place: &place, schema, history: *self }.bring_up_to_date().await;
        // Says goodbye, which after an error also undoes the transaction; that one has been decided by now.
        connection.close().await.ok();
        outcome
    }
}

/// One transaction under way.
struct Run<'a> {
    connection: &'a mut PgConnection,
    place: &'a Place,
    schema: &'a SchemaName,
    history: History,
}

impl Run<'_> {
    async fn bring_up_to_date(mut self) -> Result<Report, Error> {
        self.begin().await?;
        let status = status::read(self.connection, self.place, self.schema, self.history).await?;
        if status.is_ahead() {
            self.send("commit", "commit".to_owned(), &[]).await?;
            return Ok(self.report(&status, false));
        }
        status.accept_history()?;
        if status.database_version.is_none() {
            self.create_schema().await?;
        }
        for migration in &status.pending {
            self.apply(migration).await?;
        }
        // A migration may have dropped functions or views, so that each one is followed by all of them.
        let outdated = matches!(status.functions, FunctionsState::Missing | FunctionsState::Differ { .. });
        let functions_replaced = outdated || !status.pending.is_empty();
        if functions_replaced {
            self.replace_functions().await?;
        }
        self.send("commit", "commit".to_owned(), &[]).await?;
        Ok(self.report(&status, functions_replaced))
    }

    fn report(&self, before: &Status, functions_replaced: bool) -> Report {
        let known = self.history.version();
        let version = before.database_version.map_or(known, |found| found.max(known));
        Report { schema: self.schema.clone(), version, applied: before.pending.clone(), functions_replaced }
    }

    async fn begin(&mut self) -> Result<(), Error> {
        self.send("begin a transaction", script::BEGIN.to_owned(), &[("0A000", PRIMARY)]).await?;
        let busy = "see in `pg_stat_activity` what the other migration of this schema waits for, and try again";
        self.send("wait for another migration to end", script::take_turn(self.schema), &[("55P03", busy)]).await
    }

    async fn create_schema(&mut self) -> Result<(), Error> {
        let schema = self.schema;
        // Looked at first, because `create schema if not exists` is refused to a role that may not create one, even
        // where an administrator has already made the schema for it.
        let exists = format!("select to_regnamespace('{schema}') is not null");
        let looked = self.connection.fetch_one(raw_sql(AssertSqlSafe(exists))).await.and_then(|row| row.try_get(0));
        if !looked.map_err(|error| self.place.refused("look for the schema", &error, &[]))? {
            let (database, role) = (quote(self.place.database()), quote(self.place.role()));
            let denied = format!("let an administrator run `grant create on database {database} to {role}`");
            let create = format!("create schema {schema}");
            self.send(format!("create the schema `{schema}`"), create, &[("42501", &denied)]).await?;
        }
        self.change("create the ledger", ledger::CREATE).await
    }

    async fn apply(&mut self, migration: &Migration) -> Result<(), Error> {
        self.change(format!("apply {}", migration.file()), migration.sql).await?;
        self.change(format!("record {}", migration.file()), &ledger::record_migration(migration)).await
    }

    async fn replace_functions(&mut self) -> Result<(), Error> {
        for view in self.history.views {
            self.change(format!("create the view {}", view.name), view.sql).await?;
        }
        for function in self.history.functions {
            self.change(format!("create the function {}", function.name), function.sql).await?;
        }
        self.change("record the functions", &ledger::record_functions(self.history)).await
    }

    /// Sends what is written for the schema `durable` and needs the rights of the schema's owner.
    async fn change(&mut self, action: impl Into<String>, sql: &str) -> Result<(), Error> {
        let schema = self.schema;
        let denied = format!("migrate as the role that owns the schema `{schema}` and everything in it");
        let action = format!("{} in the schema `{schema}`", action.into());
        self.send(action, schema.qualify(sql), &[("42501", &denied)]).await
    }

    async fn send(&mut self, action: impl Into<String>, sql: String, remedies: &[Remedy<'_>]) -> Result<(), Error> {
        // A simple query, which needs no prepared statement and may hold several statements.
        let sent = self.connection.execute(raw_sql(AssertSqlSafe(sql))).await;
        sent.map(drop).map_err(|error| self.place.refused(action, &error, remedies))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for migration in &self.applied {
            writeln!(f, "applied {migration} ({})", migration.kind)?;
        }
        if self.functions_replaced {
            writeln!(f, "replaced the views and functions")?;
        }
        write!(f, "schema {} is up to date, at version {}", self.schema, self.version)
    }
}
