//! Tidying up: prune and doctor.

use serde_json::json;

use crate::support::{self, Database};

/// Cancelled executions, which ended two days ago.
async fn old(database: &Database, executions: usize) {
    for _ in 0..executions {
        let id = database.durable(&["execution", "start", "journey", "-o", "ids"]).await.done();
        database.durable(&["execution", "cancel", id.trim()]).await.done();
    }
    database.run("update durable.clock set ahead_by = interval '2 days'").await;
}

async fn executions(database: &Database) -> i64 {
    database.value("select count(*) from durable.executions").await
}

#[tokio::test]
async fn a_dry_run_counts_and_deletes_none_and_pruning_tells_how_far_it_is() {
    let database = support::database().await;
    old(&database, 3).await;
    let dry = ["prune", "--older-than", "1d", "--dry-run"];
    assert_eq!(database.durable(&dry).await.done(), "would prune 3 executions; nothing was deleted\n");
    let counted = database.durable(&[&dry[..], &["-o", "json"]].concat()).await.json();
    assert_eq!(counted, json!({ "would_prune": { "executions": 3 } }));
    assert_eq!(executions(&database).await, 3);

    assert_eq!(database.durable(&["prune", "--older-than", "3d"]).await.done(), "pruned 0 executions and 0 publications\n");
    let filtered = ["prune", "--older-than", "1d", "--workflow", "other", "-o", "json"];
    assert_eq!(database.durable(&filtered).await.json(), json!({ "pruned": { "executions": 0, "publications": 0 } }));
    let pruned = database.durable(&["prune", "--older-than", "1d", "--state", "cancelled,failed", "--batch", "2"]).await;
    assert_eq!(pruned.err, "pruned 2 executions so far\npruned 3 executions so far\n");
    assert_eq!(pruned.done(), "pruned 3 executions and 0 publications\n");
    assert_eq!(executions(&database).await, 0);
}

#[tokio::test]
async fn what_has_not_ended_cannot_be_pruned() {
    let database = support::database().await;
    database.durable(&["execution", "start", "journey"]).await.done();
    for (arguments, message) in [
        (
            &["--older-than", "0s", "--state", "running"][..],
            "executions that are running cannot be pruned, as they have not ended",
        ),
        (&["--older-than", "0s", "--batch", "0"], "a batch of 0 is not between 1 and 10000"),
        (&["--older-than", "30"], "`30` is no duration"),
        (&[], "--older-than"),
    ] {
        let complaint = database.durable(&[&["prune"], arguments].concat()).await.refused(2);
        assert!(complaint.contains(message), "{complaint}");
    }
    assert_eq!(database.durable(&["prune", "--older-than", "0s"]).await.done(), "pruned 0 executions and 0 publications\n");
    assert_eq!(executions(&database).await, 1);
}

#[tokio::test]
async fn pruning_one_schema_leaves_the_other_alone() {
    let database = support::database().await;
    database.durable(&["migrate", "up", "--schema", "billing"]).await.done();
    old(&database, 2).await;
    database.run("update billing.clock set ahead_by = interval '2 days'").await;
    let pruned = database.durable(&["prune", "--older-than", "1d", "--schema", "billing"]).await.done();
    assert_eq!((pruned.as_str(), executions(&database).await), ("pruned 0 executions and 0 publications\n", 2));
}

#[tokio::test]
async fn the_doctor_finds_nothing_wrong_with_what_sleeps_and_says_how_to_repair_the_rest() {
    let database = support::database().await;
    database.durable(&["execution", "start", "journey", "--delay", "1d"]).await.done();
    assert_eq!(database.durable(&["doctor"]).await.done(), "all is well\n");
    assert_eq!(database.durable(&["doctor", "-o", "json"]).await.json(), json!([]));

    database.durable(&["execution", "start", "journey", "--queue", "rare"]).await.done();
    let found = database.durable(&["doctor"]).await;
    assert_eq!((found.code, found.err.as_str()), (1, "durable: 1 finding\n"));
    assert!(found.out.starts_with("error (queues): 1 executions are in queue `rare`"), "{}", found.out);
    assert!(found.out.ends_with("\n  repair: start a worker with `.queue(\"rare\", …)`\n"), "{}", found.out);
    let found = database.durable(&["doctor", "-o", "json"]).await;
    let findings: serde_json::Value = serde_json::from_str(&found.out).unwrap();
    assert_eq!((found.code, &findings[0]["severity"], &findings[0]["about"]), (1, &json!("error"), &json!("queues")));
}

#[tokio::test]
async fn the_doctor_says_how_to_give_up_what_no_worker_knows() {
    let database = support::database().await;
    let worker = database.worker().await;
    let start = ["execution", "start", "journey", "--version", "2", "-o", "ids"];
    let id = database.durable(&start).await.done();
    let get = database.durable(&["execution", "get", id.trim()]).await.done();
    assert!(get.contains("- no live worker on queue `default` knows workflow `journey` version 2: start one that does"), "{get}");
    let found = database.durable(&["doctor"]).await;
    let list = "execution list --workflow journey --version 2 --queue default --state pending --limit 1000 -o ids";
    assert!(found.out.contains(&format!("`durable {list} | durable execution cancel -`")), "{}", found.out);
    let ids = database.durable(&list.split(' ').collect::<Vec<_>>()).await.done();
    assert_eq!(ids, id);
    database.durable_reading(&["execution", "cancel", "-"], &ids).await.done();
    let retried = database.durable(&["execution", "retry", "--version", "1", id.trim(), "-o", "ids"]).await.done();
    assert_eq!(database.durable(&["doctor"]).await.done(), "all is well\n");
    let get = database.durable(&["execution", "get", retried.trim(), "-o", "json"]).await.json();
    assert_eq!(get["execution"]["version"], 1);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_doctor_looks_at_a_database_without_a_schema_and_not_at_one_it_cannot_reach() {
    let database = support::empty_database().await;
    let found = database.durable(&["doctor"]).await;
    assert_eq!(found.code, 1);
    assert!(found.out.contains("repair: durable --schema durable migrate up"), "{}", found.out);
    let nowhere = ["doctor", "--database-url", "postgres://ada:secret@127.0.0.1:1/shop"];
    let complaint = support::durable(&nowhere, "").await.refused(3);
    assert!(!complaint.contains("secret"), "{complaint}");
}
