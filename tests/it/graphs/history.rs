//! The histories of nodes: the newest values with revision, time and metadata, which outlive the value itself.

use durable::__macro::graph::{Edge, Graph, Node, NodeKind, NodeSpec, OnFailure, Policy};
use durable::__macro::{BoxFuture, StepSpec};
use durable::prelude::*;
use durable::{ExecutionValue, Workflow};

use super::spelled::{Bodies, Inputs, Seen, Spelled, edge, graph, inputs, node, run, spell, step};
use crate::support;

const fn needs(node: usize) -> Edge {
    edge(node, Policy::Needs)
}

const PRICE: Node<Prices> = Node {
    spec: NodeSpec { history: 3, ..node("price", NodeKind::Input { optional: false }, &[]) },
    ..super::spelled::input("price")
};

graph! {
    Prices, "prices", open: true, output: durable::Json,
    [PRICE, super::spelled::optional("note"),
     step!("label", [needs(0)], node { history: 2, on_failure: OnFailure::Skip })]
}

fn prices() -> Bodies {
    Bodies::at_once(|node, taken| if taken[0] == "bad" { Err(Error::permanent("no label")) } else { Ok(spell(node, taken)) })
}

async fn history(graph: &Seen, node: &str) -> Vec<ExecutionValue<String>> {
    graph.durable.history(graph.id, node).await.unwrap()
}

async fn values(graph: &Seen, node: &str) -> Vec<String> {
    history(graph, node).await.into_iter().map(|value| value.value).collect()
}

#[tokio::test]
async fn a_history_has_the_newest_values_in_the_order_of_their_revisions_and_survives_unset() {
    let database = support::database().await;
    let graph = Seen::start(&database, Prices(prices()), &[("price", "1")]).await;
    graph.comes_to("label", "label(1)").await;
    for price in ["2", "2", "3", "4"] {
        graph.durable.set_inputs(graph.id).set("price", price).metadata("by hand").await.unwrap();
        graph.comes_to("label", &format!("label({price})")).await;
    }
    assert_eq!(values(&graph, "price").await, ["4", "3", "2"]);
    assert_eq!(values(&graph, "label").await, ["label(4)", "label(3)"]);
    let kept = history(&graph, "price").await;
    assert!(kept.windows(2).all(|pair| pair[0].revision > pair[1].revision && pair[0].set_at >= pair[1].set_at), "{kept:?}");
    assert_eq!(kept[0].revision, graph.revision("price").await);
    assert_eq!(kept[0].metadata.as_ref().unwrap().as_str(), "\"by hand\"");

    graph.set(&[("price", "bad")]).await;
    graph.comes_to("price", "bad").await;
    let stale = "select 1 from durable.execution_values where state = 'stale'";
    database.eventually_value::<i32>(stale).await;
    assert_eq!(values(&graph, "label").await, ["label(4)", "label(3)"], "a failure is no value");
    graph.unset("price").await;
    graph.comes_to("price label", "- -").await;
    assert_eq!(values(&graph, "price").await, ["bad", "4", "3"]);
    assert_eq!(values(&graph, "label").await, ["label(4)", "label(3)"]);
    graph.set(&[("price", "4")]).await;
    graph.comes_to("label", "label(4)").await;
    assert_eq!(values(&graph, "price").await, ["4", "bad", "4"]);

    assert!(history(&graph, "note").await.is_empty(), "it keeps no history");
    let unknown = graph.durable.history::<String>(graph.id, "prize").await.unwrap_err();
    assert!(
        unknown.kind() == ErrorKind::NotFound && unknown.to_string().contains("its nodes are price, note, label"),
        "{unknown}"
    );
    let nobody = graph.durable.history::<String>(uuid::Uuid::now_v7().into(), "price").await.unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::NotFound);
    let mistyped = graph.durable.history::<u64>(graph.id, "label").await.unwrap_err();
    assert_eq!(mistyped.kind(), ErrorKind::Payload);
}

#[tokio::test]
async fn a_history_is_bounded_whatever_one_write_adds_and_goes_with_its_execution() {
    let database = support::database().await;
    let graph = Seen::start(&database, Prices(prices()), &[("price", "start")]).await;
    graph.comes_to("label", "label(start)").await;
    let setters = (0..40).map(|nth: u32| {
        let (durable, id) = (graph.durable.clone(), graph.id);
        tokio::spawn(async move { durable.set_inputs(id).set("price", &nth.to_string()).await })
    });
    for setter in setters.collect::<Vec<_>>() {
        support::soon("a setter is answered", setter).await.unwrap().unwrap();
    }
    graph.set(&[("price", "last")]).await;
    graph.comes_to("label", "label(last)").await;
    let (prices, labels) = (values(&graph, "price").await, values(&graph, "label").await);
    assert!(prices.len() == 3 && prices[0] == "last", "{prices:?}");
    assert!(labels.len() == 2 && labels[0] == "label(last)", "{labels:?}");

    graph.durable.complete(graph.id).await.unwrap();
    graph.result::<Prices>().await.unwrap();
    database.run("update durable.executions set finished_at = finished_at - interval '1 year'").await;
    graph.durable.prune(std::time::Duration::ZERO).await.unwrap();
    assert_eq!(database.count("select count(*) from durable.node_history").await, 0);
}

#[tokio::test]
async fn a_retry_has_the_history_of_what_it_continues() {
    let database = support::database().await;
    let bodies = prices();
    let worker = database.builder().register(Strict(bodies)).start().await.unwrap();
    let id = worker.start::<Strict>(inputs(&[("price", "1")])).await.unwrap().id();
    let graph = Seen { durable: worker, id };
    graph.comes_to("label", "label(1)").await;
    graph.set(&[("price", "bad")]).await;
    graph.result::<Strict>().await.unwrap_err();
    let retried = Seen { id: graph.durable.retry(graph.id).await.unwrap(), durable: graph.durable };
    retried.result::<Strict>().await.unwrap_err();
    assert_eq!(values(&retried, "price").await, ["bad", "1"]);
    assert_eq!(values(&retried, "label").await, ["label(1)"]);
}

graph! {
    Strict, "strict_prices", open: true, output: durable::Json,
    [Node { spec: PRICE.spec, ..super::spelled::input("price") }, step!("label", [needs(0)], node { history: 2 })]
}
