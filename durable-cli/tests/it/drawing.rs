//! Drawing: the graph of a workflow, and the path of an execution on it.

use crate::support;

#[tokio::test]
async fn a_workflow_is_drawn_in_three_formats() {
    let database = support::database().await;
    let worker = database.worker().await;
    let mermaid = database.durable(&["workflow", "graph", "journey"]).await.done();
    assert!(mermaid.starts_with("flowchart TD\n") && mermaid.contains("n1[\"pack\"]"), "{mermaid}");
    let svg = database.durable(&["workflow", "graph", "journey", "--format", "svg"]).await.done();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && svg.contains("input place"), "{svg}");
    let json = database.durable(&["workflow", "graph", "journey", "--version", "1", "-o", "json"]).await.json();
    assert_eq!((&json["workflow"], &json["nodes"][1]["name"]), (&"journey".into(), &"pack".into()));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_execution_is_drawn_with_its_states() {
    let database = support::database().await;
    let worker = database.worker().await;
    let handle = worker.start::<support::Journey>("Ada".to_owned()).await.unwrap();
    support::eventually("it asks", async || !worker.pending_inputs().await.unwrap().is_empty()).await;
    let id = handle.id().to_string();
    let json = database.durable(&["execution", "graph", &id, "--format", "json"]).await.json();
    let states: Vec<_> = json["nodes"].as_array().unwrap().iter().map(|run| run["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["done", "done", "waiting", "not_reached", "not_reached", "not_reached"]);
    let mermaid = database.durable(&["execution", "graph", &id]).await.done();
    assert!(mermaid.contains("  class n2 waiting\n"), "{mermaid}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_name_that_is_not_there_is_answered_with_the_nearest() {
    let database = support::database().await;
    let worker = database.worker().await;
    let refused = database.durable(&["workflow", "graph", "jurney"]).await.refused(4);
    assert!(refused.contains("did you mean `journey`?"), "{refused}");
    let refused = database.durable(&["workflow", "graph", "journey", "--version", "7"]).await.refused(4);
    assert!(refused.contains("kept versions: 1"), "{refused}");
    worker.shutdown().await.unwrap();
}
