//! Starting: by name, with input from anywhere, in every format.

use durable::prelude::*;
use serde_json::json;

use crate::support::{self, PATIENCE};

#[tokio::test]
async fn a_started_execution_runs_where_its_code_is() {
    let database = support::database().await;
    let worker = database.worker().await;
    let start = ["execution", "start", "journey", "--input", "\"nobody\"", "-o", "ids"];
    let id: ExecutionId = database.durable(&start).await.done().trim().parse().unwrap();
    let error = worker.handle::<support::Journey>(id).result_within(PATIENCE).await.unwrap_err();
    assert_eq!(error.to_string(), "nobody travels");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn every_option_of_a_start_arrives() {
    let database = support::database().await;
    let start = [
        "execution",
        "start",
        "journey",
        "--input",
        "\"Ada\"",
        "--key",
        "ada",
        "--queue",
        "slow",
        "--priority",
        "-3",
        "--delay",
        "1h30m",
        "--version",
        "2",
        "--deduplication-key",
        "travels",
        "--time-to-live",
        "1d",
        "--tag",
        "tenant=acme",
        "--tag",
        "channel=web",
        "-o",
        "json",
    ];
    let started = database.durable(&start).await.json();
    let again = database.durable(&start).await.json();
    assert_eq!((&started["done"], &started["id"]), (&json!("started"), &again["id"]), "one execution for one key");
    let id = started["id"].as_str().unwrap();
    let execution = &database.durable(&["execution", "get", id, "-o", "json"]).await.json()["execution"];
    for (field, value) in [
        ("workflow", json!("journey")),
        ("version", json!(2)),
        ("queue", json!("slow")),
        ("priority", json!(-3)),
        ("key", json!("ada")),
        ("deduplication_key", json!("travels")),
        ("input", json!("Ada")),
        ("tags", json!({ "tenant": "acme", "channel": "web" })),
        ("state", json!("pending")),
    ] {
        assert_eq!(execution[field], value, "{field}");
    }
    let delay = "select (wake_at - created_at)::text from durable.executions";
    assert_eq!(database.value::<String>(delay).await, "01:30:00");
    let time_to_live = "select (expires_at - wake_at)::text from durable.executions";
    assert_eq!(database.value::<String>(time_to_live).await, "1 day");
    let shown = database.durable(&["execution", "get", id]).await.done();
    assert!(shown.contains("channel=web tenant=acme"), "{shown}");
    let other = ["execution", "start", "journey", "--input", "\"Bea\"", "--key", "ada"];
    let complaint = database.durable(&other).await.refused(1);
    assert!(complaint.contains("has the key `ada` with another input"), "{complaint}");
}

#[tokio::test]
async fn an_input_comes_digit_for_digit_from_the_argument_a_file_or_standard_input() {
    let database = support::database().await;
    let exact = r#"{"account": 123456789012345678901234567890, "rate": 1.10}"#;
    let file = std::env::temp_dir().join(format!("durable-cli-{}.json", uuid::Uuid::now_v7()));
    std::fs::write(&file, exact).unwrap();
    let from_file = format!("@{}", file.display());
    for (input, read) in [(exact, ""), (from_file.as_str(), ""), ("-", exact)] {
        database.durable_reading(&["execution", "start", "journey", "--input", input], read).await.done();
    }
    std::fs::remove_file(&file).unwrap();
    let inputs = "select string_agg(distinct input::text, '|') from durable.executions";
    assert_eq!(database.value::<String>(inputs).await, exact);
}

#[tokio::test]
async fn a_start_that_makes_no_sense_is_refused_and_writes_nothing() {
    let database = support::database().await;
    for (arguments, code, message) in [
        (vec!["--input", "Ada"], 2, "`Ada` is no JSON"),
        (vec!["--input", "@/no/such/file"], 2, "cannot read the file `/no/such/file`"),
        (vec!["--input", r#""a\u0000b""#], 1, "\\u0000"),
        (vec!["--version", "0"], 2, "has no version 0; versions start at 1"),
        (vec!["--queue", ""], 2, "the queue of an execution has 1 to 1000 bytes"),
        (vec!["--key", ""], 2, "the key of an execution has 1 to 1000 bytes"),
        (vec!["--delay", "soon"], 2, "`soon` is no duration; write 90s, 1h30m or 30d"),
        (vec!["--priority", "high"], 2, "invalid value 'high'"),
    ] {
        let complaint =
            database.durable(&[&["execution", "start", "journey"], arguments.as_slice()].concat()).await.refused(code);
        assert!(complaint.contains(message), "{arguments:?}: {complaint}");
    }
    let complaint = database.durable(&["execution", "start", ""]).await.refused(2);
    assert!(complaint.contains("a workflow is named with"), "{complaint}");
    assert_eq!(database.value::<i64>("select count(*) from durable.executions").await, 0);
}
