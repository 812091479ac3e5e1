//! The one error of this crate; each message fits after "failed to" and says what to do next.

use crate::SchemaName;

/// Why a schema could not be named, reached, migrated or accepted.
///
/// Passwords never appear in it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text cannot be the name of a schema.
    #[error(
        "use `{name}` as the name of a schema: {problem}; take 1 to {longest} lower-case letters, digits and \
         underscores, such as `{default}`",
        longest = SchemaName::MAX_LENGTH,
        default = SchemaName::DEFAULT
    )]
    InvalidSchemaName {
        /// The text that was given.
        name: String,
        /// The rule it breaks.
        problem: String,
    },

    /// The text cannot be the name of a role.
    #[error("grant to the role `{role}`: {problem}; give the name of an existing role")]
    InvalidRole {
        /// The text that was given.
        role: String,
        /// The rule it breaks.
        problem: String,
    },

    /// The database url cannot be read.
    #[error("read the database url: {problem}; write it as postgres://user:password@host:port/database")]
    InvalidUrl {
        /// What is wrong with it, without the url itself, which may hold a password.
        problem: String,
    },

    /// The database cannot hold every text.
    #[error(
        "use {database}: its encoding is {encoding}, in which not every text can be stored; make a database with `create database … \
         template template0 encoding 'UTF8'`, and put its name into the database url"
    )]
    Encoding {
        /// Which database, on which server.
        database: String,
        /// Its encoding.
        encoding: String,
    },

    /// There are no such versions to write a script for.
    #[error(
        "write a script from version {from} to version {to}: this program knows the versions 0 to {newest}; choose two \
         of them, the smaller one first"
    )]
    InvalidRange {
        /// The version to start from.
        from: i32,
        /// The version to arrive at.
        to: i32,
        /// The newest version that this program knows.
        newest: i32,
    },

    /// No connection to the database came about.
    #[error("connect to {database}: {problem}; {remedy}")]
    Connect {
        /// Which database, on which server.
        database: String,
        /// What the server or the network said.
        problem: String,
        /// What to do next.
        remedy: String,
    },

    /// The database refused a statement. Nothing was changed: what the same call did before it was undone.
    #[error("{action} in {database}: {problem}; {remedy}")]
    Statement {
        /// What was under way, with the file if it was a migration.
        action: String,
        /// Which database, on which server.
        database: String,
        /// What the server or the network said.
        problem: String,
        /// What to do next.
        remedy: String,
        /// Whether the connection was lost or the server is starting or stopping: the same call may succeed a little later.
        passes: bool,
    },

    /// The schema is older than this program needs, or does not exist.
    #[error("use {}; run `{}`", behind(schema, *found, *needed), command(schema))]
    Behind {
        /// The schema.
        schema: SchemaName,
        /// Its version, if it has one.
        found: Option<i32>,
        /// The version that this program needs.
        needed: i32,
    },

    /// The schema is newer than this program knows.
    #[error(
        "use the schema `{schema}`: it is at version {found}, from which something was taken that this program needs or may need, as it \
         knows no version above {known}; upgrade `durable` in this program"
    )]
    Ahead {
        /// The schema.
        schema: SchemaName,
        /// Its version.
        found: i32,
        /// The newest version that this program knows.
        known: i32,
    },

    /// The schema was made by migrations from before the first release.
    #[error(
        "use the schema `{schema}`: {BEFORE_BASELINE}; save what you need from it, drop it with `drop schema {schema} cascade`, which deletes \
         every execution in it, and run `{}`",
        command(schema)
    )]
    BeforeBaseline {
        /// The schema.
        schema: SchemaName,
    },

    /// A migration has another text than the one that was applied.
    #[error(
        "trust the schema `{schema}`: {file} is not the text that was applied as version {version}; restore the released \
         file, and put what should change into a new migration"
    )]
    Edited {
        /// The schema.
        schema: SchemaName,
        /// The version of the migration.
        version: i32,
        /// Its file, as this program has it.
        file: String,
    },

    /// The ledger lists a migration but not the one before it.
    #[error(
        "trust the schema `{schema}`: its ledger lists version {next} but not version {missing}; restore the row that was \
         deleted from `{schema}.migrations`"
    )]
    Gap {
        /// The schema.
        schema: SchemaName,
        /// The version that is not listed.
        missing: i32,
        /// The version that is listed instead.
        next: i32,
    },

    /// The functions in the schema are not the ones of this program.
    #[error("use the schema `{schema}`: its functions are not the ones this program brings; run `{}`", command(schema))]
    FunctionsDiffer {
        /// The schema.
        schema: SchemaName,
    },
}

impl Error {
    /// Whether the database was only away for a moment: the same call may succeed a little later.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Statement { passes: true, .. })
    }
}

/// Why a schema cannot be brought up to date.
pub(crate) const BEFORE_BASELINE: &str =
    "it was made by migrations from before the first release, which this program cannot continue";

fn behind(schema: &SchemaName, found: Option<i32>, needed: i32) -> String {
    match found {
        None => format!("the schema `{schema}`: it has not been created in this database"),
        Some(found) => {
            format!("the schema `{schema}`: it is at version {found} and this program needs version {needed}")
        }
    }
}

/// The command that brings a schema up to date.
pub(crate) fn command(schema: &SchemaName) -> String {
    if *schema == SchemaName::default() {
        "durable-migrate migrate".to_owned()
    } else {
        format!("durable-migrate --schema {schema} migrate")
    }
}
