//! Observers: steps that take another node and tell the world of it, at least once for what stands, also after a crash.

use std::time::Duration;

use durable::__macro::graph::{Edge, Graph, Node, NodeKind, NodeSpec, OnFailure, Policy};
use durable::__macro::{BoxFuture, StepSpec};
use durable::Workflow;
use durable::prelude::*;
use futures_util::StreamExt;

use super::spelled::{Bodies, Inputs, Seen, Spelled, edge, graph, input, inputs, node, run, spell, step};
use crate::support::bodies::Tally;
use crate::support::crash::{self, CRASHES_AT_ONCE, every_write, killed_in};
use crate::support::process::{Effects, Folder};
use crate::support::proxy::{Fate, Moment, Trap};
use crate::support::{self, Database};

const KEY: &str = "observed-1";

const fn needs(node: usize) -> Edge {
    edge(node, Policy::Needs)
}

graph! {
    Observed, "observed", open: true, output: durable::Json,
    [input("x"),
     step!("a", [needs(0)], node { on_failure: OnFailure::Skip }, step { timeout: Some(Duration::from_millis(100)) }),
     step!("seen", [edge(1, Policy::SeesFailure)])]
}

#[tokio::test]
async fn an_observer_runs_once_for_each_change_failure_and_timeout_and_not_when_nothing_changes() {
    let (database, tally) = (support::database().await, Tally::default());
    let count = tally.clone();
    let bodies = Bodies::new(move |node, taken| {
        let count = count.clone();
        Box::pin(async move {
            if node == "seen" {
                count.add(taken[0].clone());
                return Ok(spell(node, &taken));
            }
            match taken[0].as_str() {
                "bad" => Err(Error::permanent("no luck")),
                "slow" => std::future::pending().await,
                value => Ok(value[..1].to_owned()),
            }
        })
    });
    let graph = Seen::start(&database, Observed(bodies), &[("x", "1")]).await;
    graph.comes_to("seen", "seen(1)").await;
    for (x, value) in [("1 again", "1"), ("bad", "1"), ("2", "2"), ("slow", "2"), ("3", "3")] {
        graph.set(&[("x", x)]).await;
        graph.comes_to("x a", &format!("{x} {value}")).await;
        let decided = "select 1 where (select (node ->> 'cause')::int from durable.execution_values where name = 'a')
            = (select revision from durable.execution_values where name = 'x')";
        database.eventually_value::<i32>(decided).await;
        let parked = "select 1 from durable.executions where state = 'waiting'";
        database.eventually_value::<i32>(parked).await;
    }
    assert_eq!(["1", "!", "2", "3"].map(|seen| tally.count(seen)), [1, 2, 1, 1], "{:?}", tally.all());
}

graph! {
    Told, "told", open: false, output: String,
    [input("x"), step!("a", [needs(0)]), step!("tell", [edge(1, Policy::SeesFailure)], node { is_output: true }), input("go")]
}

fn builder(url: &str, effects: Effects) -> durable::Builder {
    let bodies = Bodies::at_once(move |node, taken| {
        let spelled = spell(node, taken);
        if node == "tell" {
            effects.add(&spelled);
        }
        Ok(spelled)
    });
    Durable::builder().database_url(url).max_connections(4).poll_interval(Duration::from_millis(200)).register(Told(bodies))
}

/// The worker process that is killed: it starts the graph itself, works on it, and changes its input.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let durable = builder(url, folder.effects()).start().await.unwrap();
    let id = durable.start::<Told>(inputs(&[("x", "old")])).key(KEY).await.unwrap().id();
    change(&durable, id).await;
    std::future::pending().await
}

async fn change(durable: &Durable, id: ExecutionId) {
    for (name, value) in [("x", "new"), ("go", "go")] {
        match durable.set_inputs(id).set(name, value).await {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::Finished, "{error}"),
        }
    }
}

async fn finish_and_check(what: &str, database: &Database, folder: &Folder) {
    let client = database.client().await;
    let id = client.start::<Told>(inputs(&[("x", "old")])).key(KEY).await.unwrap().id();
    change(&client, id).await;
    let input = (inputs(&[("x", "old")]), KEY);
    let output = crash::finish::<Told>(what, database, builder(&database.url, folder.effects()), input).await;
    assert_eq!(output.unwrap(), "tell(a(new))", "{what}");
    let told = folder.effects().all();
    assert!(told.iter().any(|told| told == "tell(a(new))"), "{what}: the last value was not told: {told:?}");
}

#[tokio::test]
async fn what_stands_is_told_at_least_once_whenever_the_worker_is_killed() {
    let (database, folder) = (support::database().await, Folder::new());
    let (killed, writes) = killed_in("told", &database, &folder, None).await;
    assert!(killed.is_none());
    finish_and_check("that never came", &database, &folder).await;

    let points = every_write(&writes);
    let crashes = futures_util::stream::iter(points.clone()).map(async |(statement, nth, moment): (&str, usize, Moment)| {
        let what = format!("{moment:?} {statement} {nth}").to_lowercase();
        let (database, folder) = (support::database().await, Folder::new());
        let trap = Trap { statements: vec![statement.to_owned()], nth, moment, fate: Fate::Held };
        let (killed, _) = killed_in("told", &database, &folder, Some(trap)).await;
        finish_and_check(&what, &database, &folder).await;
        killed.is_some()
    });
    let caught: Vec<bool> = crashes.buffer_unordered(CRASHES_AT_ONCE).collect().await;
    let caught = caught.into_iter().filter(|caught| *caught).count();
    assert!(caught >= points.len() / 2, "only {caught} of {} points were reached", points.len());
}
