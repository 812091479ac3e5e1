//! A worker killed at every write of a diamond whose input changes: the values are those of the last change, and no node sees two
//! revisions at once.

use std::time::Duration;

use durable::__macro::graph::{Edge, Graph, Node, NodeKind, NodeSpec, Policy};
use durable::__macro::{BoxFuture, StepSpec};
use durable::Workflow;
use durable::prelude::*;
use futures_util::StreamExt;

use super::spelled::{Bodies, Inputs, Spelled, edge, graph, input, inputs, node, run, spell, step};
use crate::support::crash::{self, CRASHES_AT_ONCE, every_write, killed_in};
use crate::support::process::{Effects, Folder};
use crate::support::proxy::{Fate, Moment, Trap};
use crate::support::{self, Database};

const KEY: &str = "diamond-1";

const fn needs(node: usize) -> Edge {
    edge(node, Policy::Needs)
}

graph! {
    Diamond, "diamond", open: false, output: String,
    [input("a"), step!("b", [needs(0)]), step!("c", [needs(0)]), step!("d", [needs(1), needs(2)], node { is_output: true }), input("go")]
}

fn builder(url: &str, effects: Effects) -> durable::Builder {
    let bodies = Bodies::at_once(move |node, taken| {
        let spelled = spell(node, taken);
        effects.add(&spelled);
        Ok(spelled)
    });
    Durable::builder().database_url(url).max_connections(4).poll_interval(Duration::from_millis(200)).register(Diamond(bodies))
}

/// The worker process that is killed: it starts the diamond itself, works on it, and changes its input.
pub(crate) async fn work(url: &str, folder: &Folder) {
    let durable = builder(url, folder.effects()).start().await.unwrap();
    let id = durable.start::<Diamond>(inputs(&[("a", "old")])).key(KEY).await.unwrap().id();
    change(&durable, id).await;
    std::future::pending().await
}

/// Changes the input twice, and lets the diamond complete. Changes that an earlier worker has sent do no harm.
async fn change(durable: &Durable, id: ExecutionId) {
    for (name, value) in [("a", "between"), ("a", "new"), ("go", "go")] {
        match durable.set_inputs(id).set(name, value).await {
            Ok(()) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::Finished, "{error}"),
        }
    }
}

async fn finish_and_check(what: &str, database: &Database, folder: &Folder) {
    let client = database.client().await;
    let id = client.start::<Diamond>(inputs(&[("a", "old")])).key(KEY).await.unwrap().id();
    change(&client, id).await;
    let input = (inputs(&[("a", "old")]), KEY);
    let output = crash::finish::<Diamond>(what, database, builder(&database.url, folder.effects()), input).await;
    assert_eq!(output.unwrap(), "d(b(new) c(new))", "{what}");
    let values = "select concat_ws(' ', name, state, value) from durable.execution_values order by name";
    let values: Vec<String> = database.values(values).await;
    let expected =
        ["a ready \"new\"", "b ready \"b(new)\"", "c ready \"c(new)\"", "d ready \"d(b(new) c(new))\"", "go ready \"go\""];
    assert_eq!(values, expected, "{what}");
    for effect in folder.effects().all() {
        let revisions = ["old", "between", "new"].iter().filter(|revision| effect.contains(*revision)).count();
        assert_eq!(revisions, 1, "{what}: `{effect}` is of several revisions");
    }
}

#[tokio::test]
async fn a_diamond_comes_to_the_values_of_the_last_change_whenever_its_worker_is_killed() {
    let (database, folder) = (support::database().await, Folder::new());
    let (killed, writes) = killed_in("diamond", &database, &folder, None).await;
    assert!(killed.is_none());
    finish_and_check("that never came", &database, &folder).await;

    let points = every_write(&writes);
    let crashes = futures_util::stream::iter(points.clone()).map(async |(statement, nth, moment): (&str, usize, Moment)| {
        let what = format!("{moment:?} {statement} {nth}").to_lowercase();
        let (database, folder) = (support::database().await, Folder::new());
        let trap = Trap { statements: vec![statement.to_owned()], nth, moment, fate: Fate::Held };
        let (killed, _) = killed_in("diamond", &database, &folder, Some(trap)).await;
        finish_and_check(&what, &database, &folder).await;
        killed.is_some()
    });
    let caught: Vec<bool> = crashes.buffer_unordered(CRASHES_AT_ONCE).collect().await;
    let caught = caught.into_iter().filter(|caught| *caught).count();
    assert!(caught >= points.len() / 2, "only {caught} of {} points were reached", points.len());
}
