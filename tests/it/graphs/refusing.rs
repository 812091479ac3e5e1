//! What a graph refuses: forks, edits, changes during a rollback and after its last message, and an end without its output.

use std::sync::{Arc, Mutex};

use durable::__macro::graph::{Edge, Graph, Node, NodeKind, NodeSpec, Policy};
use durable::__macro::{BoxFuture, Compensation, CompensationSpec, Recorded, StepSpec, undone};
use durable::Workflow;
use durable::prelude::*;
use durable::sqlx::Connection as _;

use super::spelled::{Bodies, Inputs, Seen, Spelled, edge, graph, input, inputs, node, run, spell, step};
use crate::support::bodies::Gate;
use crate::support::{self, soon};

const fn needs(node: usize) -> Edge {
    edge(node, Policy::Needs)
}

const UNDO: Compensation<Order> = Compensation {
    step: "pay",
    spec: &CompensationSpec { name: "pay_back", retry: None, timeout: None },
    undo_on_failure: false,
    call: |graph: &Order, _, recorded| graph.undo(recorded),
};

graph! {
    Order, "order", open: false, output: String,
    undo: [UNDO],
    [input("order"),
     step!("pay", [needs(0)], step { compensation: Some("pay_back") }),
     step!("ship", [needs(1)], node { is_output: true })]
}

impl Order {
    fn undo(&self, _: Recorded) -> BoxFuture<'_, Result<durable::__macro::Undone>> {
        let undo = self.bodies().call("pay_back", Vec::new());
        Box::pin(async move { undone::<Result<()>>(undo.await.map(drop)) })
    }
}

#[tokio::test]
async fn a_graph_cannot_be_forked_and_its_retry_takes_no_edits() {
    let database = support::database().await;
    let bodies =
        Bodies::at_once(|node, taken| if node == "pay" { Err(Error::permanent("no money")) } else { Ok(spell(node, taken)) });
    let order = Seen::start(&database, Order(bodies), &[("order", "1")]).await;
    order.result::<Order>().await.unwrap_err();
    let forked = order.durable.fork(order.id, "pay").await.unwrap_err();
    assert!(forked.to_string().contains("is of a graph, which cannot be forked"), "{forked}");
    let edited = order.durable.retry(order.id).output("pay", "paid").reason("by hand").await.unwrap_err();
    assert!(edited.to_string().contains("is of a graph, whose retry takes no edits"), "{edited}");
}

#[tokio::test]
async fn a_change_during_a_rollback_comes_too_late() {
    let (database, gate) = (support::database().await, Gate::closed());
    let pass = gate.clone();
    let bodies = Bodies::new(move |node, taken| {
        let pass = pass.clone();
        Box::pin(async move {
            match node {
                "pay_back" => pass.pass().await,
                "ship" => return Err(Error::permanent("no lorry")),
                _ => {}
            }
            Ok(spell(node, &taken))
        })
    });
    let order = Seen::start(&database, Order(bodies), &[("order", "1")]).await;
    soon("it is undone", gate.until_inside(1)).await;
    let late = order.durable.set_inputs(order.id).set("order", "2").await.unwrap_err();
    assert!(
        late.kind() == ErrorKind::Finished && late.to_string().contains("is rolled back: the change came too late"),
        "{late}"
    );
    gate.let_pass(1);
    order.result::<Order>().await.unwrap_err();
}

graph! {
    Closing, "closing", open: false, output: durable::Json,
    [input("x"), step!("a", [needs(0)])]
}

#[tokio::test]
async fn the_last_look_for_messages_takes_every_one_that_was_accepted_before_it() {
    let (database, gate) = (support::database().await, Gate::closed());
    let pass = gate.clone();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let said = seen.clone();
    let bodies = Bodies::new(move |node, taken| {
        let (pass, said) = (pass.clone(), said.clone());
        Box::pin(async move {
            pass.pass().await;
            said.lock().unwrap().push(taken[0].clone());
            Ok(spell(node, &taken))
        })
    });
    let graph = Seen::start(&database, Closing(bodies), &[("x", "1")]).await;
    soon("the step runs", gate.until_inside(1)).await;
    // The sender holds the lock of the mailbox until it commits. The graph closes meanwhile, and its look waits for the sender.
    let mut connection = database.pool().acquire().await.unwrap();
    let mut sender = connection.begin().await.unwrap();
    graph.durable.set_inputs(graph.id).set("x", "2").within(&mut sender).await.unwrap();
    gate.let_pass(2);
    let busy = "select count(*) from durable.checkpoints where key = 'step a'";
    support::eventually("the first run is on record", async || database.count(busy).await == 1).await;
    sender.commit().await.unwrap();
    assert_eq!(graph.result::<Closing>().await.unwrap().as_str(), r#"{"a":"a(2)"}"#);
    assert_eq!(*seen.lock().unwrap(), ["1", "2"]);
}

graph! {
    Silent, "silent", open: false, output: String,
    [input("x"), step!("a", [needs(0)], node { is_output: true, when: &[needs(0)] }, when |taken| Ok(taken.needed::<String>(0, "x")? == "go"))]
}

#[tokio::test]
async fn a_graph_that_ends_without_its_output_says_what_to_do() {
    let database = support::database().await;
    let worker = database.builder().register(Silent(Bodies::that_spell())).start().await.unwrap();
    let silent = worker.start::<Silent>(inputs(&[("x", "stop")])).await.unwrap();
    let failed = soon("it ends", silent.result()).await.unwrap_err().to_string();
    assert!(failed.contains("workflow `silent` has ended without a value of its output: the step was skipped"), "{failed}");
}
