//! The path of an execution on a graph: node by node, from journals that are written by hand.

use serde_json::{Value, json};

use crate::model::{EdgeKind, ExecutionDetails, ExecutionGraph, Flow, Graph, NodeState};

const ID: &str = "01989f2c-7b12-7000-8000-00000000002a";

/// A step, then an event in a race with a sleep, then a loop around a step, then the end.
const FLOW: Flow = Flow {
    nodes: &[
        ["start", "start", "", ""],
        ["step", "charge", "charge", ""],
        ["race", "race", "", ""],
        ["event", "paid", "paid", "2/0"],
        ["sleep", "days(3)", "", "2/1"],
        ["merge", "first", "", ""],
        ["loop", "for parcel in parcels", "", ""],
        ["step", "send", "send", ""],
        ["end", "end", "", ""],
        ["compensation", "refund", "refund", ""],
    ],
    edges: &[
        (0, 1, ""),
        (1, 2, ""),
        (2, 3, ""),
        (3, 5, ""),
        (2, 4, ""),
        (4, 5, ""),
        (5, 6, ""),
        (6, 7, "each"),
        (7, 6, "loop"),
        (6, 8, "done"),
        (1, 9, "undo"),
    ],
};

/// Two ways to the same steps: `a`, then `if` there is a wait for an event, then `a` again, or `else` opaque code, then `b`.
const TWO_WAYS: Flow = Flow {
    nodes: &[
        ["start", "start", "", ""],
        ["step", "a", "a", ""],
        ["decision", "big", "", ""],
        ["event", "name", "", ""],
        ["step", "a", "a", ""],
        ["opaque", "elsewhere", "", ""],
        ["step", "b", "b", ""],
        ["end", "end", "", ""],
    ],
    edges: &[(0, 1, ""), (1, 2, ""), (2, 3, "if"), (3, 4, ""), (4, 6, ""), (2, 5, "else"), (5, 6, ""), (6, 7, "")],
};

/// A time of the day on which everything happens.
fn at(second: u32) -> String {
    format!("2026-11-30T09:{:02}:{:02}Z", 30 + second / 60, second % 60)
}

fn attempt(number: u32, outcome: &str, began: u32, ended: Option<u32>) -> Value {
    let error = (outcome == "failed").then(|| json!({ "kind": "failed", "message": "no answer" }));
    json!({ "number": number, "outcome": outcome, "started_at": at(began), "finished_at": ended.map(at), "error": error })
}

fn step(key: &str, output: Value, attempts: &[Value]) -> Value {
    let output = Some(output).filter(|output| !output.is_null());
    json!({ "key": key, "output": output, "error": null, "attempts": attempts })
}

fn done(key: &str, began: u32) -> Value {
    step(key, json!(1), &[attempt(1, "completed", began, Some(began + 1))])
}

fn failed(key: &str, kind: &str, began: u32) -> Value {
    let error = json!({ "kind": kind, "message": "no answer" });
    json!({ "key": key, "output": null, "error": error, "attempts": [attempt(1, "failed", began, Some(began + 1))] })
}

fn wait(key: &str, kind: &str, outcome: Option<&str>, began: u32) -> Value {
    json!({
        "key": key, "kind": kind, "name": "", "names": [], "started_at": at(began), "outcome": outcome,
        "resolved_at": outcome.map(|_| at(began + 5)),
    })
}

fn details(state: &str, steps: &[Value], waits: &[Value]) -> ExecutionDetails {
    with_compensations(state, steps, waits, &[])
}

fn with_compensations(state: &str, steps: &[Value], waits: &[Value], compensations: &[Value]) -> ExecutionDetails {
    let over = !matches!(state, "running" | "waiting" | "pending");
    let details = json!({
        "execution": {
            "id": ID, "workflow": "pay", "version": 1, "queue": "default", "priority": 0, "state": state, "epoch": 1,
            "input": null, "created_at": at(0), "started_at": at(0), "finished_at": over.then(|| at(59)),
        },
        "steps": steps, "waits": waits, "children": [], "compensations": compensations, "mailbox": [], "refusals": [],
    });
    serde_json::from_str(&details.to_string()).unwrap()
}

fn graph(flow: &Flow) -> Graph {
    flow.graph("pay", 1)
}

/// The states of the nodes, in their order, each with the number of visits.
fn states(drawn: &ExecutionGraph) -> Vec<(&'static str, u32)> {
    drawn.nodes.iter().map(|run| (run.state.as_str(), run.times)).collect()
}

/// The edges that were taken, and how often.
fn taken(drawn: &ExecutionGraph) -> Vec<(u32, u32, u32)> {
    let edges = drawn.graph.edges.iter().zip(&drawn.edges).filter(|(_, times)| **times > 0);
    edges.map(|(edge, times)| (edge.from, edge.to, *times)).collect()
}

#[test]
fn a_completed_execution_has_a_path_from_the_start_to_the_end() {
    let steps = [
        step("step charge", json!(1), &[attempt(1, "failed", 1, Some(2)), attempt(2, "completed", 3, Some(4))]),
        step("race", json!({ "branch": 0 }), &[attempt(1, "completed", 10, Some(10))]),
        done("step send", 11),
        done("step send#2", 12),
    ];
    let waits = [wait("race/0/event paid", "event", Some("received"), 5), wait("race/1/sleep", "sleep", Some("cancelled"), 5)];
    let drawn = graph(&FLOW).with_execution(&details("completed", &steps, &waits));
    assert_eq!(
        states(&drawn),
        [
            ("done", 1),
            ("done", 1),
            ("done", 1),
            ("done", 1),
            ("dropped", 1),
            ("done", 1),
            ("done", 3),
            ("done", 2),
            ("done", 1),
            ("not_reached", 0),
        ]
    );
    assert_eq!(
        taken(&drawn),
        [(0, 1, 1), (1, 2, 1), (2, 3, 1), (2, 4, 1), (3, 5, 1), (5, 6, 1), (6, 7, 2), (6, 8, 1), (7, 6, 2)]
    );
    let charge = &drawn.nodes[1];
    assert_eq!((charge.attempts, charge.took.unwrap().as_secs()), (2, 3));
    assert_eq!(charge.first_started_at.unwrap().to_rfc3339(), "2026-11-30T09:30:01+00:00");
}

#[test]
fn what_is_under_way_and_what_waits_has_its_state() {
    let steps = [done("step charge", 1)];
    let waits = [wait("race/0/event paid", "event", None, 5), wait("race/1/sleep", "sleep", None, 5)];
    let drawn = graph(&FLOW).with_execution(&details("waiting", &steps, &waits));
    assert_eq!(states(&drawn)[1..6], [("done", 1), ("waiting", 1), ("waiting", 1), ("waiting", 1), ("not_reached", 0)]);
    assert_eq!(drawn.nodes[8].state, NodeState::NotReached);

    let retried = [step("step charge", Value::Null, &[attempt(1, "failed", 1, Some(2))])];
    let drawn = graph(&FLOW).with_execution(&details("waiting", &retried, &[]));
    assert_eq!(drawn.nodes[1].state, NodeState::Waiting);
    let running = [step("step charge", Value::Null, &[attempt(1, "failed", 1, Some(2)), attempt(2, "running", 3, None)])];
    let drawn = graph(&FLOW).with_execution(&details("running", &running, &[]));
    assert_eq!((drawn.nodes[1].state, drawn.nodes[1].attempts), (NodeState::Running, 2));
    let drawn = graph(&FLOW).with_execution(&details("cancelled", &running, &[]));
    assert_eq!((drawn.nodes[1].state, drawn.nodes[8].state), (NodeState::Dropped, NodeState::Dropped));
}

#[test]
fn an_undone_step_is_compensated() {
    let steps = [done("step charge", 1), failed("race/0/step other", "failed", 2)];
    let undone = json!({ "step": "step charge", "input": 1, "output": 1, "error": null, "attempts": [attempt(1, "completed", 4, Some(5))] });
    let drawn = graph(&FLOW).with_execution(&with_compensations("compensated", &steps, &[], &[undone]));
    assert_eq!([1, 8, 9].map(|node| drawn.nodes[node].state), [NodeState::Compensated, NodeState::Compensated, NodeState::Done]);
    assert!(taken(&drawn).contains(&(1, 9, 1)));
    let stuck = json!({ "step": "step charge", "input": 1, "output": null, "error": { "kind": "failed", "message": "no" }, "attempts": [] });
    let drawn = graph(&FLOW).with_execution(&with_compensations("compensation_failed", &steps, &[], &[stuck]));
    assert_eq!([1, 9].map(|node| drawn.nodes[node].state), [NodeState::Done, NodeState::Failed]);
}

#[test]
fn of_two_places_with_one_name_the_path_shows_which_was_reached() {
    let steps = [done("step a", 1), done("step a#2", 20), done("step b", 30)];
    let drawn =
        graph(&TWO_WAYS).with_execution(&details("completed", &steps, &[wait("event x1", "event", Some("received"), 10)]));
    assert_eq!(states(&drawn).iter().map(|(_, times)| *times).collect::<Vec<_>>(), [1, 1, 1, 1, 1, 0, 1, 1]);
    assert!(taken(&drawn).contains(&(2, 3, 1)) && !taken(&drawn).contains(&(2, 5, 1)));

    let steps = [done("step a", 1), done("step b", 30)];
    let drawn = graph(&TWO_WAYS).with_execution(&details("completed", &steps, &[]));
    assert_eq!(states(&drawn).iter().map(|(_, times)| *times).collect::<Vec<_>>(), [1, 1, 1, 0, 0, 1, 1, 1]);
}

#[test]
fn calls_that_the_graph_lacks_hang_at_the_opaque_code_that_made_them() {
    let steps = [
        done("step a", 1),
        done("step hidden", 2),
        failed("join/0/step deep", "failed", 3),
        done("step hidden#2", 4),
        done("step b", 5),
    ];
    let drawn = graph(&TWO_WAYS).with_execution(&details("completed", &steps, &[]));
    let added: Vec<_> =
        drawn.graph.nodes[8..].iter().map(|node| (node.label.as_str(), drawn.nodes[node.id as usize].times)).collect();
    assert_eq!(added, [("hidden", 2), ("deep", 1)]);
    assert!(drawn.nodes[8].seen_only && drawn.nodes[9].state == NodeState::Failed);
    let seen: Vec<_> =
        drawn.graph.edges.iter().filter(|edge| edge.kind == EdgeKind::Seen).map(|edge| (edge.from, edge.to)).collect();
    assert_eq!(seen, [(5, 8), (5, 9)]);
    assert_eq!((drawn.nodes[5].state, drawn.nodes[6].state), (NodeState::Done, NodeState::Done));
    assert_eq!(drawn.edges.len(), drawn.graph.edges.len());
}

#[test]
fn an_execution_of_other_code_is_drawn_all_the_same() {
    let steps = [done("step renamed", 1), done("step b", 2), done("now", 3), done("undo/step b/step c", 4)];
    let drawn = graph(&TWO_WAYS).with_execution(&details("failed", &steps, &[wait("sleep", "sleep", Some("elapsed"), 5)]));
    assert_eq!((drawn.nodes[6].state, drawn.nodes[7].state), (NodeState::Done, NodeState::Failed));
    assert_eq!(drawn.graph.nodes[8..].iter().map(|node| node.label.as_str()).collect::<Vec<_>>(), ["renamed", "sleep"]);

    let nothing = graph(&Flow::EMPTY).with_execution(&details("completed", &steps, &[]));
    assert_eq!(nothing.graph.nodes.iter().map(|node| node.label.as_str()).collect::<Vec<_>>(), ["renamed", "b"]);
    assert!(nothing.to_svg().starts_with("<svg") && nothing.to_mermaid().contains("renamed"));
}

#[test]
fn of_many_names_that_the_graph_lacks_the_last_are_one_node() {
    let steps: Vec<_> = (0..300).map(|number| done(&format!("step number {number}"), 1)).collect();
    let drawn = graph(&TWO_WAYS).with_execution(&details("completed", &steps, &[]));
    assert_eq!(drawn.graph.nodes.len(), 8 + 101);
    assert_eq!((drawn.graph.nodes[108].label.as_str(), drawn.nodes[108].times), ("others", 200));
}

#[test]
fn neighbours_whose_times_are_not_exact_are_told_apart_by_the_graph() {
    let steps = [done("step a", 10), done("step a#2", 20), done("step b", 30)];
    let late = wait("event x1", "event", Some("received"), 21);
    let drawn = graph(&TWO_WAYS).with_execution(&details("completed", &steps, &[late]));
    assert_eq!(states(&drawn).iter().map(|(_, times)| *times).collect::<Vec<_>>(), [1, 1, 1, 1, 1, 0, 1, 1]);
    assert_eq!(drawn.graph.nodes.len(), 8);
}

#[test]
fn the_classes_of_a_picture_are_the_states() {
    let steps = [
        step("step charge", json!(1), &[attempt(1, "failed", 1, Some(2)), attempt(2, "completed", 3, Some(4))]),
        step("race", json!({ "branch": 1 }), &[attempt(1, "completed", 10, Some(10))]),
        failed("step send", "failed", 12),
    ];
    let waits = [wait("race/0/event paid", "event", Some("cancelled"), 5), wait("race/1/sleep", "sleep", Some("elapsed"), 5)];
    let drawn = graph(&FLOW).with_execution(&details("failed", &steps, &waits));
    let svg = drawn.to_svg();
    for (node, run) in drawn.graph.nodes.iter().zip(&drawn.nodes) {
        let class = format!("durable-kind-{} durable-{}\" data-node=\"{}\"", node.kind.as_str(), run.state.as_str(), node.id);
        assert!(svg.contains(&class), "{class}\n{svg}");
    }
    assert_eq!(svg, drawn.to_svg());
    assert_eq!(
        drawn
            .to_mermaid()
            .replace("  classDef", "classDef")
            .lines()
            .filter(|line| !line.starts_with("classDef"))
            .collect::<Vec<_>>()
            .join("\n"),
        "flowchart TD
  n0([\"start<br/>09:30:00\"])
  n1[\"charge<br/>09:30:01 · 3.0 s · 2 attempts\"]
  n2[/\"race<br/>09:30:05\"\\]
  n3{{\"event paid<br/>09:30:05 · 5.0 s · dropped\"}}
  n4{{\"sleep days(3)<br/>09:30:05 · 5.0 s\"}}
  n5[\\\"first\"/]
  n6{\"for parcel in parcels\"}
  n7[\"send<br/>09:30:12 · 1.0 s · failed\"]
  n8([\"end<br/>09:30:59 · failed\"])
  n9>\"undo: refund\"]
  n0 --> n1
  n1 --> n2
  n1 -.->|\"undo\"| n9
  n2 --> n3
  n2 --> n4
  n3 --> n5
  n4 --> n5
  n5 --> n6
  n6 -->|\"each\"| n7
  n6 -->|\"done\"| n8
  n7 -->|\"loop\"| n6
  class n9 not_reached
  class n0,n1,n2,n4,n5,n6 done
  class n7,n8 failed
  class n3 dropped
  linkStyle 0,1,3,4,6,7,8 stroke-width:3px"
    );
}
