//! The history of a made-up program, release by release: what adds, what takes away, what is edited, fails or is interrupted.

use durable_migrate::{Error, Function, FunctionsState, History, Kind, Migration, SchemaVersion};
use futures_util::future::join;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection, Executor};

use super::{describe, durable, ledger, run};
use crate::support::{self, Database, eventually};

/// The releases, each with the migrations of those before it.
static RELEASES: [History; 5] = [FIRST, EXPANDED, CONTRACTED, BROKEN, EXPANDED_AGAIN];

/// Notes, and a function that adds one.
const FIRST: History = History::new(&[CREATE_NOTES], &[], &[ADD_NOTE], "1.0.0");
/// Notes may have an author; the function of the first release stays beside a new one.
const EXPANDED: History = History::new(&[CREATE_NOTES, ADD_AUTHOR], &[], &[ADD_NOTE, ADD_NOTE_BY], "1.1.0");
/// The function of the first release is gone.
const CONTRACTED: History = History::new(&[CREATE_NOTES, ADD_AUTHOR, DROP_ADD_NOTE], &[], &[ADD_NOTE_BY], "1.2.0");
/// A column has another name, also in the function.
const BROKEN: History =
    History::new(&[CREATE_NOTES, ADD_AUTHOR, DROP_ADD_NOTE, RENAME_BODY], &[], &[ADD_NOTE_BY_WITH_WORDS], "2.0.0");
/// One more column.
const EXPANDED_AGAIN: History =
    History::new(&[CREATE_NOTES, ADD_AUTHOR, DROP_ADD_NOTE, RENAME_BODY, ADD_MOOD], &[], &[ADD_NOTE_BY_WITH_WORDS], "2.1.0");

const CREATE_NOTES: Migration = Migration::new(
    1,
    "create_notes",
    Kind::Expand,
    "-- expand: create the notes.\ncreate table durable.notes (\n    note_id int primary key,\n    body text not null\n);\n",
);
const ADD_AUTHOR: Migration = Migration::new(
    2,
    "add_author",
    Kind::Expand,
    "-- expand: let a note have an author.\nalter table durable.notes add column author text;\n",
);
const DROP_ADD_NOTE: Migration = Migration::new(
    3,
    "drop_add_note",
    Kind::Contract,
    "-- contract: drop what release 1.0.0 calls.\ndrop function if exists durable.add_note(int, text);\n",
);
const RENAME_BODY: Migration = Migration::new(
    4,
    "rename_body",
    Kind::Breaking,
    "-- breaking: call the body words.\nalter table durable.notes rename column body to words;\n",
);
const ADD_MOOD: Migration =
    Migration::new(5, "add_mood", Kind::Expand, "-- expand: let a note have a mood.\nalter table durable.notes add mood text;\n");

const ADD_NOTE: Function = Function::new(
    "add_note",
    "create or replace function durable.add_note(id int, body text) returns void language sql as $$ \
     insert into durable.notes (note_id, body) values (id, body) $$;",
);
const ADD_NOTE_BY: Function = Function::new(
    "add_note_by",
    "create or replace function durable.add_note_by(id int, body text, author text) returns void language sql as $$ \
     insert into durable.notes (note_id, body, author) values (id, body, author) $$;",
);
const ADD_NOTE_BY_WITH_WORDS: Function = Function::new(
    "add_note_by",
    "create or replace function durable.add_note_by(id int, body text, author text) returns void language sql as $$ \
     insert into durable.notes (note_id, words, author) values (id, body, author) $$;",
);

/// A database with the schema of one release, and one note.
async fn database_of(release: &History) -> Database {
    let database = support::empty_database().await;
    release.migrate(&database.url, &durable()).await.unwrap();
    run(database.pool(), "insert into durable.notes values (1, 'kept')").await.unwrap();
    database
}

/// The notes, whatever their columns are.
async fn notes(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("select notes::text from durable.notes order by note_id").fetch_all(pool).await.unwrap()
}

/// Everything that a refusal or a failure must leave as it is.
async fn everything(database: &Database) -> (Vec<String>, String, Vec<String>) {
    (ledger(database.pool()).await, describe(database, &durable()).await, notes(database.pool()).await)
}

/// What the start of a program with this history finds in the schema, and whether it accepts that.
async fn start(history: &History, database: &Database) -> Result<SchemaVersion, Error> {
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let found = history.found(&mut connection, &durable()).await?;
    connection.close().await.unwrap();
    history.accept_version(found, &durable()).map(|()| found.unwrap())
}

#[tokio::test]
async fn each_release_arrives_at_the_same_schema_from_nothing_and_from_every_release_before() {
    for (n, release) in RELEASES.iter().enumerate() {
        let complete = describe(&database_of(release).await, &durable()).await;
        for (earlier, before) in RELEASES[..n].iter().enumerate() {
            let database = database_of(before).await;

            let report = release.migrate(&database.url, &durable()).await.unwrap();

            let applied: Vec<i32> = report.applied.iter().map(|migration| migration.version).collect();
            let expected: Vec<i32> = (before.version() + 1..=release.version()).collect();
            assert_eq!((applied, report.version), (expected, release.version()));
            release.check(&database.url, &durable()).await.unwrap();
            assert_eq!(describe(&database, &durable()).await, complete, "from release {earlier} to {n}");
            assert!(notes(database.pool()).await[0].starts_with("(1,kept"), "a note is gone");
            start(release, &database).await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_printed_scripts_of_each_release_make_the_schema_that_it_migrates_to() {
    for release in &RELEASES {
        let database = support::empty_database().await;
        for from in 0..release.version() {
            run(database.pool(), release.sql(from, from + 1, &durable()).unwrap()).await.unwrap();
        }
        release.check(&database.url, &durable()).await.unwrap();
        assert_eq!(describe(&database, &durable()).await, describe(&database_of(release).await, &durable()).await);
    }
}

#[tokio::test]
async fn what_only_adds_lets_the_release_before_work_and_start() {
    let database = database_of(&EXPANDED).await;
    let before = everything(&database).await;

    assert_eq!(start(&FIRST, &database).await.unwrap(), SchemaVersion { version: 2, serves_from: 0 });
    let report = FIRST.migrate(&database.url, &durable()).await.unwrap();

    assert_eq!((report.version, report.applied.len(), report.functions_replaced), (2, 0, false));
    assert!(FIRST.status(&database.url, &durable()).await.unwrap().is_ahead());
    assert_eq!(everything(&database).await, before, "an older program changed a newer schema");
    run(database.pool(), "select durable.add_note(2, 'of the release before')").await.unwrap();
    assert_eq!(notes(database.pool()).await, ["(1,kept,)", "(2,\"of the release before\",)"]);
}

#[tokio::test]
async fn what_takes_something_away_keeps_every_release_before_from_starting_and_migrating() {
    for (release, older) in [
        (&CONTRACTED, &[FIRST, EXPANDED][..]),
        (&BROKEN, &[FIRST, EXPANDED, CONTRACTED]),
        // What was taken away stays away when a later migration only adds.
        (&EXPANDED_AGAIN, &[FIRST, EXPANDED, CONTRACTED]),
    ] {
        let database = database_of(release).await;
        let before = everything(&database).await;
        for program in older {
            for refusal in [
                start(program, &database).await.map(drop),
                program.check(&database.url, &durable()).await,
                program.migrate(&database.url, &durable()).await.map(drop),
            ] {
                let error = refusal.unwrap_err();
                let known = program.version();
                assert!(matches!(error, Error::Ahead { found, known: k, .. } if (found, k) == (release.version(), known)));
                assert!(error.to_string().contains(&format!("knows no version above {known}; upgrade")), "{error}");
            }
        }
        assert_eq!(everything(&database).await, before);
    }
    let database = database_of(&EXPANDED_AGAIN).await;
    assert_eq!(start(&BROKEN, &database).await.unwrap(), SchemaVersion { version: 5, serves_from: 4 });
}

#[tokio::test]
async fn a_newer_program_is_behind_until_the_schema_is_migrated() {
    let database = database_of(&FIRST).await;
    for refusal in [start(&EXPANDED, &database).await.map(drop), EXPANDED.check(&database.url, &durable()).await] {
        let error = refusal.unwrap_err();
        assert!(matches!(error, Error::Behind { found: Some(1), needed: 2, .. }), "{error}");
    }
    EXPANDED.migrate(&database.url, &durable()).await.unwrap();
    start(&EXPANDED, &database).await.unwrap();
}

#[tokio::test]
async fn an_edited_migration_is_refused_and_another_end_of_line_is_no_edit() {
    const EDITED: Migration = Migration::new(
        2,
        "add_author",
        Kind::Expand,
        "-- expand: let a note have an author.\nalter table durable.notes add a text;",
    );
    const FORGED: History = History::new(&[CREATE_NOTES, EDITED, DROP_ADD_NOTE], &[], &[ADD_NOTE_BY], "1.2.0");
    let database = database_of(&EXPANDED).await;
    let before = everything(&database).await;

    for refusal in [FORGED.migrate(&database.url, &durable()).await.map(drop), FORGED.check(&database.url, &durable()).await] {
        let error = refusal.unwrap_err();
        assert!(matches!(error, Error::Edited { version: 2, .. }), "{error}");
        assert!(error.to_string().contains("0002_add_author.sql is not the text that was applied"), "{error}");
    }
    assert_eq!(everything(&database).await, before, "version 3 was applied to a schema of another history");

    const CRLF: Migration = Migration::new(
        2,
        "add_author",
        Kind::Expand,
        "-- expand: let a note have an author.\r\nalter table durable.notes add column author text;\r\n",
    );
    const CHECKED_OUT: History = History::new(&[CREATE_NOTES, CRLF, DROP_ADD_NOTE], &[], &[ADD_NOTE_BY], "1.2.0");
    CHECKED_OUT.migrate(&database.url, &durable()).await.unwrap();
    CONTRACTED.check(&database.url, &durable()).await.unwrap();
}

#[tokio::test]
async fn a_schema_that_began_with_another_history_is_refused() {
    const OTHER: Migration = Migration::new(1, "create_letters", Kind::Expand, "create table durable.letters (letter text);");
    const STRANGER: History = History::new(&[OTHER, ADD_AUTHOR], &[], &[], "1.1.0");
    let database = database_of(&FIRST).await;
    let before = everything(&database).await;
    for refusal in [start(&STRANGER, &database).await.map(drop), STRANGER.migrate(&database.url, &durable()).await.map(drop)] {
        assert!(matches!(refusal.unwrap_err(), Error::BeforeBaseline { .. }));
    }
    assert_eq!(everything(&database).await, before);
}

#[tokio::test]
async fn a_migration_that_fails_undoes_those_before_it_in_the_same_call() {
    const FAILING: Migration = Migration::new(
        3,
        "make_author_required",
        Kind::Breaking,
        "-- breaking: require an author.\ncreate table durable.authors (name text);\n\
         alter table durable.notes alter column author set not null;\n",
    );
    const HASTY: History =
        History::new(&[CREATE_NOTES, ADD_AUTHOR, FAILING, RENAME_BODY], &[], &[ADD_NOTE_BY_WITH_WORDS], "2.0.0");
    let database = database_of(&FIRST).await;
    let before = everything(&database).await;

    let error = HASTY.migrate(&database.url, &durable()).await.unwrap_err();

    let message = error.to_string();
    assert!(message.starts_with("apply 0003_make_author_required.sql in the schema `durable`"), "{message}");
    assert!(message.contains("contains null values"), "{message}");
    assert_eq!(everything(&database).await, before, "a part of it stayed");
    run(database.pool(), "select durable.add_note(2, 'still works')").await.unwrap();

    run(database.pool(), "truncate durable.notes").await.unwrap();
    HASTY.migrate(&database.url, &durable()).await.unwrap();
    HASTY.check(&database.url, &durable()).await.unwrap();
}

#[tokio::test]
async fn a_function_that_fails_undoes_the_migrations_of_the_same_call() {
    const MISTAKEN: History = History::new(&[CREATE_NOTES, ADD_AUTHOR], &[], &[ADD_NOTE, ADD_NOTE_BY_WITH_WORDS], "1.1.0");
    let database = database_of(&FIRST).await;
    let before = everything(&database).await;
    let message = MISTAKEN.migrate(&database.url, &durable()).await.unwrap_err().to_string();
    assert!(message.starts_with("create the function add_note_by in the schema `durable`"), "{message}");
    assert_eq!(everything(&database).await, before);
}

#[tokio::test]
async fn functions_change_without_a_migration_and_the_newer_release_decides() {
    const REPAIRED: History = History::new(&[CREATE_NOTES], &[], &[ADD_NOTE_LOUDLY], "1.0.1");
    const ADD_NOTE_LOUDLY: Function = Function::new(
        "add_note",
        "create or replace function durable.add_note(id int, body text) returns void language sql as $$ \
         insert into durable.notes (note_id, body) values (id, upper(body)) $$;",
    );
    let database = database_of(&FIRST).await;
    assert!(matches!(REPAIRED.check(&database.url, &durable()).await, Err(Error::FunctionsDiffer { .. })));

    let report = REPAIRED.migrate(&database.url, &durable()).await.unwrap();
    assert_eq!((report.applied.len(), report.functions_replaced), (0, true));
    let report = FIRST.migrate(&database.url, &durable()).await.unwrap();

    assert!(!report.functions_replaced, "the older release put its functions back");
    let newer = FunctionsState::Newer { release: "1.0.1".to_owned() };
    assert_eq!(FIRST.status(&database.url, &durable()).await.unwrap().functions, newer);
    run(database.pool(), "select durable.add_note(2, 'loud')").await.unwrap();
    assert_eq!(notes(database.pool()).await, ["(1,kept)", "(2,LOUD)"]);
}

#[tokio::test]
async fn programs_of_two_releases_that_migrate_at_once_do_it_one_after_the_other() {
    for (one, other) in [(&BROKEN, &BROKEN), (&EXPANDED, &BROKEN), (&FIRST, &EXPANDED)] {
        let database = database_of(&FIRST).await;
        let mut turn = PgConnection::connect(&database.url).await.unwrap();
        turn.execute("begin; select pg_advisory_xact_lock(hashtext('durable.migrate.durable'))").await.unwrap();
        let (schema, url) = (durable(), &database.url);
        let both = join(one.migrate(url, &schema), other.migrate(url, &schema));
        let release = async {
            // The turn is of this database, and the migrations wait for it.
            let waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted \
                           and database = (select oid from pg_database where datname = current_database())";
            eventually("both wait for their turn", async || database.value::<i64>(waiting).await == 2).await;
            turn.execute("commit").await.unwrap();
        };

        let ((first, second), ()) = join(both, release).await;

        let second = second.unwrap();
        assert_eq!(second.version, other.version());
        let applied = match first {
            // The newer program came first, and took something away.
            Err(error) => {
                assert!(matches!(error, Error::Ahead { .. }) && one.version() < other.version(), "{error}");
                0
            }
            Ok(report) => report.applied.len(),
        };
        let to_apply = usize::try_from(other.version() - FIRST.version()).unwrap();
        assert_eq!(applied + second.applied.len(), to_apply, "a migration was applied twice or not at all");
        other.check(url, &durable()).await.unwrap();
        assert_eq!(describe(&database, &durable()).await, describe(&database_of(other).await, &durable()).await);
    }
}

#[tokio::test]
async fn a_migration_that_is_interrupted_leaves_nothing_behind_and_can_be_repeated() {
    let database = database_of(&EXPANDED).await;
    let before = everything(&database).await;
    // Version 3 is applied already when version 4 waits for the table.
    let mut reader = PgConnection::connect(&database.url).await.unwrap();
    reader.execute("begin; select from durable.notes").await.unwrap();
    let (schema, url) = (durable(), &database.url);
    let terminate = async {
        let blocked = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' \
                       and query like '%rename column body%'";
        eventually("the migration waits for the table", async || database.value::<i64>(blocked).await == 1).await;
        let terminate = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() \
                         and wait_event_type = 'Lock'";
        run(database.pool(), terminate).await.unwrap();
    };

    let (outcome, ()) = join(BROKEN.migrate(url, &schema), terminate).await;

    let error = outcome.unwrap_err();
    assert!(error.passes(), "{error}");
    reader.execute("commit").await.unwrap();
    assert_eq!(everything(&database).await, before);
    BROKEN.migrate(url, &schema).await.unwrap();
    BROKEN.check(url, &schema).await.unwrap();
}
