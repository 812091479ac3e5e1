//! Graphs that fail: they undo the steps that they have completed, and a retry goes on from the failure.

use durable::__macro::graph::{Edge, Graph, Node, NodeKind, NodeSpec, Policy};
use durable::__macro::{BoxFuture, Compensation, CompensationSpec, Recorded, StepSpec, undone};
use durable::Workflow;
use durable::prelude::*;

use super::spelled::{Bodies, Inputs, Seen, Spelled, edge, graph, input, node, run, spell, step};
use crate::support;

const fn needs(node: usize) -> Edge {
    edge(node, Policy::Needs)
}

/// What the expansion of a compensation does: it spells what it undoes.
macro_rules! undo {
    ($step:literal) => {
        Compensation {
            step: $step,
            spec: &CompensationSpec { name: concat!("undo ", $step), retry: None, timeout: None },
            undo_on_failure: false,
            call: |graph: &Booking, _, recorded| graph.undo($step, recorded),
        }
    };
}

graph! {
    Booking, "booking", open: true, output: durable::Json,
    undo: [undo!("flight"), undo!("hotel")],
    [input("trip"),
     step!("flight", [needs(0)], step { compensation: Some("undo flight") }),
     step!("hotel", [needs(1)], step { compensation: Some("undo hotel") }),
     step!("taxi", [needs(2)])]
}

impl Booking {
    fn undo(&self, step: &'static str, _: Recorded) -> BoxFuture<'_, Result<durable::__macro::Undone>> {
        let undo = self.bodies().call(step, vec!["undo".to_owned()]);
        Box::pin(async move { undone::<Result<()>>(undo.await.map(drop)) })
    }
}

#[tokio::test]
async fn a_graph_that_fails_undoes_its_completed_steps_in_reverse_order_also_those_of_an_earlier_revision() {
    let (database, log) = (support::database().await, std::sync::Arc::new(std::sync::Mutex::new(Vec::new())));
    let said = log.clone();
    let bodies = Bodies::at_once(move |node, taken| {
        let spelled = spell(node, taken);
        said.lock().unwrap().push(spelled.clone());
        if spelled.contains("bad") && node == "taxi" { Err(Error::permanent("no taxi")) } else { Ok(spelled) }
    });
    let graph = Seen::start(&database, Booking(bodies), &[("trip", "good")]).await;
    graph.comes_to("taxi", "taxi(hotel(flight(good)))").await;
    graph.set(&[("trip", "bad")]).await;
    let failed = graph.result::<Booking>().await.unwrap_err();
    assert!(failed.to_string().contains("no taxi"), "{failed}");
    let undone: Vec<String> = log.lock().unwrap().iter().filter(|said| said.contains("undo")).cloned().collect();
    assert_eq!(undone, ["hotel(undo)", "flight(undo)", "hotel(undo)", "flight(undo)"]);
    assert_eq!(graph.durable.get_execution(graph.id).await.unwrap().execution.state, ExecutionState::Compensated);
}

graph! {
    Trip, "trip", open: false, output: String,
    [input("x"), step!("a", [needs(0)]), step!("b", [needs(1)]), step!("c", [needs(2)], node { is_output: true })]
}

#[tokio::test]
async fn a_retry_goes_on_from_the_node_that_failed_and_keeps_the_values_of_the_others() {
    let (database, tally) = (support::database().await, crate::support::bodies::Tally::default());
    let count = tally.clone();
    let bodies = Bodies::at_once(move |node, taken| {
        let is_first = count.add(node) == 1;
        if node == "b" && is_first { Err(Error::permanent("not yet")) } else { Ok(spell(node, taken)) }
    });
    let trip = Seen::start(&database, Trip(bodies), &[]).await;
    trip.set(&[("x", "1")]).await;
    let failed = trip.result::<Trip>().await.unwrap_err();
    assert!(failed.to_string().contains("not yet"), "{failed}");
    let retried = trip.durable.retry(trip.id).await.unwrap();
    let output = support::soon("the retry ends", trip.durable.handle::<Trip>(retried).result()).await.unwrap();
    assert_eq!(output, "c(b(a(1)))");
    assert_eq!((tally.count("a"), tally.count("b"), tally.count("c")), (1, 2, 1));
}
