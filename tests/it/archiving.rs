//! Archived executions: lists leave them out, and everything else finds them.

use durable::__macro::graph::{Edge, Graph, Node, NodeKind, NodeSpec, Policy};
use durable::__macro::{BoxFuture, StepSpec};
use durable::Workflow;
use durable::prelude::*;

use crate::graphs::spelled::{Bodies, Inputs, Spelled, edge, graph, input, inputs, node, run, step};
use crate::support::{self, soon};

/// Waits for an event.
struct Parcel;

#[workflow(name = "parcel")]
impl Parcel {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        cx.wait_for_event("arrived").await
    }
}

#[tokio::test]
async fn an_archived_execution_is_left_out_of_lists_and_found_by_its_id() {
    let database = support::database().await;
    let durable = database.builder().register(Parcel).start().await.unwrap();
    let (kept, hidden) = (durable.start::<Parcel>(()).await.unwrap(), durable.start::<Parcel>(()).await.unwrap());
    let waiting = "select count(*) from durable.executions where state = 'waiting'";
    support::eventually("both wait", async || database.count(waiting).await == 2).await;
    let archived_at = durable.archive(hidden.id()).await.unwrap();
    assert_eq!(durable.archive(hidden.id()).await.unwrap(), archived_at, "archiving twice changes nothing");

    let ids = |page: durable::ExecutionPage| page.executions.iter().map(|execution| execution.id).collect::<Vec<_>>();
    let list = || durable.list_executions().workflow("parcel");
    assert_eq!(ids(list().await.unwrap()), [kept.id()]);
    assert_eq!(ids(list().only_archived().await.unwrap()), [hidden.id()]);
    assert_eq!(ids(list().include_archived().await.unwrap()).len(), 2);
    assert_eq!((list().count().await.unwrap(), list().include_archived().count().await.unwrap()), (1, 2));
    let analytics = list().analytics().await.unwrap();
    assert_eq!((analytics[0].executions, analytics[0].nodes[0].reached), (1, 1));
    assert_eq!(list().only_archived().analytics().await.unwrap()[0].executions, 1);
    assert_eq!(list().cancel_all("a test").count().await.unwrap(), 1, "what is done to a list leaves them out, too");
    assert_eq!(durable.get_execution(hidden.id()).await.unwrap().execution.archived_at, Some(archived_at));

    durable.send_event(hidden.id(), "arrived", "home").await.unwrap();
    assert_eq!(soon("it goes on", hidden.result()).await.unwrap(), "home");
    assert_eq!(ids(list().await.unwrap()), [kept.id()], "its end does not show it again");
    durable.unarchive(hidden.id()).await.unwrap();
    durable.unarchive(hidden.id()).await.unwrap();
    assert_eq!(list().count().await.unwrap(), 2);
    durable.archive(hidden.id()).await.unwrap();
    let in_sql = format!("select durable.unarchive('{}')", hidden.id());
    database.run(&in_sql).await;
    assert_eq!(list().count().await.unwrap(), 2);
}

#[tokio::test]
async fn what_has_not_begun_and_what_nobody_knows_is_not_archived() {
    let database = support::database().await;
    let client = database.client().await;
    let pending = client.start::<Parcel>(()).await.unwrap();
    let refused = client.archive(pending.id()).await.unwrap_err();
    assert!(refused.kind() == ErrorKind::Conflict && refused.to_string().contains("only what has ended or waits"), "{refused}");
    let unknown: ExecutionId = uuid::Uuid::now_v7().into();
    assert_eq!(client.archive(unknown).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(client.unarchive(unknown).await.unwrap_err().kind(), ErrorKind::NotFound);
}

graph! {
    Lead, "lead", open: true, output: durable::Json,
    [input("answer"),
     step!("forget", [edge(0, Policy::Needs)], node { ends: true, archives: true, when: &[edge(0, Policy::Needs)] },
         when |taken| Ok(taken.needed::<String>(0, "answer")? == "no"))]
}

#[tokio::test]
async fn a_node_with_archive_ends_the_execution_and_archives_it() {
    let database = support::database().await;
    let durable = database.builder().register(Lead(Bodies::that_spell())).start().await.unwrap();
    let lead = durable.start::<Lead>(inputs(&[("answer", "maybe")])).await.unwrap();
    database.eventually_value::<i32>("select 1 from durable.executions where state = 'waiting'").await;
    assert_eq!(durable.list_executions().workflow("lead").count().await.unwrap(), 1);
    durable.set_inputs(lead.id()).set("answer", "no").await.unwrap();
    soon("it ends", lead.result()).await.unwrap();
    assert_eq!(durable.list_executions().workflow("lead").count().await.unwrap(), 0);
    let details = durable.get_execution(lead.id()).await.unwrap();
    assert!(details.execution.archived_at.is_some());
    durable.unarchive(lead.id()).await.unwrap();
    assert_eq!(durable.list_executions().workflow("lead").count().await.unwrap(), 1);
}
