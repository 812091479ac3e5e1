//! Every migration and function that a program brings, in the order in which they are applied.

use std::fmt;

use sha2::{Digest, Sha256};

/// The migrations, oldest first. Add a file to `migrations/` and a line here; a test compares the two.
static MIGRATIONS: &[Migration] = &[
    Migration::new(1, "create_ordinals", Kind::Expand, include_str!("../migrations/0001_create_ordinals.sql")),
    Migration::new(2, "create_clock", Kind::Expand, include_str!("../migrations/0002_create_clock.sql")),
    Migration::new(3, "create_workers", Kind::Expand, include_str!("../migrations/0003_create_workers.sql")),
    Migration::new(4, "create_executions", Kind::Expand, include_str!("../migrations/0004_create_executions.sql")),
    Migration::new(5, "create_checkpoints", Kind::Expand, include_str!("../migrations/0005_create_checkpoints.sql")),
    Migration::new(6, "create_attempts", Kind::Expand, include_str!("../migrations/0006_create_attempts.sql")),
    Migration::new(7, "create_waits", Kind::Expand, include_str!("../migrations/0007_create_waits.sql")),
    Migration::new(8, "create_mailbox", Kind::Expand, include_str!("../migrations/0008_create_mailbox.sql")),
    Migration::new(9, "create_refusals", Kind::Expand, include_str!("../migrations/0009_create_refusals.sql")),
    Migration::new(10, "create_publications", Kind::Expand, include_str!("../migrations/0010_create_publications.sql")),
    Migration::new(11, "create_queues", Kind::Expand, include_str!("../migrations/0011_create_queues.sql")),
    Migration::new(12, "create_queue_starts", Kind::Expand, include_str!("../migrations/0012_create_queue_starts.sql")),
    Migration::new(13, "create_schedules", Kind::Expand, include_str!("../migrations/0013_create_schedules.sql")),
    Migration::new(14, "create_schedule_fires", Kind::Expand, include_str!("../migrations/0014_create_schedule_fires.sql")),
    Migration::new(15, "create_duties", Kind::Expand, include_str!("../migrations/0015_create_duties.sql")),
    Migration::new(16, "seed_statistics", Kind::Expand, include_str!("../migrations/0016_seed_statistics.sql")),
    Migration::new(17, "create_execution_values", Kind::Expand, include_str!("../migrations/0017_create_execution_values.sql")),
];

/// The functions. One that is written in SQL stands after those it calls, because Postgres looks them up at once.
static FUNCTIONS: &[Function] = &[
    Function::new("backfill_schedule", include_str!("../functions/backfill_schedule.sql")),
    Function::new("begin_rollback", include_str!("../functions/begin_rollback.sql")),
    Function::new("abandon_children", include_str!("../functions/abandon_children.sql")),
    Function::new("cancel", include_str!("../functions/cancel.sql")),
    Function::new("cancel_wait", include_str!("../functions/cancel_wait.sql")),
    Function::new("check_name", include_str!("../functions/check_name.sql")),
    Function::new("check_payload", include_str!("../functions/check_payload.sql")),
    Function::new("choose", include_str!("../functions/choose.sql")),
    Function::new("create_executions", include_str!("../functions/create_executions.sql")),
    Function::new("cut_off", include_str!("../functions/cut_off.sql")),
    Function::new("claim", include_str!("../functions/claim.sql")),
    Function::new("commit_step", include_str!("../functions/commit_step.sql")),
    Function::new("debounce", include_str!("../functions/debounce.sql")),
    Function::new("delete_queue", include_str!("../functions/delete_queue.sql")),
    Function::new("deliver", include_str!("../functions/deliver.sql")),
    Function::new("delivered_before", include_str!("../functions/delivered_before.sql")),
    Function::new("deprecate_worker", include_str!("../functions/deprecate_worker.sql")),
    Function::new("drop_waits", include_str!("../functions/drop_waits.sql")),
    Function::new("failure", include_str!("../functions/failure.sql")),
    Function::new("fire_schedules", include_str!("../functions/fire_schedules.sql")),
    Function::new("forget_starts", include_str!("../functions/forget_starts.sql")),
    Function::new("forget_workers", include_str!("../functions/forget_workers.sql")),
    Function::new("end_executions", include_str!("../functions/end_executions.sql")),
    Function::new("hold_families", include_str!("../functions/hold_families.sql")),
    Function::new("cancel_families", include_str!("../functions/cancel_families.sql")),
    Function::new("roll_back_families", include_str!("../functions/roll_back_families.sql")),
    Function::new("judge_fires", include_str!("../functions/judge_fires.sql")),
    Function::new("keys_in_turn", include_str!("../functions/keys_in_turn.sql")),
    Function::new("lock_families", include_str!("../functions/lock_families.sql")),
    Function::new("lock_mailbox", include_str!("../functions/lock_mailbox.sql")),
    Function::new("lost_holders", include_str!("../functions/lost_holders.sql")),
    Function::new("new_id", include_str!("../functions/new_id.sql")),
    Function::new("fork", include_str!("../functions/fork.sql")),
    Function::new("now", include_str!("../functions/now.sql")),
    Function::new("open_names", include_str!("../functions/open_names.sql")),
    Function::new("match_messages", include_str!("../functions/match_messages.sql")),
    Function::new("park", include_str!("../functions/park.sql")),
    Function::new("pause_queue", include_str!("../functions/pause_queue.sql")),
    Function::new("poison", include_str!("../functions/poison.sql")),
    Function::new("pause", include_str!("../functions/pause.sql")),
    Function::new("provide_input", include_str!("../functions/provide_input.sql")),
    Function::new("publish", include_str!("../functions/publish.sql")),
    Function::new("rank", include_str!("../functions/rank.sql")),
    Function::new("reopen_waits", include_str!("../functions/reopen_waits.sql")),
    Function::new("redate_starts", include_str!("../functions/redate_starts.sql")),
    Function::new("refuse_messages", include_str!("../functions/refuse_messages.sql")),
    Function::new("resolve_waits", include_str!("../functions/resolve_waits.sql")),
    Function::new("resume", include_str!("../functions/resume.sql")),
    Function::new("resume_queue", include_str!("../functions/resume_queue.sql")),
    Function::new("retry", include_str!("../functions/retry.sql")),
    Function::new("rollback", include_str!("../functions/rollback.sql")),
    Function::new("schema_mismatch", include_str!("../functions/schema_mismatch.sql")),
    Function::new("send_event", include_str!("../functions/send_event.sql")),
    Function::new("set_queue_limits", include_str!("../functions/set_queue_limits.sql")),
    Function::new("start", include_str!("../functions/start.sql")),
    Function::new("start_children", include_str!("../functions/start_children.sql")),
    Function::new("start_fires", include_str!("../functions/start_fires.sql")),
    Function::new("take_over", include_str!("../functions/take_over.sql")),
    Function::new("notify_parents", include_str!("../functions/notify_parents.sql")),
    Function::new("same_input", include_str!("../functions/same_input.sql")),
    Function::new("still_needed", include_str!("../functions/still_needed.sql")),
    Function::new("trigger_schedule", include_str!("../functions/trigger_schedule.sql")),
    Function::new("try_lock_mailbox", include_str!("../functions/try_lock_mailbox.sql")),
    Function::new("undoable", include_str!("../functions/undoable.sql")),
    Function::new("enlist_children", include_str!("../functions/enlist_children.sql")),
    Function::new("wake_for_message", include_str!("../functions/wake_for_message.sql")),
];

/// The views, of which each release brings the current definition. A view stands after those that it reads.
static VIEWS: &[View] = &[
    View::new("shown_executions", include_str!("../views/shown_executions.sql")),
    View::new("prunable_executions", include_str!("../views/prunable_executions.sql")),
];

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
    use std::path::Path;

    use super::*;
    use crate::SchemaName;

    #[test]
    fn the_listed_migrations_are_the_files_on_disk() {
        let listed: Vec<String> = migrations().iter().map(Migration::file).collect();
        assert_eq!(listed, sql_files("migrations"), "list each file of migrations/ once in src/history.rs, in order");
        for migration in migrations() {
            assert_eq!(migration.sql, read("migrations", &migration.file()), "{migration} includes another file");
        }
    }

    #[test]
    fn the_listed_functions_are_the_files_on_disk() {
        let mut listed: Vec<String> = functions().iter().map(|function| format!("{}.sql", function.name)).collect();
        listed.sort();
        assert_eq!(listed, sql_files("functions"), "list each file of functions/ once in src/history.rs");
        for function in functions() {
            let file = format!("{}.sql", function.name);
            assert_eq!(function.sql, read("functions", &file), "{file} includes another file");
        }
    }

    #[test]
    fn the_listed_views_are_the_files_on_disk() {
        let mut listed: Vec<String> = views().iter().map(|view| format!("{}.sql", view.name)).collect();
        listed.sort();
        assert_eq!(listed, sql_files("views"), "list each file of views/ once in src/history.rs");
        for View { name, sql } in views() {
            assert_eq!(*sql, read("views", &format!("{name}.sql")), "{name}.sql includes another file");
            assert!(sql.starts_with(&format!("-- {name}: ")), "{name}.sql does not start with its name and purpose");
            assert!(sql.contains(&format!("create or replace view durable.{name} as")), "{name}.sql lacks it");
            assert_eq!(sql.matches("create or replace").count(), 1, "{name}.sql creates more than one");
        }
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
        ] {
            assert!(takes_away(sql).is_some(), "{sql}");
        }
        for sql in [
            "alter table durable.waits\nadd column mood text;",
            "-- expand: do not drop it.\ncreate table durable.moods (mood text);",
        ] {
            assert_eq!(takes_away(sql), None);
        }
    }

    /// The first line that takes something from programs of the release before.
    fn takes_away(sql: &str) -> Option<&str> {
        let mut statements = sql.lines().filter(|line| !line.trim_start().starts_with("--"));
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

    fn sql_files(folder: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn read(folder: &str, file: &str) -> String {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(file)).unwrap()
    }
}
