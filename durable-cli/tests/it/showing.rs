//! Showing: one execution whole, its steps, its story, and following it.

use durable::prelude::*;
use serde_json::json;

use crate::support::{self, Database, PATIENCE};

/// A journey that waits to be told where to.
async fn waiting(database: &Database) -> (Durable, String) {
    let worker = database.worker().await;
    let handle = worker.start::<support::Journey>("Ada".to_owned()).await.unwrap();
    support::eventually("it asks", async || !worker.pending_inputs().await.unwrap().is_empty()).await;
    (worker, handle.id().to_string())
}

#[tokio::test]
async fn what_waits_is_shown_with_the_reason() {
    let database = support::database().await;
    let (worker, id) = waiting(&database).await;
    let text = database.durable(&["execution", "get", &id]).await.done();
    for line in
        ["state      waiting", "input      \"Ada\"", "BLOCKERS", "- input `place` must be given: Where to?", "durable input give"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
    let shown = database.durable(&["execution", "get", &id, "-o", "json"]).await.json();
    assert_eq!(shown["execution"]["id"], id.as_str());
    assert_eq!(shown["steps"][0]["output"], "Ada's bag");
    assert_eq!(shown["waits"][0]["kind"], "input");
    let blockers = shown["blockers"].as_array().unwrap();
    assert_eq!((&blockers[0]["kind"], &blockers[0]["name"]), (&json!("input"), &json!("place")));
    assert_eq!(blockers[0]["command"], format!("durable input give {id} place ANSWER"));
    assert!(blockers.len() == 1 && blockers[0]["text"].as_str().unwrap().contains("input `place` must be given"), "{blockers:?}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn each_blocker_is_named() {
    let database = support::database().await;
    let start = async |arguments: &[&str]| {
        let arguments = [&["execution", "start", "elsewhere", "-o", "ids"], arguments].concat();
        database.durable(&arguments).await.done().trim().to_owned()
    };
    let blockers = async |id: &str| {
        let shown = database.durable(&["execution", "get", id, "-o", "json"]).await.json();
        shown["blockers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|blocker| blocker["text"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let queued = start(&["--queue", "rare"]).await;
    assert_eq!(blockers(&queued).await, ["no live worker claims from its queue `rare`: start one"]);
    let later = start(&["--delay", "1h"]).await;
    database.durable(&["execution", "pause", &later]).await.done();
    let of_later = blockers(&later).await;
    assert!(of_later[0].starts_with("it is paused since ") && of_later[1].starts_with("it is to start at "), "{of_later:?}");
    database.durable(&["execution", "cancel", &later]).await.done();
    assert_eq!(blockers(&later).await, [""; 0], "what has ended waits for nothing");
}

#[tokio::test]
async fn steps_are_shown_with_every_attempt_and_its_error() {
    let database = support::database().await;
    let (worker, id) = waiting(&database).await;
    database.durable(&["input", "give", &id, "place", "\"the moon\""]).await.done();
    worker.handle::<support::Journey>(id.parse().unwrap()).result_within(PATIENCE).await.unwrap_err();
    let steps = database.durable(&["execution", "steps", &id, "-o", "json"]).await.json();
    let told: Vec<_> = steps.as_array().unwrap().iter().map(|row| (&row["step"], &row["number"], &row["outcome"])).collect();
    assert_eq!(
        told.iter().map(|(step, number, outcome)| json!([step, number, outcome])).collect::<Vec<_>>(),
        [json!(["step pack", 1, "completed"]), json!(["step walk", 1, "failed"]), json!(["step walk", 2, "failed"])]
    );
    assert_eq!(steps[2]["error"]["message"], "too far to walk");
    let table = database.durable(&["execution", "steps", &id]).await.done();
    assert_eq!(table.lines().count(), 4, "{table}");
    assert!(table.contains("too far to walk") && table.contains("\"Ada's bag\""), "{table}");
    assert_eq!(database.durable(&["execution", "steps", &id, "-o", "ids"]).await.done(), "step pack\nstep walk\nstep walk\n");

    let whole = database.durable(&["execution", "get", &id]).await.done();
    assert!(whole.contains("state            compensated") && whole.contains("undo step pack"), "{whole}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_story_is_told_in_the_order_of_time_and_followed_to_the_end() {
    let database = support::database().await;
    let (worker, id) = waiting(&database).await;
    let answer = async {
        support::eventually("somebody follows it", async || {
            let listeners = "select count(*) from pg_stat_activity where datname = current_database() and query ilike 'listen%'";
            database.value::<i64>(listeners).await >= 2
        })
        .await;
        database.durable(&["input", "give", &id, "place", "\"Oslo\"", "--by", "Bea"]).await.done();
    };
    let follow = ["execution", "tail", id.as_str()];
    let (followed, ()) = tokio::join!(database.durable(&follow), answer);
    let followed = followed.done();
    let told: Vec<&str> = followed.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    assert_eq!(
        told,
        [
            "journey version 1 was created in queue default",
            "it was claimed for the first time",
            "step pack: attempt 1 began",
            "step pack: attempt 1 completed: \"Ada's bag\"",
            "input place: it waits",
            "input place: received from Bea: \"Oslo\"",
            "step walk: attempt 1 began",
            "step walk: attempt 1 completed: \"in Oslo\"",
            "completed: \"in Oslo\"",
        ]
    );
    assert_eq!(database.durable(&["execution", "logs", &id]).await.done(), followed);
    let entries = database.durable(&["execution", "logs", &id, "-o", "json"]).await.done();
    let last: serde_json::Value = serde_json::from_str(entries.lines().last().unwrap()).unwrap();
    assert_eq!((&last["execution_id"], &last["news"]), (&json!(id), &json!("completed: \"in Oslo\"")));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn following_what_does_not_complete_fails() {
    let database = support::database().await;
    let start = ["execution", "start", "journey", "--input", "\"nobody\"", "-o", "ids"];
    let id = database.durable(&start).await.done();
    let worker = database.worker().await;
    let followed = database.durable(&["execution", "tail", id.trim()]).await;
    assert_eq!((followed.code, followed.err), (1, format!("durable: execution {} is failed\n", id.trim())));
    assert!(followed.out.ends_with("failed: nobody travels\n"), "{}", followed.out);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_id_that_is_none_is_wrong_usage_and_one_that_nobody_has_is_not_found() {
    let database = support::database().await;
    let nobody = uuid::Uuid::now_v7().to_string();
    for verb in ["get", "steps", "logs", "tail", "cancel", "rollback", "retry", "pause", "resume"] {
        let complaint = database.durable(&["execution", verb, "order-42"]).await.refused(2);
        assert!(complaint.contains("`order-42` is no execution id"), "{verb}: {complaint}");
        let complaint = database.durable(&["execution", verb, &nobody]).await.refused(4);
        assert!(complaint.contains(&nobody), "{verb}: {complaint}");
    }
    let complaint = database.durable(&["execution", "fork", &nobody, "--from-step", "step walk"]).await.refused(4);
    assert!(complaint.contains("there is no execution"), "{complaint}");
}

#[tokio::test]
async fn an_execution_is_exported_as_a_journal_that_can_be_replayed() {
    let database = support::database().await;
    let (worker, id) = waiting(&database).await;
    let text = database.durable(&["execution", "export", &id]).await.done();
    let journal = durable::Journal::from_json(&text).unwrap();
    assert_eq!((journal.execution_id().to_string(), journal.workflow()), (id.clone(), "journey"));
    let same = worker.export(id.parse().unwrap()).await.unwrap().to_json().unwrap();
    assert_eq!(text, same);
    let said = database.durable(&["execution", "export", "00000000-0000-0000-0000-000000000001"]).await.refused(4);
    assert!(said.contains("there is no execution"), "{said}");
    worker.shutdown().await.unwrap();
}
