//! Changes of inputs: many at once, while nodes run, in transactions, from SQL, and those that are refused.

use std::collections::BTreeSet;

use durable::__macro::graph::{Edge, Graph, Node, NodeKind, NodeSpec, Policy};
use durable::__macro::{BoxFuture, StepSpec};
use durable::Workflow;
use durable::prelude::*;
use durable::sqlx::Connection as _;

use super::spelled::{Bodies, Inputs, Seen, Spelled, edge, graph, input, inputs, node, optional, run, spell, step};
use crate::support::bodies::{Gate, Tally};
use crate::support::{self, eventually, soon};

const fn needs(node: usize) -> Edge {
    edge(node, Policy::Needs)
}

graph! {
    Echo, "echo", open: true, output: durable::Json,
    [input("x"), optional("note"), step!("echo", [needs(0), edge(1, Policy::Settled)])]
}

#[tokio::test]
async fn every_change_of_64_setters_at_once_is_applied_once_and_in_order() {
    let database = support::database().await;
    let graph = Seen::start(&database, Echo(Bodies::that_spell()), &[("x", "start")]).await;
    graph.comes_to("echo", "echo(start _)").await;
    let setters = (0..64).map(|nth: u32| {
        let (durable, id) = (graph.durable.clone(), graph.id);
        tokio::spawn(async move { durable.set_inputs(id).set("x", &nth.to_string()).await })
    });
    for setter in setters.collect::<Vec<_>>() {
        soon("a setter is answered", setter).await.unwrap().unwrap();
    }
    let applied = "select count(*) from durable.checkpoints where key like 'set graph inputs#%'";
    eventually("all changes are applied", async || database.count(applied).await == 64).await;
    let last = "select payload -> 'set' ->> 'x' from durable.waits where payload is not null order by arrival desc limit 1";
    let last: String = database.value(last).await;
    graph.comes_to("x echo", &format!("{last} echo({last} _)")).await;
    // The start has the first revision, the first echo the second, and each change and each echo that ended one of its own.
    assert!(graph.revision("x").await >= 66);
}

#[tokio::test]
async fn a_change_while_a_node_runs_drops_the_run_and_its_late_result() {
    let (database, gate, tally) = (support::database().await, Gate::closed(), Tally::default());
    let (pass, count) = (gate.clone(), tally.clone());
    let bodies = Bodies::new(move |node, taken| {
        let (pass, count) = (pass.clone(), count.clone());
        Box::pin(async move {
            if taken[0] == "old" {
                pass.pass().await;
            }
            count.add(spell(node, &taken));
            Ok(spell(node, &taken))
        })
    });
    let graph = Seen::start(&database, Echo(bodies), &[("x", "old")]).await;
    soon("the node runs", gate.until_inside(1)).await;
    graph.set(&[("x", "new")]).await;
    graph.comes_to("echo", "echo(new _)").await;
    gate.let_pass(1);
    graph.set(&[("note", "more")]).await;
    graph.comes_to("echo", "echo(new more)").await;
    assert_eq!(tally.labels(), ["echo(new _)", "echo(new more)"]);
    let cut_off = "select count(*) from durable.checkpoints where key = 'step echo' and error ->> 'kind' = 'cancelled'";
    assert_eq!(database.count(cut_off).await, 1, "the run that was superseded is recorded as cut off");
}

#[tokio::test]
async fn a_change_in_a_transaction_counts_if_it_commits() {
    let database = support::database().await;
    let graph = Seen::start(&database, Echo(Bodies::that_spell()), &[("x", "1")]).await;
    graph.comes_to("echo", "echo(1 _)").await;
    let mut connection = database.pool().acquire().await.unwrap();
    let mut undone = connection.begin().await.unwrap();
    graph.durable.set_inputs(graph.id).set("x", "2").within(&mut undone).await.unwrap();
    undone.rollback().await.unwrap();
    let mut done = connection.begin().await.unwrap();
    graph.durable.set_inputs(graph.id).set("note", "3").metadata("by hand").within(&mut done).await.unwrap();
    done.commit().await.unwrap();
    graph.comes_to("echo", "echo(1 3)").await;
    let note = graph.durable.value::<String>(graph.id, "note").await.unwrap().unwrap();
    assert_eq!(note.metadata.unwrap().as_str(), "\"by hand\"");
}

#[tokio::test]
async fn inputs_are_set_from_sql_and_by_provide_input() {
    let database = support::database().await;
    let graph = Seen::start(&database, Echo(Bodies::that_spell()), &[]).await;
    graph.durable.provide_input(graph.id, "x", "1").by("ada").await.unwrap();
    graph.comes_to("echo", "echo(1 _)").await;
    let set = |arguments: &str| format!("select outcome from durable.set_inputs('{}', {arguments})", graph.id);
    let _: String = database.value(&set(r#"'{"x": "2", "note": "n"}'"#)).await;
    graph.comes_to("echo", "echo(2 n)").await;
    let _: String = database.value(&set("unset => array['note']")).await;
    graph.comes_to("echo", "echo(2 _)").await;
    for wrong in ["'[1]'", "null", r#"'{"x": "1"}', array['x']"#, r#"'{"x": "1"}', metadata => '{"y": 1}'"#] {
        assert!(
            sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(set(wrong))).fetch_one(database.pool()).await.is_err(),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn a_change_that_does_not_fit_is_refused_at_the_door() {
    let database = support::database().await;
    let graph = Seen::start(&database, Echo(Bodies::that_spell()), &[("x", "1")]).await;
    let unknown = graph.durable.set_inputs(graph.id).set("nota", "1").await.unwrap_err();
    assert!(unknown.to_string().contains("(did you mean `note`?); its inputs are x, note"), "{unknown}");
    let mistyped = graph.durable.set_inputs(graph.id).set("x", &7).await.unwrap_err();
    assert!(mistyped.kind() == ErrorKind::Payload && mistyped.to_string().contains("the input `x` does not fit"), "{mistyped}");
    let twice = graph.durable.set_inputs(graph.id).set("x", "1").unset("x").await.unwrap_err();
    assert!(twice.to_string().contains("sets and unsets"), "{twice}");
    let nobody = graph.durable.set_inputs(uuid::Uuid::now_v7().into()).set("x", "1").await.unwrap_err();
    assert_eq!(nobody.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_change_that_does_not_fit_is_refused_by_the_worker_visibly_and_the_next_one_is_applied() {
    let database = support::database().await;
    let graph = Seen::start(&database, Echo(Bodies::that_spell()), &[("x", "1")]).await;
    graph.comes_to("echo", "echo(1 _)").await;
    // A client elsewhere does not know the graph, and neither does the database.
    let client = database.client().await;
    database.run("delete from durable.workflow_graphs").await;
    client.set_inputs(graph.id).set("z", "1").await.unwrap();
    client.set_inputs(graph.id).set("x", &7).await.unwrap();
    client.set_inputs(graph.id).set("x", "2").await.unwrap();
    graph.comes_to("echo", "echo(2 _)").await;
    let refused: Vec<String> = database.values("select reason from durable.refusals order by refused_at").await;
    assert!(refused[0].contains("there is no input `z`") && refused[1].contains("the input `x` does not fit"), "{refused:?}");
    let at_rest = "select count(*) from durable.executions where state = 'waiting'";
    eventually("it gives its slot back", async || database.count(at_rest).await == 1).await;
}

#[tokio::test]
async fn a_graph_that_has_refused_a_change_rests_until_the_next_one() {
    let database = support::database().await;
    let graph = Seen::start(&database, Echo(Bodies::that_spell()), &[("x", "1")]).await;
    graph.comes_to("echo", "echo(1 _)").await;
    // A client without the code knows the names of the inputs, and not their types.
    database.client().await.set_inputs(graph.id).set("x", &7).await.unwrap();
    eventually("it is refused", async || database.count("select count(*) from durable.refusals").await == 1).await;
    let at_rest = "select count(*) from durable.executions where state = 'waiting'";
    eventually("it gives its slot back", async || database.count(at_rest).await == 1).await;
    graph.set(&[("x", "2")]).await;
    graph.comes_to("echo", "echo(2 _)").await;
}

graph! {
    Closed, "closed", open: false, output: String,
    [input("x"), input("y"), step!("both", [needs(0), needs(1)], node { is_output: true })]
}

#[tokio::test]
async fn a_closed_graph_waits_for_its_inputs_and_keeps_those_that_came_before_it_began() {
    let database = support::database().await;
    let client = database.client().await;
    let id = client.start::<Closed>(inputs(&[("x", "1")])).await.unwrap().id();
    client.set_inputs(id).set("x", "2").await.unwrap();
    let worker = database.builder().register(Closed(Bodies::that_spell())).start().await.unwrap();
    database.eventually_value::<i32>("select 1 from durable.executions where state = 'waiting'").await;
    assert!(worker.complete(id).await.unwrap_err().to_string().contains("not open"));
    worker.set_inputs(id).set("y", "3").await.unwrap();
    assert_eq!(soon("it ends", worker.handle::<Closed>(id).result()).await.unwrap(), "both(2 3)");
}

/// Sends a few changes, and says which of them were accepted.
async fn set_some(durable: Durable, id: ExecutionId, setter: u32) -> BTreeSet<String> {
    let mut accepted = BTreeSet::new();
    for nth in 0..4 {
        let value = format!("{setter}.{nth}");
        match durable.set_inputs(id).set("y", &value).await {
            Ok(()) => drop(accepted.insert(value)),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Finished, "{error}");
                break;
            }
        }
    }
    accepted
}

#[tokio::test]
async fn no_change_that_was_accepted_is_lost_when_the_graph_completes_at_the_same_time() {
    let database = support::database().await;
    let worker = database.builder().register(Closed(Bodies::that_spell())).start().await.unwrap();
    for _ in 0..20 {
        let id = worker.start::<Closed>(inputs(&[("x", "1")])).await.unwrap().id();
        let setters: Vec<_> = (0..4).map(|setter| tokio::spawn(set_some(worker.clone(), id, setter))).collect();
        let mut accepted = BTreeSet::new();
        for setter in setters {
            accepted.append(&mut soon("a setter is done", setter).await.unwrap());
        }
        let output = soon("it ends", worker.handle::<Closed>(id).result()).await.unwrap();
        let applied = format!(
            "select payload -> 'set' ->> 'y' from durable.waits where execution_id = '{id}' and outcome = 'received' order by arrival"
        );
        let applied: Vec<String> = database.values(&applied).await;
        assert_eq!(applied.iter().cloned().collect::<BTreeSet<_>>(), accepted, "accepted and applied");
        assert_eq!(output, format!("both(1 {})", applied.last().unwrap()));
    }
}

#[tokio::test]
async fn a_thousand_open_executions_with_nothing_to_do_wait_without_a_timer() {
    let database = support::database().await;
    let builder = database.builder().register(Echo(Bodies::that_spell())).poll_interval(std::time::Duration::from_secs(3600));
    let worker = builder.start().await.unwrap();
    worker.start_many::<Echo>((0..1000).map(|nth: u32| inputs(&[("x", &nth.to_string())]))).await.unwrap();
    let parked = "select count(*) from durable.executions where state = 'waiting'";
    eventually("all wait", async || database.count(parked).await == 1000).await;
    let held = "select count(*) from durable.executions where state = 'running'";
    assert_eq!(database.count(held).await, 0);
    let due = "select count(*) from durable.executions where wake_at is not null";
    assert_eq!(database.count(due).await, 0, "no timer looks after them");
}

#[tokio::test]
async fn an_open_graph_with_a_long_journal_continues_as_new_and_nothing_of_it_is_different() {
    let database = support::database().await;
    let graph = Seen::start(&database, Echo(Bodies::that_spell()), &[("x", "start"), ("note", "kept")]).await;
    graph.comes_to("echo", "echo(start kept)").await;
    for hundred in 0..6 {
        let setters = (0..100).map(|nth: u32| {
            let (durable, id) = (graph.durable.clone(), graph.id);
            tokio::spawn(async move { durable.set_inputs(id).set("x", &format!("{hundred}.{nth}")).await })
        });
        for setter in setters.collect::<Vec<_>>() {
            soon("a setter is answered", setter).await.unwrap().unwrap();
        }
    }
    let continued = "select count(*) from durable.executions where continuations > 0";
    eventually("it has continued as new", async || database.count(continued).await == 1).await;
    let revision = graph.revision("x").await;
    graph.set(&[("x", "last")]).await;
    graph.comes_to("note echo", "kept echo(last kept)").await;
    assert!(graph.revision("x").await > revision, "the revisions go on");
}

#[tokio::test]
async fn what_a_claim_finds_in_the_journal_is_counted_once() {
    let database = support::database().await;
    let graph = Seen::start(&database, Echo(Bodies::that_spell()), &[]).await;
    for hundred in 0..4 {
        let setters = (0..100).map(|nth: u32| {
            let (durable, id) = (graph.durable.clone(), graph.id);
            tokio::spawn(async move { durable.set_inputs(id).set("note", &format!("{hundred}.{nth}")).await })
        });
        for setter in setters.collect::<Vec<_>>() {
            soon("a setter is answered", setter).await.unwrap().unwrap();
        }
    }
    let entries = "select (select count(*) from durable.checkpoints) + (select count(*) from durable.waits)";
    let parked = "select count(*) from durable.executions where state = 'waiting'";
    eventually("all are applied", async || database.count(entries).await > 800 && database.count(parked).await == 1).await;
    graph.durable.shutdown().await.unwrap();
    let durable = database.builder().register(Echo(Bodies::that_spell())).start().await.unwrap();
    let graph = Seen { durable, id: graph.id };
    graph.set(&[("x", "1"), ("note", "last")]).await;
    graph.comes_to("echo", "echo(1 last)").await;
    eventually("it waits", async || database.count(parked).await == 1).await;
    let continued = "select count(*) from durable.executions where continuations > 0";
    assert_eq!(database.count(continued).await, 0, "it has under a thousand entries");
}
