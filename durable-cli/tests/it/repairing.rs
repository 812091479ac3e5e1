//! Repairing: cancel, roll back, pause, resume, retry, fork; ids from a pipe; two schemas apart.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use durable::prelude::*;
use serde_json::json;

use crate::support::{self, Database, Journey};

async fn start(database: &Database, options: &[&str]) -> String {
    let start = [&["execution", "start", "journey", "--input", "\"Ada\"", "-o", "ids"], options].concat();
    database.durable(&start).await.done().trim().to_owned()
}

async fn state(database: &Database, id: &str) -> String {
    let shown = database.durable(&["execution", "get", id, "-o", "json"]).await.json();
    shown["execution"]["state"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn ids_come_from_a_pipe_and_one_that_fails_keeps_no_other_from_being_done() {
    let database = support::database().await;
    let (one, two) = (start(&database, &[]).await, start(&database, &[]).await);
    let nobody = uuid::Uuid::now_v7();
    let list = format!("{one}\n\n{nobody}\n  {two}\n");
    let cancelled = database.durable_reading(&["execution", "cancel", "-", "--reason", "tidying"], &list).await;
    assert_eq!((cancelled.code, cancelled.out), (4, format!("cancelled {one}\ncancelled {two}\n")));
    assert!(
        cancelled.err.contains(&nobody.to_string()) && cancelled.err.ends_with("durable: 1 of 3 failed\n"),
        "{}",
        cancelled.err
    );
    let reasons = "select string_agg(error ->> 'message', ',') from durable.executions";
    assert_eq!(database.value::<String>(reasons).await, "tidying,tidying");

    let three = start(&database, &[]).await;
    let complaint = database.durable_reading(&["execution", "cancel", "-"], &format!("{three}\nrubbish\n")).await.refused(2);
    assert!(complaint.contains("`rubbish` is no execution id"), "{complaint}");
    assert_eq!(state(&database, &three).await, "pending", "nothing is done where one id is none");
}

#[tokio::test]
async fn a_pause_holds_until_it_is_resumed() {
    let database = support::database().await;
    let id = start(&database, &[]).await;
    assert_eq!(database.durable(&["execution", "pause", &id]).await.done(), format!("paused {id}\n"));
    assert_eq!(database.durable(&["execution", "list", "--state", "paused", "-o", "ids"]).await.done(), format!("{id}\n"));
    assert_eq!(
        database.durable(&["execution", "resume", &id, "-o", "json"]).await.json(),
        json!({ "id": id, "done": "resumed" })
    );
    let complaint = database.durable(&["execution", "resume", &id]).await.refused(1);
    assert!(complaint.contains("neither paused nor stopped"), "{complaint}");
    database.durable(&["execution", "cancel", &id]).await.done();
    let complaint = database.durable(&["execution", "pause", &id]).await.refused(1);
    assert!(complaint.contains("pause came too late"), "{complaint}");
}

#[tokio::test]
async fn what_was_done_is_undone_by_rolling_back_and_by_cancelling_with_compensation() {
    let database = support::database().await;
    let worker = database.worker().await;
    let (one, two) = (start(&database, &[]).await, start(&database, &[]).await);
    support::eventually("both ask", async || worker.pending_inputs().await.unwrap().len() == 2).await;
    database.durable(&["execution", "rollback", &one, "--reason", "returned"]).await.done();
    database.durable(&["execution", "cancel", "--compensate", &two]).await.done();
    support::eventually("both are undone", async || {
        state(&database, &one).await == "compensated" && state(&database, &two).await == "compensated"
    })
    .await;
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_retry_and_a_fork_go_on_in_new_executions() {
    let database = support::database().await;
    let helped = Arc::new(AtomicBool::new(true));
    let builder = Durable::builder().database_url(&database.url).max_connections(4);
    let worker = builder.register(Journey::helped_by(&helped)).start().await.unwrap();
    let id = start(&database, &[]).await;
    support::eventually("it asks", async || worker.pending_inputs().await.unwrap().len() == 1).await;
    database.durable(&["execution", "cancel", &id]).await.done();
    let retried = database.durable(&["execution", "retry", &id, "-o", "json"]).await.json();
    assert_eq!((&retried["done"], &retried["forked_from"]), (&json!("retried"), &json!(id)));
    let new = retried["id"].as_str().unwrap();
    support::eventually("it asks again", async || worker.pending_inputs().await.unwrap().len() == 1).await;
    database.durable(&["input", "give", new, "place", "\"the moon\""]).await.done();
    support::eventually("it completes", async || state(&database, new).await == "completed").await;

    let forked = database.durable(&["execution", "fork", new, "--from-step", "step walk", "-o", "ids"]).await.done();
    support::eventually("the fork completes", async || state(&database, forked.trim()).await == "completed").await;
    let shown = database.durable(&["execution", "get", forked.trim(), "-o", "json"]).await.json();
    assert_eq!((&shown["execution"]["forked_from"], &shown["execution"]["output"]), (&json!(new), &json!("in the moon")));
    let complaint = database.durable(&["execution", "fork", new, "--from-step", "step fly"]).await.refused(4);
    assert!(complaint.contains("has no step or wait `step fly`; it has step pack, input place, step walk"), "{complaint}");
    let complaint = database.durable(&["execution", "retry", new]).await.refused(1);
    assert!(complaint.contains("has completed: there is nothing to retry"), "{complaint}");
    helped.store(false, Ordering::SeqCst);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn two_schemas_in_one_database_share_nothing() {
    let database = support::database().await;
    let billing = ["--schema", "billing"];
    database.durable(&[&["migrate", "up"][..], &billing].concat()).await.done();
    let here = start(&database, &[]).await;
    let there = start(&database, &billing).await;
    let list = async |options: &[&str]| database.durable(&[&["execution", "list", "-o", "ids"], options].concat()).await.done();
    assert_eq!((list(&[]).await, list(&billing).await), (format!("{here}\n"), format!("{there}\n")));
    for verb in ["pause", "cancel", "retry"] {
        database.durable(&["execution", verb, &there]).await.refused(4);
        database.durable(&["execution", verb, &there, "--schema", "billing"]).await.done();
    }
    assert_eq!(state(&database, &here).await, "pending");
}

#[tokio::test]
async fn what_a_filter_finds_is_counted_first_and_done_with_yes() {
    let database = support::database().await;
    let (one, two) = (start(&database, &["--tag", "tenant=acme"]).await, start(&database, &["--tag", "tenant=acme"]).await);
    let other = start(&database, &[]).await;
    let cancel = ["execution", "cancel-all", "--tag", "tenant=acme", "--reason", "moved away"];
    assert_eq!(database.durable(&cancel).await.done(), "would cancel 2 executions; add --yes to do it\n");
    assert_eq!(database.durable(&[&cancel[..], &["-o", "json"]].concat()).await.json(), json!({ "executions": 2 }));
    assert_eq!(state(&database, &one).await, "pending", "counting changes nothing");
    let done = database.durable(&[&cancel[..], &["--yes"]].concat()).await;
    assert_eq!((done.code, done.out), (0, format!("cancelled {one}\ncancelled {two}\n")), "{}", done.err);
    assert!(done.err.ends_with("2 cancelled, 0 skipped\n"), "{}", done.err);
    assert_eq!(state(&database, &other).await, "pending");

    let retry = ["execution", "retry-all", "--state", "cancelled", "--workflow", "journey", "--yes", "-o", "ids"];
    assert_eq!(database.durable(&retry).await.done().lines().count(), 2);
    let again = database.durable(&retry).await;
    assert_eq!((again.code, again.out.as_str()), (0, ""), "{}", again.err);
    assert!(again.err.contains(&format!("skipped {one}: ")) && again.err.ends_with("0 retried, 2 skipped\n"), "{}", again.err);
    let complaint = database.durable(&["execution", "resume-all", "--yes"]).await.refused(2);
    assert!(complaint.contains("has no filter"), "{complaint}");
    let resume = ["execution", "resume-all", "--workflow", "journey", "--yes"];
    assert!(database.durable(&resume).await.err.ends_with("0 resumed, 0 skipped\n"));
}

#[tokio::test]
async fn an_input_and_the_output_of_a_step_are_given_with_a_reason() {
    let database = support::database().await;
    let worker = database.worker().await;
    let id = start(&database, &[]).await;
    support::eventually("it asks", async || worker.pending_inputs().await.unwrap().len() == 1).await;
    database.durable(&["execution", "cancel", &id]).await.done();
    let fork = ["execution", "fork", &id, "--from-step", "input place", "--result", "pack=\"two bags\"", "-o", "ids"];
    database.durable(&fork).await.refused(2);
    let reasoned = [&fork[..], &["--reason", "packed by hand", "--by", "ada"]].concat();
    let forked = database.durable(&reasoned).await.done();
    let shown = database.durable(&["execution", "get", forked.trim()]).await.done();
    assert!(shown.contains("packed by hand") && shown.contains("step pack"), "{shown}");
    let told = database.durable(&["execution", "logs", forked.trim()]).await.done();
    assert!(told.contains("step pack: edited by ada: packed by hand"), "{told}");
    let bad = ["execution", "retry", &id, "--result", "pack=two bags", "--reason", "x"];
    let complaint = database.durable(&bad).await.refused(2);
    assert!(complaint.contains("is no JSON"), "{complaint}");
    worker.shutdown().await.unwrap();
}
