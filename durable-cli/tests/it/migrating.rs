//! Migrating, and the private server of `durable dev`.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::support::{self, Database};

#[tokio::test]
async fn a_schema_is_brought_up_to_date_and_checked() {
    let database = support::empty_database().await;
    let complaint = database.durable(&["migrate", "check"]).await.refused(1);
    assert!(complaint.contains("has not been created"), "{complaint}");
    let status = database.durable(&["migrate", "status", "-o", "json"]).await.json();
    assert_eq!((&status["version"], &status["applied"]), (&Value::Null, &json!([])));
    let up = database.durable(&["migrate", "up", "-o", "json"]).await.json();
    assert_eq!(up["applied"].as_array().unwrap().len(), status["pending"].as_array().unwrap().len());
    assert_eq!(database.durable(&["migrate", "up", "-o", "json"]).await.json()["applied"], json!([]));
    let checked = database.durable(&["migrate", "check"]).await.done();
    assert!(checked.starts_with("schema durable is up to date"), "{checked}");
    assert!(database.durable(&["migrate", "status"]).await.done().contains("0001_create_ordinals applied"));
}

#[tokio::test]
async fn scripts_and_grants_are_printed_without_a_database() {
    let script = support::durable(&["migrate", "sql", "--schema", "billing"], "").await.done();
    assert!(script.contains("create table billing.executions"), "{script}");
    let grants = support::durable(&["migrate", "grants", "--role", "app"], "").await.done();
    assert!(grants.contains("app"), "{grants}");
    let complaint = support::durable(&["migrate", "sql", "--from", "5", "--to", "3"], "").await.refused(2);
    assert!(complaint.contains("failed to write a script from version 5 to version 3"), "{complaint}");
}

#[tokio::test]
async fn dev_has_a_migrated_database_until_it_is_told_to_end() {
    let mut dev = support::program().args(["dev", "--temporary", "--name", "cli-dev", "-o", "json"]).spawn().unwrap();
    let mut lines = BufReader::new(dev.stdout.take().unwrap()).lines();
    let line = support::soon("it says where", lines.next_line()).await.unwrap().unwrap();
    let announced: Value = serde_json::from_str(&line).unwrap();
    let database = Database::at(announced["database_url"].as_str().unwrap().to_owned());
    database.durable(&["execution", "start", "journey"]).await.done();
    let told = Command::new("kill").args(["-INT", &dev.id().unwrap().to_string()]).status().await.unwrap();
    assert!(told.success());
    let ended = support::soon("it ends", dev.wait()).await.unwrap();
    assert!(ended.success(), "{ended}");
    database.durable(&["execution", "list"]).await.refused(3);
}
