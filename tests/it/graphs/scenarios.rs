//! The scenarios that other engines have in their test suites, by number.

use durable::__macro::graph::{Edge, Graph, Node, NodeKind, NodeSpec, OnFailure, Policy};
use durable::__macro::{Backoff, BoxFuture, Retry, StepSpec};
use durable::prelude::*;
use durable::{ValueState, Workflow};

use super::spelled::{Bodies, Inputs, Seen, Spelled, edge, graph, input, node, optional, run, spell, step};
use crate::support::bodies::Tally;
use crate::support::{self, soon};

const fn needs(node: usize) -> Edge {
    edge(node, Policy::Needs)
}

graph! {
    Greeting, "greeting", open: true, output: durable::Json,
    [input("user"), input("actual"), step!("greeting", [needs(0), edge(1, Policy::Needs)])]
}

#[tokio::test]
async fn scenario_1_a_node_runs_when_all_that_it_needs_is_there_and_again_when_it_changes() {
    let database = support::database().await;
    let greeting = Seen::start(&database, Greeting(Bodies::that_spell()), &[("user", "Mario")]).await;
    greeting.comes_to("user actual greeting", "Mario - -").await;
    greeting.set(&[("actual", "Bowser")]).await;
    greeting.comes_to("greeting", "greeting(Mario Bowser)").await;
    let before = greeting.revision("greeting").await;
    greeting.set(&[("user", "Toad")]).await;
    greeting.comes_to("greeting actual", "greeting(Toad Bowser) Bowser").await;
    assert!(greeting.revision("greeting").await > before);
    let value = greeting.durable.value::<String>(greeting.id, "greeting").await.unwrap().unwrap();
    assert!(!value.stale && value.metadata.is_none());
}

graph! {
    Temperature, "temperature", open: true, output: durable::Json,
    [input("temperature"), step!("status", [needs(0)]), step!("alert", [needs(1)])]
}

#[tokio::test]
async fn scenarios_2_and_3_only_a_different_value_has_a_newer_revision_and_runs_what_comes_after_it() {
    let (database, tally) = (support::database().await, Tally::default());
    let count = tally.clone();
    let bodies = Bodies::at_once(move |node, taken| {
        count.add(node);
        let is_high = taken[0].parse::<u32>().is_ok_and(|degrees| degrees >= 30);
        Ok(if node == "alert" { spell(node, taken) } else { (if is_high { "high" } else { "normal" }).to_owned() })
    });
    let graph = Seen::start(&database, Temperature(bodies), &[("temperature", "20")]).await;
    graph.comes_to("alert", "alert(normal)").await;
    let before = (graph.revision("status").await, graph.revision("alert").await);
    graph.set(&[("temperature", "25")]).await;
    graph.comes_to("temperature", "25").await;
    support::eventually("the status is computed again", async || tally.count("status") == 2).await;
    graph.set(&[("temperature", "40")]).await;
    graph.comes_to("status alert", "high alert(high)").await;
    assert_eq!((tally.count("status"), tally.count("alert")), (3, 2), "an equal status runs no alert");
    assert!(graph.revision("status").await > before.0 && graph.revision("alert").await > before.1);
}

graph! {
    Sum, "sum", open: true, output: durable::Json,
    [input("x"), input("y"), step!("sum", [needs(0), needs(1)]),
     step!("alert", [needs(2)], node { when: &[needs(2)] }, when |taken| Ok(taken.needed::<String>(0, "sum")?.parse::<u32>()? > 40))]
}

#[tokio::test]
async fn scenario_5_a_condition_that_no_longer_holds_clears_the_node() {
    let database = support::database().await;
    let bodies = Bodies::at_once(|node, taken| match node {
        "sum" => Ok((taken[0].parse::<u32>()? + taken[1].parse::<u32>()?).to_string()),
        _ => Ok(spell(node, taken)),
    });
    let graph = Seen::start(&database, Sum(bodies), &[("x", "12"), ("y", "9")]).await;
    graph.comes_to("sum alert", "21 -").await;
    graph.set(&[("y", "100")]).await;
    graph.comes_to("sum alert", "112 alert(112)").await;
    graph.set(&[("y", "1")]).await;
    graph.comes_to("sum alert", "13 -").await;
}

graph! {
    Diamond, "open_diamond", open: true, output: durable::Json,
    [input("a"), input("y"), step!("b", [needs(0)]), step!("c", [needs(0)]), step!("d", [needs(2), needs(3)]), step!("e", [needs(1)])]
}

#[tokio::test]
async fn scenario_7_unset_clears_what_needs_the_input_and_nothing_else() {
    let database = support::database().await;
    let graph = Seen::start(&database, Diamond(Bodies::that_spell()), &[("a", "1"), ("y", "2")]).await;
    graph.comes_to("d e", "d(b(1) c(1)) e(2)").await;
    let e = graph.revision("e").await;
    graph.unset("a").await;
    graph.comes_to("a b c d e", "- - - - e(2)").await;
    graph.unset("a").await;
    graph.set(&[("a", "new")]).await;
    graph.comes_to("d e", "d(b(new) c(new)) e(2)").await;
    assert_eq!(graph.revision("e").await, e);
    let refused = graph.durable.set_inputs(graph.id).unset("d").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(refused.to_string().contains("`d` is computed") && refused.to_string().contains("its inputs are a, y"), "{refused}");
}

graph! {
    Either, "either", open: true, output: durable::Json,
    [input("a"), input("b"), step!("either", [edge(0, Policy::Latest), edge(1, Policy::Latest)])]
}

#[tokio::test]
async fn scenario_8_a_node_that_takes_the_latest_of_each_starts_with_the_first() {
    let database = support::database().await;
    let graph = Seen::start(&database, Either(Bodies::that_spell()), &[("a", "a")]).await;
    graph.comes_to("either", "either(a _)").await;
    let before = graph.revision("either").await;
    graph.set(&[("b", "b")]).await;
    graph.comes_to("either", "either(a b)").await;
    assert!(graph.revision("either").await > before);
}

#[tokio::test]
async fn scenario_13_many_inputs_change_under_one_revision() {
    let database = support::database().await;
    let graph = Seen::start(&database, Greeting(Bodies::that_spell()), &[("user", "1"), ("actual", "1")]).await;
    graph.comes_to("greeting", "greeting(1 1)").await;
    graph.set(&[("user", "2"), ("actual", "2")]).await;
    graph.comes_to("greeting", "greeting(2 2)").await;
    let revision = graph.revision("user").await;
    assert_eq!(graph.revision("actual").await, revision);
    graph.set(&[("user", "2"), ("actual", "3")]).await;
    graph.comes_to("greeting", "greeting(2 3)").await;
    assert!(graph.revision("user").await == revision && graph.revision("actual").await > revision);
    let empty = graph.durable.set_inputs(graph.id).await.unwrap_err();
    assert!(empty.kind() == ErrorKind::Invalid && empty.to_string().contains("changes nothing"), "{empty}");
}

graph! {
    Failing, "failing", open: true, output: durable::Json,
    [input("x"), input("other"),
     step!("a", [needs(0)], node { on_failure: OnFailure::Skip }, step { retry: Some(THREE) }),
     step!("b", [needs(2)]), step!("c", [edge(2, Policy::SeesFailure)]), step!("d", [needs(1)])]
}

const THREE: Retry = Retry {
    max_attempts: 3,
    backoff: Backoff::Constant,
    base: std::time::Duration::from_millis(1),
    max: std::time::Duration::from_millis(1),
    jitter: 0.0,
};

fn failing(tally: &Tally) -> Bodies {
    let tally = tally.clone();
    Bodies::at_once(move |node, taken| {
        tally.add(node);
        if node == "a" && taken[0] == "bad" { Err(Error::new("no luck")) } else { Ok(spell(node, taken)) }
    })
}

#[tokio::test]
async fn scenarios_15_and_16_a_failed_recomputation_keeps_the_old_value_and_a_change_brings_new_attempts() {
    let (database, tally) = (support::database().await, Tally::default());
    let graph = Seen::start(&database, Failing(failing(&tally)), &[("x", "1"), ("other", "1")]).await;
    graph.comes_to("b c d", "b(a(1)) c(a(1)) d(1)").await;
    graph.set(&[("x", "bad")]).await;
    graph.comes_to("a b c", "a(1) b(a(1)) c(!)").await;
    let stale = graph.durable.value::<String>(graph.id, "a").await.unwrap().unwrap();
    assert!(stale.stale, "{stale:?}");
    assert_eq!(tally.count("a"), 4, "one attempt, then three");
    graph.set(&[("other", "2")]).await;
    graph.comes_to("d", "d(2)").await;
    assert_eq!((tally.count("a"), tally.count("b")), (4, 1), "nothing that a takes has changed");
    graph.set(&[("x", "2")]).await;
    graph.comes_to("a b c", "a(2) b(a(2)) c(a(2))").await;
    assert_eq!(tally.count("a"), 5);
}

graph! {
    Role, "role", open: false, output: durable::Json,
    [optional("role"),
     step!("admin", [edge(0, Policy::Settled)], node { when: &[edge(0, Policy::Settled)] }, when |taken| Ok(is_admin(taken.settled(0, "role")?))),
     step!("user", [edge(0, Policy::Settled)], node { when: &[edge(0, Policy::Settled)] }, when |taken| Ok(!is_admin(taken.settled(0, "role")?)))]
}

fn is_admin(role: Option<String>) -> bool {
    role.is_some_and(|role| role == "admin")
}

#[tokio::test]
async fn scenario_20_of_two_branches_with_opposite_conditions_exactly_one_runs() {
    let database = support::database().await;
    let worker = database.builder().register(Role(Bodies::that_spell())).start().await.unwrap();
    for (given, expected) in [
        (super::spelled::inputs(&[("role", "admin")]), r#"{"admin":"admin(admin)"}"#),
        (super::spelled::inputs(&[("role", "guest")]), r#"{"user":"user(guest)"}"#),
        (Inputs::new(), r#"{"user":"user(_)"}"#),
    ] {
        let ended = worker.start::<Role>(given).await.unwrap();
        assert_eq!(soon("it ends", ended.result()).await.unwrap().as_str(), expected);
    }
}

graph! {
    Skipping, "skipping", open: false, output: durable::Json,
    [input("x"),
     step!("a", [needs(0)], node { when: &[needs(0)], on_failure: OnFailure::Skip }, when |taken| Ok(taken.needed::<String>(0, "x")? != "skip")),
     step!("b", [needs(0)]),
     step!("c", [edge(1, Policy::Settled), needs(2)]),
     step!("after_a", [needs(1)]),
     step!("after_after_a", [needs(4)])]
}

#[tokio::test]
async fn scenarios_21_and_22_what_was_skipped_or_failed_is_left_out_or_skips_what_needs_it() {
    let (database, tally) = (support::database().await, Tally::default());
    let worker = database.builder().register(Skipping(failing(&tally))).start().await.unwrap();
    for (given, expected) in [
        ("skip", r#"{"c":"c(_ b(skip))"}"#),
        ("bad", r#"{"c":"c(_ b(bad))"}"#),
        ("good", r#"{"after_after_a":"after_after_a(after_a(a(good)))","c":"c(a(good) b(good))"}"#),
    ] {
        let graph = worker.start::<Skipping>(super::spelled::inputs(&[("x", given)])).await.unwrap();
        assert_eq!(soon("it ends", graph.result()).await.unwrap().as_str(), expected);
    }
    let states: Vec<String> = database
        .values("select concat_ws(' ', name, state) from durable.execution_values where name in ('a', 'after_a') order by execution_id, name")
        .await;
    assert_eq!(states, ["a skipped", "after_a skipped", "a failed", "after_a skipped", "a ready", "after_a ready"]);
    assert_eq!(ValueState::Skipped.as_str(), "skipped");
}

graph! {
    Strict, "strict", open: true, output: durable::Json,
    [input("x"), step!("a", [needs(0)]), step!("b", [needs(1)])]
}

#[tokio::test]
async fn a_failure_fails_the_execution_and_leaves_the_old_value_stale() {
    let (database, tally) = (support::database().await, Tally::default());
    let graph = Seen::start(&database, Strict(failing(&tally)), &[("x", "1")]).await;
    graph.comes_to("b", "b(a(1))").await;
    graph.set(&[("x", "bad")]).await;
    let failed = graph.result::<Strict>().await.unwrap_err();
    assert!(failed.to_string().contains("no luck"), "{failed}");
    let stale = graph.durable.value::<String>(graph.id, "a").await.unwrap().unwrap();
    assert!(stale.stale && stale.value == "a(1)");
    let late = graph.durable.set_inputs(graph.id).set("x", "2").await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Finished);
}

graph! {
    Ending, "ending", open: true, output: String,
    [input("x"), step!("a", [needs(0)], node { is_output: true }),
     step!("bye", [needs(0)], node { ends: true, when: &[needs(0)] }, when |taken| Ok(taken.needed::<String>(0, "x")? == "end"))]
}

#[tokio::test]
async fn an_open_graph_ends_by_a_node_that_ends_it_or_when_it_is_told_to() {
    let database = support::database().await;
    let told = Seen::start(&database, Ending(Bodies::that_spell()), &[("x", "1")]).await;
    told.comes_to("a bye", "a(1) -").await;
    told.durable.complete(told.id).await.unwrap();
    assert_eq!(told.result::<Ending>().await.unwrap(), "a(1)");
    let late = told.durable.complete(told.id).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Finished);

    let ended = told.durable.start::<Ending>(super::spelled::inputs(&[("x", "end")])).await.unwrap();
    assert_eq!(soon("it ends", ended.result()).await.unwrap(), "a(end)");
}
