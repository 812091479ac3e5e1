//! The door of a graph: inputs of a start and changes that do not fit are refused where the graph is known, and otherwise by the worker.

use durable::__macro::graph::{Edge, Graph, Node, NodeKind, NodeSpec, Policy};
use durable::__macro::{BoxFuture, StepSpec};
use durable::prelude::*;
use durable::{Delivery, Workflow};

use super::spelled::{Bodies, Inputs, Seen, Spelled, edge, graph, input, inputs, node, run, step};
use crate::support::{self, soon};

const fn needs(node: usize) -> Edge {
    edge(node, Policy::Needs)
}

/// An input with a JSON Schema that its type does not know of.
const SHORT: Node<Named> = Node {
    spec: NodeSpec { was: &["nickname"], ..node("name", NodeKind::Input { optional: false }, &[]) },
    schema: Some(|| serde_json::json!({"type": "string", "maxLength": 5})),
    ..input("name")
};

graph! {
    Named, "named", open: true, output: durable::Json,
    [SHORT, input("town"), step!("greet", [needs(0)])]
}

struct Flow;

#[workflow(name = "no_graph")]
impl Flow {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.wait_for_event("never").await
    }
}

const UNKNOWN: &str = "there is no input `nam` (did you mean `name`?); its inputs are name, town";

#[tokio::test]
async fn a_start_with_inputs_that_do_not_fit_is_refused_where_the_code_is_known() {
    let database = support::database().await;
    let worker = database.builder().register(Named(Bodies::that_spell())).start().await.unwrap();
    let start = async |values: &[(&str, &str)]| worker.start::<Named>(inputs(values)).await.unwrap_err().to_string();
    assert!(start(&[("nam", "Ada")]).await.contains(UNKNOWN));
    assert!(start(&[("greet", "hello")]).await.contains("`greet` is computed"));
    let long = start(&[("name", "Augusta")]).await;
    assert!(long.contains("graph `named` is not started: the input `name` does not fit"), "{long}");
    let twice = start(&[("name", "Ada"), ("nickname", "Ada")]).await;
    assert!(twice.contains("`name` and `nickname` are names of one input, which is called `name` now"), "{twice}");
    let by_name = worker.start_by_name("named", &inputs(&[("nam", "Ada")])).await.unwrap_err();
    assert!(by_name.kind() == ErrorKind::Invalid && by_name.to_string().contains(UNKNOWN), "{by_name}");
    let in_sql = "select durable.start('named', '{\"nam\": \"Ada\"}')";
    let in_sql = sqlx::query(in_sql).execute(database.pool()).await.unwrap_err().to_string();
    assert!(in_sql.contains("workflow `named` is not started: there is no input `nam`; its inputs are name, town"), "{in_sql}");
    assert_eq!(database.count("select count(*) from durable.executions").await, 0);

    let old = worker.start::<Named>(inputs(&[("nickname", "Ada")])).await.unwrap();
    Seen { durable: worker.clone(), id: old.id() }.comes_to("name greet", "Ada greet(Ada)").await;
}

#[tokio::test]
async fn a_start_with_inputs_that_do_not_fit_fails_where_only_the_worker_knows_the_code() {
    let database = support::database().await;
    let client = database.client().await;
    let mut started = Vec::new();
    for wrong in [&[("nam", "Ada")][..], &[("name", "Augusta")], &[("name", "Ada"), ("nickname", "Ada")]] {
        started.push(client.start_by_name("named", &inputs(wrong)).await.unwrap());
    }
    let worker = database.builder().register(Named(Bodies::that_spell())).start().await.unwrap();
    for (id, expected) in started.into_iter().zip([UNKNOWN, "the input `name` does not fit", "are names of one input"]) {
        let failed = soon("it fails", worker.handle::<Named>(id).result()).await.unwrap_err().to_string();
        assert!(
            failed.contains("the execution was started with inputs that do not fit") && failed.contains(expected),
            "{failed}"
        );
    }
}

#[tokio::test]
async fn a_client_without_the_code_knows_the_names_of_the_inputs() {
    let database = support::database().await;
    let graph = Seen::start(&database, Named(Bodies::that_spell()), &[("name", "Ada")]).await;
    graph.comes_to("greet", "greet(Ada)").await;
    let client = database.client().await;
    let refused = async |name: &str| client.set_inputs(graph.id).set(name, "Bob").await.unwrap_err().to_string();
    assert!(refused("nam").await.contains("there is no input `nam`; its inputs are name, town"));
    assert!(refused("greet").await.contains("`greet` is computed, and only inputs can be set and unset"));
    let unset = client.set_inputs(graph.id).unset("greet").await.unwrap_err();
    assert!(unset.kind() == ErrorKind::Payload && unset.to_string().contains("its inputs are name, town"), "{unset}");
    client.set_inputs(graph.id).set("nickname", "Bob").await.unwrap();
    graph.comes_to("greet", "greet(Bob)").await;

    for (sql, problem) in [
        ("durable.set_inputs('{}', '{\"nam\": 1}')", "there is no input `nam`"),
        ("durable.set_inputs('{}', unset => array['greet'])", "`greet` is computed"),
        ("durable.provide_input('{}', 'greet', '1')", "`greet` is computed"),
    ] {
        let sql = format!("select {}", sql.replace("{}", &graph.id.to_string()));
        let error = sqlx::query(sqlx::AssertSqlSafe(sql)).execute(database.pool()).await.unwrap_err().to_string();
        assert!(error.contains(problem) && error.contains("its inputs are name, town"), "{error}");
    }
    let given = client.provide_input(graph.id, "name", "Eve").by("eve").await.unwrap();
    assert!(!matches!(given, Delivery::Repeated), "{given:?}");
    graph.comes_to("greet", "greet(Eve)").await;
}

#[tokio::test]
async fn inputs_of_a_flow_cannot_be_set_by_a_client_without_its_code() {
    let database = support::database().await;
    let worker = database.builder().register(Flow).start().await.unwrap();
    let id = worker.start::<Flow>(()).await.unwrap().id();
    let refused = database.client().await.set_inputs(id).set("name", "Ada").await.unwrap_err();
    assert!(refused.to_string().contains("its workflow `no_graph` is not a graph"), "{refused}");
}

#[tokio::test]
async fn an_answer_to_a_graph_says_whether_the_graph_applies_it_now() {
    let database = support::database().await;
    let client = database.client().await;
    let id = client.start::<Named>(inputs(&[])).await.unwrap().id();
    let worker = database.builder().register(Named(Bodies::that_spell())).queue("elsewhere", 1).start().await.unwrap();
    let kept = worker.provide_input(id, "name", "Ada").await.unwrap();
    assert_eq!(kept, Delivery::Accepted, "it has not begun");
    let graph = Seen { durable: database.builder().register(Named(Bodies::that_spell())).start().await.unwrap(), id };
    graph.comes_to("greet", "greet(Ada)").await;
    database.eventually_value::<i32>("select 1 from durable.executions where state = 'waiting'").await;
    assert_eq!(worker.provide_input(id, "name", "Bob").await.unwrap(), Delivery::Delivered);
    graph.comes_to("greet", "greet(Bob)").await;
}
