//! Connecting: what happens without a database, and how exit codes tell it.

use crate::support;

#[tokio::test]
async fn help_tells_the_exit_codes() {
    let help = support::durable(&["--help"], "").await.done();
    for code in ["0  done", "1  refused or failed", "2  wrong usage", "3  the database cannot be reached", "4  there is no such"]
    {
        assert!(help.contains(code), "{code}: {help}");
    }
    let logs = support::durable(&["execution", "logs", "--help"], "").await.done();
    assert!(logs.contains("What steps log is recorded if the workers have a `StepLogLayer`"), "{logs}");
}

#[tokio::test]
async fn a_wrong_command_line_is_wrong_usage() {
    for arguments in [
        &["execution"][..],
        &["execution", "fly"],
        &["execution", "get"],
        &["execution", "list", "-o", "xml"],
        &["--schema", "A B", "execution", "list"],
    ] {
        let complaint = support::durable(arguments, "").await.refused(2);
        assert!(!complaint.is_empty(), "{arguments:?}");
    }
    let complaint = support::durable(&["execution", "list"], "").await.refused(2);
    assert_eq!(complaint, "durable: no database is given; pass --database-url or set DATABASE_URL\n");
    let complaint = support::durable(&["execution", "list", "--database-url", "mysql://localhost"], "").await.refused(2);
    assert!(complaint.contains("it starts with `mysql://`, not with `postgres://`; write it as postgres://"), "{complaint}");
}

#[tokio::test]
async fn a_database_that_is_not_there_or_lets_nobody_in_is_told_apart_from_a_failure() {
    // Nothing listens on port 1.
    for command in [&["execution", "list"][..], &["migrate", "status"], &["migrate", "up"]] {
        let url = ["--database-url", "postgres://ada:secret@127.0.0.1:1/shop"];
        let complaint = support::durable(&[&url, command].concat(), "").await.refused(3);
        assert!(!complaint.contains("secret"), "{complaint}");
    }
    let database = support::empty_database().await;
    let (start, end) = database.url.split_once("://durable:").unwrap();
    let url = format!("{start}://durable:wrong{}", &end[end.find('@').unwrap()..]);
    let complaint = support::durable(&["execution", "list", "--database-url", &url], "").await.refused(3);
    assert!(complaint.contains("password authentication failed"), "{complaint}");
}

#[tokio::test]
async fn a_schema_that_is_not_there_is_refused_with_the_command_to_run() {
    let database = support::empty_database().await;
    let complaint = database.durable(&["execution", "list"]).await.refused(1);
    assert!(complaint.contains("it has not been created in this database; run `durable-migrate migrate`"), "{complaint}");
}
