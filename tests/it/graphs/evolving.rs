//! New code under open executions: nodes that are added, removed, renamed, or of another type. And what is said of a graph.

use durable::__macro::graph::{Edge, Graph, Node, NodeKind, NodeSpec, Policy};
use durable::__macro::{BoxFuture, StepSpec};
use durable::prelude::*;
use durable::{Blocker, Unmet, ValueState, Workflow};

use super::spelled::{Bodies, Inputs, Seen, Spelled, edge, graph, input, node, run, spell, step};
use crate::support::bodies::Tally;
use crate::support::{self, eventually};

const fn needs(node: usize) -> Edge {
    edge(node, Policy::Needs)
}

graph! {
    Old, "evolving", open: true, output: durable::Json,
    [input("x"), step!("gone", [needs(0)]), step!("before", [needs(0)])]
}

graph! {
    New, "evolving", open: true, output: durable::Json,
    [input("x"), step!("after", [needs(0)], node { was: &["before"] }), step!("added", [needs(1)])]
}

const MISTYPED: Node<Mistyped> = Node {
    spec: NodeSpec { ..node("twice", NodeKind::Step, &[needs(0)]) },
    run: Some(|_, taken| {
        Box::pin(async move {
            let number: u32 = taken.needed(0, "x")?;
            durable::__macro::graph::computed::<Result<u32>>(Ok(2 * number))
        })
    }),
    when: None,
    schema: None,
    check: None,
};

graph! {
    Mistyped, "evolving", open: true, output: durable::Json,
    [input("x"), MISTYPED]
}

fn counting(tally: &Tally) -> Bodies {
    let tally = tally.clone();
    Bodies::at_once(move |node, taken| {
        tally.add(node);
        Ok(spell(node, taken))
    })
}

#[tokio::test]
async fn an_added_node_runs_in_an_open_execution_a_removed_one_keeps_its_value_and_a_renamed_one_is_known() {
    let (database, tally) = (support::database().await, Tally::default());
    let old = Seen::start(&database, Old(counting(&tally)), &[("x", "1")]).await;
    old.comes_to("gone before", "gone(1) before(1)").await;
    database.eventually_value::<i32>("select 1 from durable.executions where state = 'waiting'").await;
    old.durable.shutdown().await.unwrap();

    let durable = database.builder().register(New(counting(&tally))).start().await.unwrap();
    let new = Seen { durable, id: old.id };
    // Any message has the new code look at the execution.
    new.set(&[("x", "1")]).await;
    new.comes_to("gone added", "gone(1) added(before(1))").await;
    assert_eq!(tally.count("after"), 0, "its value is that of the former name");
    new.set(&[("x", "2")]).await;
    new.comes_to("gone after added", "gone(1) after(2) added(after(2))").await;
    assert_eq!((tally.count("gone"), tally.count("before")), (1, 1));
    new.durable.shutdown().await.unwrap();

    let durable = database.builder().register(Mistyped(counting(&tally))).start().await.unwrap();
    durable.set_inputs(old.id).set("x", "3").await.unwrap();
    let stopped = "select error ->> 'message' from durable.executions where state = 'waiting' and error is not null";
    let report: String = database.eventually_value(stopped).await;
    for part in ["the node `twice` cannot read what it takes", "recorded:", "expected:", "the value of `x` does not decode"] {
        assert!(report.contains(part), "{report}");
    }
}

graph! {
    Loan, "loan", open: false, output: durable::Json,
    [input("applicant"), input("documents"),
     step!("score", [needs(0)]),
     step!("offer", [needs(2)], node { when: &[needs(2)] }, when |taken| Ok(taken.needed::<String>(0, "score")?.contains("rich"))),
     step!("letter", [needs(1), needs(3)]),
     step!("hint", [edge(1, Policy::Latest)])]
}

#[tokio::test]
async fn introspection_says_of_each_node_which_of_its_conditions_are_not_met() {
    let database = support::database().await;
    let loan = Seen::start(&database, Loan(Bodies::that_spell()), &[("applicant", "poor")]).await;
    loan.comes_to("score", "score(poor)").await;
    let waiting = "select count(*) from durable.executions where state = 'waiting'";
    eventually("it waits", async || database.count(waiting).await == 1).await;
    let why = loan.durable.introspect(loan.id).await.unwrap();
    let node = |name: &str| why.nodes.iter().find(|node| node.name == name).unwrap();
    assert_eq!((node("score").state, node("score").unmet.len(), node("score").is_outstanding), (ValueState::Ready, 0, false));
    assert_eq!(node("documents").unmet, [Unmet::NotGiven]);
    assert_eq!((node("offer").state, &node("offer").unmet[..]), (ValueState::Skipped, &[Unmet::ConditionIsFalse][..]));
    assert_eq!(node("letter").state, ValueState::Skipped);
    assert!(node("letter").unmet.contains(&Unmet::SkippedWith { node: "offer".to_owned() }));
    assert_eq!(node("hint").unmet, [Unmet::NoneHasValue { of: vec!["documents".to_owned()] }]);
    let [Blocker::Change { missing, .. }] = &why.blockers[..] else { panic!("{:?}", why.blockers) };
    assert_eq!(missing, &["documents"]);
    let text = why.to_string();
    assert!(text.contains("node `offer` is skipped") && text.contains("the input `documents` must be given"), "{text}");
    // A client elsewhere knows what is recorded, and not the graph.
    let elsewhere = database.client().await.introspect(loan.id).await.unwrap();
    assert!(elsewhere.nodes.iter().any(|node| node.name == "score" && node.state == ValueState::Ready));
}

graph! {
    TakesBoth, "shrinking", open: true, output: durable::Json,
    [input("x"), input("y"), step!("a", [needs(0), needs(1)]), step!("gone", [needs(1)])]
}

graph! {
    TakesOne, "shrinking", open: true, output: durable::Json,
    [input("x"), input("y"), step!("a", [needs(0)])]
}

#[tokio::test]
async fn a_node_that_takes_less_in_new_code_runs_again_and_finds_no_run_of_the_old_code() {
    let (database, tally) = (support::database().await, Tally::default());
    let old = Seen::start(&database, TakesBoth(counting(&tally)), &[("y", "1")]).await;
    old.comes_to("gone", "gone(1)").await;
    old.set(&[("x", "1")]).await;
    old.comes_to("a", "a(1 1)").await;
    old.set(&[("y", "2")]).await;
    old.comes_to("a gone", "a(1 2) gone(2)").await;
    let waiting = "select count(*) from durable.executions where state = 'waiting'";
    eventually("it waits", async || database.count(waiting).await == 1).await;
    old.durable.shutdown().await.unwrap();

    // The newest revision of `x` is the one under which the old code has run `a` for the first time.
    let newest = "select max(coalesce((node ->> 'change_revision')::int, (node ->> 'state_revision')::int, revision)) from durable.execution_values";
    let newest: i32 = database.value(newest).await;
    let durable = database.builder().register(TakesOne(counting(&tally))).start().await.unwrap();
    let new = Seen { durable, id: old.id };
    new.set(&[("y", "3")]).await;
    new.comes_to("a gone", "a(1) gone(2)").await;
    assert_eq!(tally.count("a"), 3);
    assert!(new.revision("y").await > newest.cast_unsigned(), "also those of nodes that are gone count");
    new.set(&[("x", "2")]).await;
    new.comes_to("a", "a(2)").await;
    assert_eq!(database.count("select count(*) from durable.executions where error is not null").await, 0);
}

#[tokio::test]
async fn introspection_of_a_graph_that_has_ended_or_not_begun_says_what_is_so() {
    let database = support::database().await;
    let loan = Seen::start(&database, Loan(Bodies::that_spell()), &[("applicant", "poor")]).await;
    loan.comes_to("score", "score(poor)").await;
    loan.durable.cancel(loan.id, "enough").await.unwrap();
    let ended = loan.durable.introspect(loan.id).await.unwrap();
    assert!(ended.nodes.iter().all(|node| !node.is_outstanding && node.unmet.is_empty()), "{ended}");

    let client = database.client().await;
    let id = client.start::<Loan>(super::spelled::inputs(&[("applicant", "rich")])).delay(hours(1)).await.unwrap().id();
    let early = loan.durable.introspect(id).await.unwrap();
    let node = |name: &str| early.nodes.iter().find(|node| node.name == name).unwrap();
    assert_eq!((node("applicant").state, node("applicant").unmet.len()), (ValueState::Ready, 0));
    assert_eq!(node("documents").unmet, [Unmet::NotGiven]);
}
