//! Answering and telling: inputs, events, publications.

use serde_json::json;

use crate::support::{self, PATIENCE};

#[tokio::test]
async fn what_a_workflow_asks_is_listed_and_answered() {
    let database = support::database().await;
    let worker = database.worker().await;
    let handle = worker.start::<support::Journey>("Ada".to_owned()).await.unwrap();
    let id = handle.id().to_string();
    support::eventually("it asks", async || !worker.pending_inputs().await.unwrap().is_empty()).await;
    assert_eq!(database.durable(&["input", "list", "-o", "ids"]).await.done(), format!("{id}\n"));
    let asked = database.durable(&["input", "list", "--workflow", "journey", "-o", "json"]).await.json();
    assert_eq!((&asked[0]["name"], &asked[0]["prompt"]), (&json!("place"), &json!("Where to?")));
    assert_eq!(database.durable(&["input", "list", "--workflow", "other"]).await.done(), "none\n");

    let complaint = database.durable(&["input", "give", &id, "place", "42"]).await.refused(1);
    assert!(complaint.contains("place"), "{complaint}");
    assert_eq!(worker.pending_inputs().await.unwrap().len(), 1, "an answer that does not fit changes nothing");
    let given = database.durable_reading(&["input", "give", &id, "place", "-", "--by", "Bea"], "\"Oslo\"\n").await.done();
    assert_eq!(given, format!("answered {id}\n"));
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "in Oslo");
    let complaint = database.durable(&["input", "give", &id, "place", "\"Rome\""]).await.refused(1);
    assert!(complaint.contains(&id), "{complaint}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn events_and_publications_say_whom_they_reached() {
    let database = support::database().await;
    let id = database.durable(&["execution", "start", "journey", "-o", "ids"]).await.done();
    let sent =
        database.durable(&["event", "send", id.trim(), "weather", r#"{"rain": true}"#, "--early", "-o", "json"]).await.json();
    assert_eq!(sent, json!({ "id": id.trim(), "done": "kept for", "open": [] }));
    assert_eq!(database.value::<String>("select payload::text from durable.mailbox").await, r#"{"rain": true}"#);
    let complaint = database.durable(&["event", "send", id.trim(), "weather", "{rain"]).await.refused(2);
    assert!(complaint.contains("is no JSON"), "{complaint}");
    assert_eq!(database.durable(&["event", "publish", "news", "1", "--key", "k"]).await.done(), "reached 0\n");
    let published = database.durable(&["event", "publish", "news", "--correlation", "sports", "-o", "json"]).await.json();
    assert_eq!(published, json!({ "reached": 0 }));
    let complaint = database.durable(&["event", "publish", ""]).await.refused(2);
    assert!(complaint.contains("a publication needs a topic"), "{complaint}");
}

#[tokio::test]
async fn a_message_under_a_name_that_nothing_waits_for_is_kept_and_said_to_be() {
    let database = support::database().await;
    let worker = database.worker().await;
    let handle = worker.start::<support::Journey>("Ada".to_owned()).await.unwrap();
    let id = handle.id().to_string();
    support::eventually("it asks", async || !worker.pending_inputs().await.unwrap().is_empty()).await;
    let complaint = database.durable(&["input", "give", &id, "palce", "\"Oslo\""]).await.refused(5);
    assert!(complaint.contains("does not wait for input `palce` (it waits for: now `place`)"), "{complaint}");
    let complaint = database.durable(&["event", "send", &id, "wether"]).await.refused(5);
    assert!(complaint.contains("does not wait for event `wether` (it waits for: none now)"), "{complaint}");
    let kept = database.durable(&["event", "send", &id, "weather", "1", "--early"]).await.done();
    assert_eq!(kept, format!("kept for {id}\n"));
    let shown = database.durable(&["execution", "get", &id]).await.done();
    for name in ["NOT WAITED FOR", "palce", "wether", "weather"] {
        assert!(shown.contains(name), "{shown}");
    }
    let given = database.durable(&["input", "give", &id, "place", "\"Oslo\""]).await.done();
    assert_eq!(given, format!("answered {id}\n"));
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "in Oslo");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn inputs_of_a_graph_are_changed_by_one_message_and_an_open_graph_is_told_to_end() {
    let database = support::database().await;
    let id = database.durable(&["execution", "start", "loan", "-o", "ids"]).await.done();
    let id = id.trim();
    let set = database.durable(&["input", "set", id, "income=1.10", "name=\"Ada\"", "--unset", "note"]).await.done();
    assert_eq!(set, format!("changed {id}\n"));
    let complete = database.durable(&["execution", "complete", id]).await.done();
    assert_eq!(complete, format!("completing {id}\n"));
    let sent = database.value::<String>("select string_agg(payload::text, ' ' order by arrival) from durable.mailbox").await;
    assert_eq!(sent, r#"{"set":{"income":1.10,"name":"Ada"},"unset":["note"]} {"complete":true}"#);
    let complaint = database.durable(&["input", "set", id]).await.refused(2);
    assert!(complaint.contains("NAME=VALUE"), "{complaint}");
    let complaint = database.durable(&["input", "set", id, "income"]).await.refused(2);
    assert!(complaint.contains("sets nothing"), "{complaint}");
}

#[tokio::test]
async fn a_question_changes_its_deadline_and_its_assignee_and_is_asked_again() {
    let database = support::database().await;
    let worker = database.worker().await;
    let handle = worker.start::<support::Journey>("Ada".to_owned()).await.unwrap();
    let id = handle.id().to_string();
    support::eventually("it asks", async || !worker.pending_inputs().await.unwrap().is_empty()).await;
    let updated = database.durable(&["input", "update", &id, "place", "--assignee", "Bea"]).await.done();
    assert_eq!(updated, format!("updated input place of {id}: deadline none (was none), assignee Bea (was none)\n"));
    let deadline = "2100-01-01T00:00:00Z";
    let updated = database.durable(&["input", "update", &id, "place", "--deadline", deadline, "-o", "json"]).await.json();
    assert_eq!((&updated["due_at"], &updated["assignee"]), (&json!(deadline), &json!("Bea")));
    assert_eq!(database.durable(&["input", "list", "--assignee", "Bea", "-o", "ids"]).await.done(), format!("{id}\n"));
    assert_eq!(database.durable(&["input", "list", "--assignee", "Ada"]).await.done(), "none\n");
    let shown = database.durable(&["execution", "get", &id]).await.done();
    assert!(shown.contains("input `place` must be given by `Bea`"), "{shown}");
    let updated =
        database.durable(&["input", "update", &id, "place", "--no-deadline", "--no-assignee", "-o", "json"]).await.json();
    assert_eq!((&updated["due_at"], &updated["was_assignee"]), (&json!(null), &json!("Bea")));
    database.durable(&["input", "update", &id, "place"]).await.refused(2);
    let complaint = database.durable(&["input", "update", &id, "palce", "--no-deadline"]).await.refused(4);
    assert!(complaint.contains("has no open input `palce`") && complaint.contains("`input place`"), "{complaint}");

    database.durable(&["execution", "cancel", &id, "--reason", "for a test"]).await.done();
    let complaint = database.durable(&["execution", "retry", &id, "--ask-again", "palce"]).await.refused(4);
    assert!(complaint.contains("has not asked `palce`: it has asked input place"), "{complaint}");
    database.durable(&["execution", "retry", &id, "--ask-again", "place"]).await.done();
    support::eventually("it asks again", async || worker.pending_inputs().await.unwrap().len() == 1).await;
    worker.shutdown().await.unwrap();
}
