//! Every migration and function that a program brings, in the order in which they are applied.

use std::fmt;

use sha2::{Digest, Sha256};

// `MIGRATIONS`, `VIEWS` and `FUNCTIONS`: the files of these folders, as `build.rs` lists them.
include!(concat!(env!("OUT_DIR"), "/history.rs"));

/// The version of the schema that this program needs: the number of its newest migration.
pub const VERSION: i32 = MIGRATIONS.len() as i32;

/// The migrations this program brings, oldest first; their versions are 1, 2, 3 and so on.
#[must_use]
pub fn migrations() -> &'static [Migration] {
    MIGRATIONS
}

/// The SQL functions this program brings, in the order in which they are created.
#[must_use]
pub fn functions() -> &'static [Function] {
    FUNCTIONS
}

/// The views this program brings, in the order in which they are created, before the functions.
#[must_use]
pub fn views() -> &'static [View] {
    VIEWS
}

/// What one release of a program brings to its schema: every migration so far, and the views and functions as this
/// release has them.
///
/// [`History::OF_THIS_PROGRAM`] is the history of durable; [`migrate`](crate::migrate()), [`check`](crate::check()) and the other
/// functions of this crate call its methods of the same name. Any other history is made up, to test what these methods do with it.
#[derive(Clone, Copy)]
pub struct History {
    pub(crate) migrations: &'static [Migration],
    pub(crate) views: &'static [View],
    pub(crate) functions: &'static [Function],
    /// The version of the program, as in `0.10.1`.
    pub(crate) release: &'static str,
}

impl History {
    /// The migrations, views and functions of this program.
    pub const OF_THIS_PROGRAM: Self = Self::new(MIGRATIONS, VIEWS, FUNCTIONS, env!("CARGO_PKG_VERSION"));

    /// A history of these migrations, whose versions count up from 1, and these views and functions, in the order in which they are
    /// created. The release, as in `0.10.1`, decides which functions are newer if two programs have the same migrations.
    #[must_use]
    pub const fn new(
        migrations: &'static [Migration],
        views: &'static [View],
        functions: &'static [Function],
        release: &'static str,
    ) -> Self {
        Self { migrations, views, functions, release }
    }

    /// The version of the schema that this history arrives at: the number of its newest migration.
    #[must_use]
    pub fn version(&self) -> i32 {
        self.migrations.last().map_or(0, |newest| newest.version)
    }

    /// The migration with this number.
    pub(crate) fn find(&self, version: i32) -> Option<&'static Migration> {
        self.migrations.iter().find(|migration| migration.version == version)
    }

    /// What the ledger records of the text of all views and functions, to notice when they have to be created again.
    pub(crate) fn function_digest(&self) -> String {
        digest(self.views.iter().map(|view| view.sql).chain(self.functions.iter().map(|function| function.sql)))
    }
}

/// One released change of the schema. It is never edited; what should change next is the next migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// Its number, which is also the version of the schema after it.
    pub version: i32,
    /// What it does, as in `create_executions`.
    pub name: &'static str,
    /// What it asks of programs that are running while it is applied.
    pub kind: Kind,
    /// Its text, written for the schema `durable`.
    pub sql: &'static str,
}

/// What a migration asks of the programs that run while it is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Adds only: programs of the versions before work on, and new ones of them start. A function keeps its parameters, one that
    /// needs more stands beside it; a column that is added has a default or may be null.
    Expand,
    /// Removes what no program of the version before uses any more, such as a function with its former parameters: those that run
    /// work on, and none of them starts.
    Contract,
    /// Stop all workers first.
    Breaking,
}

/// A SQL function, of which each release brings its current body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Function {
    /// Its name, without the schema.
    pub name: &'static str,
    /// The statement that creates or replaces it, written for the schema `durable`.
    pub sql: &'static str,
}

/// A view of the tables, of which each release brings its current definition. A release may add columns at its end. A migration that
/// removes or changes a column that the view reads drops the view first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct View {
    /// Its name, without the schema.
    pub name: &'static str,
    /// The statement that creates or replaces it, written for the schema `durable`.
    pub sql: &'static str,
}

impl Migration {
    /// A migration of this number and name; the text is written for the schema `durable`.
    #[must_use]
    pub const fn new(version: i32, name: &'static str, kind: Kind, sql: &'static str) -> Self {
        Self { version, name, kind, sql }
    }

    /// The name of its file, as in `0002_create_executions.sql`.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{self}.sql")
    }

    /// What the ledger records of its text, to notice when a released migration is edited.
    #[must_use]
    pub fn checksum(&self) -> String {
        digest([self.sql])
    }
}

impl Function {
    /// A function of this name; the text creates or replaces it, and is written for the schema `durable`.
    #[must_use]
    pub const fn new(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql }
    }
}

impl View {
    /// A view of this name; the text creates or replaces it, and is written for the schema `durable`.
    #[must_use]
    pub const fn new(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql }
    }
}

/// Without the texts, which are long.
impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").field("version", &self.version()).field("release", &self.release).finish_non_exhaustive()
    }
}

impl fmt::Display for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}_{}", self.version, self.name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Expand => "expand",
            Self::Contract => "contract",
            Self::Breaking => "breaking",
        })
    }
}

/// The SHA-256 of the texts, in hexadecimal.
fn digest(texts: impl IntoIterator<Item = &'static str>) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        // A checkout may have turned the line ends into CRLF, and is the same migration still.
        hasher.update(text.replace("\r\n", "\n"));
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SchemaName;

    #[test]
    fn a_view_file_creates_or_replaces_the_one_view_it_is_named_after() {
        for View { name, sql } in views() {
            assert!(sql.starts_with(&format!("-- {name}: ")), "{name}.sql does not start with its name and purpose");
            assert!(sql.contains(&format!("create or replace view durable.{name} as")), "{name}.sql lacks it");
            assert_eq!(sql.matches("create or replace").count(), 1, "{name}.sql creates more than one");
        }
    }

    #[test]
    fn views_and_functions_come_after_what_postgres_looks_up_when_it_creates_them() {
        let place = |name: &str| functions().iter().position(|function| function.name == name);
        assert!(place("reopen_waits") < place("refuse_messages"));
        assert!(place("undoable") < place("enlist_children"));
        assert!(place("new_id") < place("fork"), "it is the default of a parameter");
        let views: Vec<&str> = views().iter().map(|view| view.name).collect();
        assert_eq!(views, ["shown_executions", "prunable_executions"]);
    }

    #[test]
    fn versions_count_up_from_one() {
        let versions: Vec<i32> = migrations().iter().map(|migration| migration.version).collect();
        assert_eq!(versions, (1..=VERSION).collect::<Vec<_>>());
    }

    #[test]
    fn a_migration_says_its_kind_and_purpose_first() {
        for migration in migrations() {
            let first = migration.sql.lines().next().unwrap_or_default();
            let purpose = first.strip_prefix(&format!("-- {}: ", migration.kind));
            assert!(purpose.is_some_and(|purpose| !purpose.is_empty()), "{migration} starts with {first:?}");
        }
    }

    /// Empties only tables that the baseline has just created.
    const SEEDS: &str = "seed_statistics";

    #[test]
    fn a_migration_that_takes_something_away_does_not_claim_to_only_add() {
        for migration in migrations().iter().filter(|migration| migration.kind == Kind::Expand && migration.name != SEEDS) {
            let found = takes_away(migration.sql);
            assert_eq!(found, None, "{migration} is `expand`, and takes something from programs that run");
        }
    }

    /// A new schema gets all migrations first and then the functions, so it never had a function that was dropped.
    #[test]
    fn a_migration_drops_a_function_only_if_it_exists() {
        for migration in migrations() {
            let sql = migration.sql.to_lowercase();
            let drops = sql.match_indices("drop function ").map(|(at, word)| &sql[at + word.len()..]);
            assert!(drops.into_iter().all(|rest| rest.starts_with("if exists ")), "{migration} fails on a new schema");
        }
    }

    #[test]
    fn what_takes_something_away_is_recognised() {
        for sql in [
            "drop function durable.claim(uuid);",
            "alter table durable.waits\n    drop column form;",
            "ALTER TABLE durable.waits RENAME COLUMN form TO shape;",
            "alter table durable.waits\nalter column name set not null;",
            "truncate durable.refusals;",
            "alter table durable.waits\ndrop constraint kind_is_known;",
        ] {
            assert!(takes_away(sql).is_some(), "{sql}");
        }
        for sql in [
            "alter table durable.waits\nadd column mood text;",
            "-- expand: do not drop it.\ncreate table durable.moods (mood text);",
            "alter table durable.waits\ndrop constraint kind_is_known,\nadd constraint kind_is_known check (kind <> '');",
        ] {
            assert_eq!(takes_away(sql), None);
        }
    }

    /// The first line that takes something from programs of the release before. A constraint may be replaced, for instance by one that
    /// allows more words.
    fn takes_away(sql: &str) -> Option<&str> {
        let replaces_constraint = |line: &str| {
            let dropped = line.trim().strip_prefix("drop constraint ").map(|name| name.trim_end_matches([',', ';']));
            dropped.is_some_and(|name| sql.contains(&format!("add constraint {name} ")))
        };
        let statements = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
        let mut statements = statements.filter(|line| !replaces_constraint(line));
        statements.find(|line| {
            let line = line.to_lowercase();
            ["drop ", "rename ", "alter column", "truncate "].iter().any(|word| line.contains(word))
        })
    }

    #[test]
    fn a_function_file_creates_or_replaces_the_one_function_it_is_named_after() {
        for Function { name, sql } in functions() {
            assert!(sql.starts_with(&format!("-- {name}: ")), "{name}.sql does not start with its name and purpose");
            assert!(sql.contains(&format!("create or replace function durable.{name}(")), "{name}.sql lacks it");
            assert_eq!(sql.matches("create or replace").count(), 1, "{name}.sql creates more than one");
        }
    }

    #[test]
    fn nothing_names_the_default_schema_in_a_way_that_another_name_does_not_reach() {
        let other: SchemaName = "elsewhere".parse().unwrap();
        let replaced = views().iter().map(|v| (v.name, v.sql)).chain(functions().iter().map(|f| (f.name, f.sql)));
        let texts = migrations().iter().map(|m| (m.name, m.sql)).chain(replaced);
        for (name, sql) in texts {
            for line in other.qualify(sql).lines().filter(|line| !line.trim_start().starts_with("--")) {
                assert!(!line.contains("durable"), "{name}: {line:?} would stay in every schema");
            }
        }
    }

    #[test]
    fn transactions_are_left_to_the_one_who_applies_them() {
        for migration in migrations() {
            let ends_it = |line: &str| ["begin;", "commit;", "rollback;"].contains(&line.trim().to_lowercase().as_str());
            assert!(!migration.sql.lines().any(ends_it), "{migration} ends the transaction it runs in");
            assert!(!migration.sql.contains(" concurrently "), "{migration} cannot run in a transaction");
        }
    }

    #[test]
    fn line_ends_do_not_change_a_checksum() {
        assert_eq!(digest(["a\r\nb\r\n"]), digest(["a\nb\n"]));
        assert_ne!(digest(["a\nb\n"]), digest(["a\nc\n"]));
        assert_eq!(digest(["abc"]), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
