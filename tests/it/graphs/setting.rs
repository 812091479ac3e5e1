//! Steps whose result becomes the values of inputs.

use durable::__macro::graph::{Edge, Graph, Node, NodeKind, NodeSpec, OnFailure, Policy, Target};
use durable::__macro::{BoxFuture, StepSpec};
use durable::prelude::*;
use durable::{Workflow, workflow};

use super::spelled::{Bodies, Inputs, Seen, Spelled, edge, graph, input, node, run, spell, step};
use crate::support::bodies::Tally;
use crate::support::{self, soon};

const fn needs(node: usize) -> Edge {
    edge(node, Policy::Needs)
}

const fn loudly(node: usize) -> Target {
    Target { node, silently: false }
}

graph! {
    Splitting, "splitting", open: true, output: durable::Json,
    [input("x"), input("a"), input("b"), input("c"),
     step!("name", [needs(0)], node { sets: &[loudly(1)], on_failure: OnFailure::Skip }),
     step!("a_and_b", [needs(1), needs(2)])]
}

#[tokio::test]
async fn a_step_sets_an_input_and_what_takes_it_runs() {
    let (database, tally) = (support::database().await, Tally::default());
    let count = tally.clone();
    let bodies = Bodies::at_once(move |node, taken| {
        count.add(node);
        if taken[0] == "bad" { Err(Error::permanent("no name")) } else { Ok(spell(node, taken)) }
    });
    let graph = Seen::start(&database, Splitting(bodies), &[("x", "1"), ("b", "b")]).await;
    graph.comes_to("a a_and_b", "name(1) a_and_b(name(1) b)").await;
    let before = graph.revision("a").await;
    graph.set(&[("x", "bad")]).await;
    support::eventually("it fails", async || tally.count("name") == 2).await;
    graph.set(&[("a", "by hand")]).await;
    graph.comes_to("a a_and_b", "by hand a_and_b(by hand b)").await;
    graph.set(&[("x", "2")]).await;
    graph.comes_to("a a_and_b", "name(2) a_and_b(name(2) b)").await;
    assert!(graph.revision("a").await > before);
    assert_eq!((tally.count("name"), tally.count("a_and_b")), (3, 3));
}

/// A person's file: the number is checked, and then hidden.
struct File;

#[workflow(open)]
impl File {
    #[input]
    fn ssn(&self) -> String;

    #[input]
    fn first(&self) -> String;

    #[input(optional, history = 5)]
    fn last(&self) -> Option<String>;

    #[input(optional)]
    fn name(&self) -> String;

    #[step]
    async fn check(&self, ssn: &str) -> Result<bool> {
        Ok(ssn.len() == 9)
    }

    #[step(sets(silently(ssn)))]
    async fn hide(&self, ssn: &str, check: bool) -> Result<String> {
        Ok(if check { format!("***{}", &ssn[6..]) } else { "?".to_owned() })
    }

    #[step(sets(first, last), on_failure = skip)]
    async fn split(&self, name: &str) -> Result<(String, Option<String>)> {
        let mut words = name.split(' ').map(str::to_owned);
        Ok((words.next().ok_or_else(|| Error::permanent("no name"))?, words.next()))
    }

    #[step]
    async fn greet(&self, first: &str, last: Option<&Option<String>>) -> Result<String> {
        Ok(format!("{first} {last:?}"))
    }
}

#[tokio::test]
async fn scenario_10_a_step_sets_several_inputs_under_one_revision_and_one_silently() {
    let database = support::database().await;
    let durable = database.builder().register(File).start().await.unwrap();
    let id = durable.start::<File>(FileInputs { ssn: Some("123456789".to_owned()), ..FileInputs::default() }).await.unwrap().id();
    let file = Seen { durable, id };
    file.comes_to("ssn", "***789").await;
    assert_eq!(file.revision("ssn").await, 1, "it is no change");
    let checked = file.durable.value::<bool>(id, "check").await.unwrap().unwrap();
    assert!(checked.value);
    file.set(&[("name", "Ada Lovelace")]).await;
    file.comes_to("first", "Ada").await;
    let greet = "select 1 from durable.execution_values where name = 'greet' and value::text like '%Lovelace%'";
    database.eventually_value::<i32>(greet).await;
    let first = file.revision("first").await;
    assert_eq!(file.revision("last").await, first);
    file.set(&[("name", "Eve Lovelace")]).await;
    file.comes_to("first", "Eve").await;
    assert!(file.revision("first").await > first);
    assert_eq!(file.revision("last").await, first, "an equal value keeps its revision");
    let runs = "select count(*) from durable.checkpoints where key like 'step greet%'";
    support::eventually("each change greets once", async || database.count(runs).await == 2).await;
    let history = soon("it is read", file.durable.history::<Option<String>>(id, "last")).await.unwrap();
    assert_eq!(history.len(), 1);
}
