//! Scheduling: put, list, look at, trigger, switch and delete.

use serde_json::json;

use crate::support;

#[tokio::test]
async fn a_schedule_is_put_listed_triggered_switched_and_deleted() {
    let database = support::database().await;
    let put = [
        "schedule",
        "put",
        "daily",
        "journey",
        "0 9 * * *",
        "--timezone",
        "Europe/Berlin",
        "--input",
        "\"Ada\"",
        "--queue",
        "slow",
    ];
    assert_eq!(database.durable(&put).await.done(), "scheduled daily\n");
    let list = database.durable(&["schedule", "list", "-o", "json"]).await.json();
    assert_eq!(
        (&list[0]["name"], &list[0]["timezone"], &list[0]["enabled"]),
        (&json!("daily"), &json!("Europe/Berlin"), &json!(true))
    );
    assert_eq!(database.durable(&["schedule", "get", "daily"]).await.json()["input"], "Ada");
    assert_eq!(database.durable(&["schedule", "next", "daily", "--count", "3"]).await.done().lines().count(), 3);
    assert_eq!(database.durable(&["schedule", "firings", "daily"]).await.done(), "none\n");

    let id = database.durable(&["schedule", "trigger", "daily", "--input", "\"Bea\"", "-o", "ids"]).await.done();
    let execution = database.durable(&["execution", "get", id.trim(), "-o", "json"]).await.json();
    assert_eq!((&execution["execution"]["input"], &execution["execution"]["queue"]), (&json!("Bea"), &json!("slow")));
    assert_eq!(database.durable(&["schedule", "firings", "daily", "-o", "ids"]).await.done(), id);

    assert_eq!(database.durable(&["schedule", "disable", "daily", "--reason", "holidays"]).await.done(), "disabled daily\n");
    assert_eq!(database.durable(&["schedule", "get", "daily"]).await.json()["disabled_reason"], "holidays");
    assert_eq!(database.durable(&["schedule", "enable", "daily"]).await.done(), "enabled daily\n");
    let backfill = ["schedule", "backfill", "daily", "--from", "2025-01-01", "--to", "2025-01-04", "-o", "json"];
    assert_eq!(database.durable(&backfill).await.json(), json!({ "fired": 3 }));
    assert_eq!(database.durable(&backfill).await.json(), json!({ "fired": 0 }), "each due time once");
    assert_eq!(database.durable(&["schedule", "delete", "daily"]).await.done(), "deleted daily\n");
    assert_eq!(database.durable(&["schedule", "list"]).await.done(), "none\n");
}

#[tokio::test]
async fn what_is_not_given_of_a_schedule_stays() {
    let database = support::database().await;
    let client = durable::Durable::builder().database_url(&database.url).start().await.unwrap();
    let made =
        client.schedule_workflow("daily", "journey", "0 9 * * *", "Ada").timezone("Europe/Berlin").queue("slow").version(2);
    made.overlap(durable::Overlap::Skip).priority(3).await.unwrap();
    let schedule = async || {
        let mut schedule = database.durable(&["schedule", "get", "daily"]).await.json();
        for changing in ["revision", "updated_at", "next_due_at", "description"] {
            schedule[changing].take();
        }
        schedule
    };
    let mut expected = schedule().await;
    for (arguments, changes) in [
        (&["put", "daily", "journey", "0 10 * * *"][..], json!({ "rule": "0 10 * * *" })),
        (&["update", "daily", "--rule", "0 11 * * *"], json!({ "rule": "0 11 * * *" })),
        (&["update", "daily", "--input", "\"Bea\"", "--queue", "fast"], json!({ "input": "Bea", "queue": "fast" })),
        (&["update", "daily", "--tag", "tenant=acme"], json!({ "tags": { "tenant": "acme" } })),
        (
            &["put", "daily", "journey", "0 11 * * *", "--timezone", "UTC", "--version", "3"],
            json!({ "timezone": "UTC", "version": 3 }),
        ),
    ] {
        database.durable(&[&["schedule"], arguments].concat()).await.done();
        changes.as_object().unwrap().iter().for_each(|(field, value)| expected[field] = value.clone());
        assert_eq!(schedule().await, expected, "{arguments:?}");
    }
    let complaint = database.durable(&["schedule", "put", "daily", "other", "0 9 * * *"]).await.refused(1);
    assert!(complaint.contains("schedule `daily` starts workflow `journey`; delete it"), "{complaint}");
    assert_eq!(schedule().await, expected);
    client.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_schedule_that_makes_no_sense_or_is_unknown_is_refused() {
    let database = support::database().await;
    for (arguments, code) in [
        (&["put", "x", "journey", "99 9 * * *"][..], 2),
        (&["put", "x", "journey", "0 9 * * *", "--timezone", "Mars/Olympus"], 2),
        (&["put", "x", "journey", "0 9 * * *", "--input", "Ada"], 2),
        (&["update", "nobody"], 2),
        (&["update", "nobody", "--rule", "0 9 * * *"], 4),
        (&["get", "nobody"], 4),
        (&["next", "nobody"], 4),
        (&["firings", "nobody"], 4),
        (&["trigger", "nobody"], 4),
        (&["enable", "nobody"], 4),
        (&["disable", "nobody"], 4),
        (&["delete", "nobody"], 4),
    ] {
        let complaint = database.durable(&[&["schedule"], arguments].concat()).await.refused(code);
        assert!(complaint.starts_with("durable: "), "{arguments:?}: {complaint}");
    }
    assert_eq!(database.durable(&["schedule", "list"]).await.done(), "none\n", "nothing is half-written");
}
