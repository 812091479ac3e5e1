//! A child is started once, whatever happens to its parent, or its call says why it is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use durable::prelude::*;
use durable::{Home, ParentPolicy, join};
use futures_util::StreamExt;

use crate::support::crash::{every_write, leases_run_out};
use crate::support::proxy::{Fate, Moment, Proxy, Trap};
use crate::support::{self, Database, PATIENCE, eventually, soon};

/// Counts how often it ran.
#[derive(Clone, Default)]
struct Count {
    runs: Arc<AtomicUsize>,
}

#[workflow]
impl Count {
    async fn run(&self, _cx: &Context, number: u32) -> Result<u32> {
        self.count(number).await
    }

    #[step]
    async fn count(&self, number: u32) -> Result<u32> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        Ok(number + 1)
    }
}

/// Starts children in every way, and says which.
struct Start;

#[workflow]
impl Start {
    async fn run(&self, cx: &Context, (): ()) -> Result<(u32, u32, ExecutionId)> {
        let (awaited, beside) = join!(cx.child::<Count>(1), cx.child::<Count>(2)).await?;
        let started = cx.start_child::<Count>(3).key("third").await?;
        self.note(started).await?;
        Ok((awaited, beside, started))
    }

    #[step]
    async fn note(&self, started: ExecutionId) -> Result<ExecutionId> {
        Ok(started)
    }
}

/// The writes by which children are started, run and heard of.
const WRITES: [&str; 6] = [
    "executions/start",
    "executions/claim",
    "executions/save",
    "executions/finish",
    "executions/park",
    "executions/notify_parents",
];

/// Crashes at once; each has a database and two engines, and the machine may be small.
const CRASHES_AT_ONCE: usize = 3;

async fn is_finished(database: &Database) -> bool {
    database.value("select exists (select from durable.executions where parent_id is null and finished_at is not null)").await
}

/// Runs an engine until it is caught in the trap or the parent has ended; gives its writes, and what it was caught at.
async fn abandoned_in(database: &Database, trap: Trap) -> (Option<String>, Vec<String>) {
    let proxy = Proxy::before(database).await;
    // Hardly ever an idle look for work, or which write is the nth were a matter of chance.
    let builder = database.builder().database_url(proxy.url()).poll_interval(minutes(1));
    let engine = builder.register(Start).register(Count::default()).start().await.unwrap();
    proxy.set(trap);
    let starts = engine.clone();
    let start = tokio::spawn(async move { starts.start::<Start>(()).key("start").await.map(|handle| handle.id()) });
    eventually("caught in the trap, or finished", async || proxy.has_caught() || is_finished(database).await).await;
    start.abort();
    drop(start.await);
    let caught = if proxy.has_caught() { Some(proxy.caught().await) } else { None };
    let mut writes = proxy.seen();
    writes.retain(|statement| WRITES.contains(&statement.as_str()));
    // Cut off first, then dropped: whatever it still wants to say is not heard.
    drop(proxy);
    drop(engine);
    (caught, writes)
}

async fn crash_at(statement: &str, nth: usize, moment: Moment) -> Option<String> {
    let database = support::database().await;
    let trap = Trap { statements: vec![statement.to_owned()], nth, moment, fate: Fate::Held };
    let (caught, _) = abandoned_in(&database, trap).await;
    let what = format!("{moment:?} {statement} {nth}");
    let started_before: Vec<uuid::Uuid> =
        database.values("select execution_id from durable.executions where key = 'third'").await;
    leases_run_out(&database).await;

    let second = database.builder().register(Start).register(Count::default()).start().await.unwrap();
    let handle = second.start::<Start>(()).key("start").await.unwrap();
    let (awaited, beside, started) = soon(&format!("ended after a crash {what}"), handle.result()).await.unwrap();

    assert_eq!((awaited, beside), (2, 3), "{what}");
    assert!(started_before.iter().all(|before| ExecutionId::from(*before) == started), "{what}");
    assert_eq!(second.handle::<Count>(started).result_within(PATIENCE).await.unwrap(), 4, "{what}");
    let details = second.get_execution(handle.id()).await.unwrap();
    let mut children: Vec<_> =
        details.children.iter().map(|child| (child.key.as_str(), child.policy, child.notified_at.is_some())).collect();
    children.sort_unstable_by_key(|(key, ..)| *key);
    assert_eq!(
        children,
        [
            ("child count", ParentPolicy::Cancel, false),
            ("join/0/child count", ParentPolicy::Await, true),
            ("join/1/child count", ParentPolicy::Await, true),
        ],
        "{what}"
    );
    assert_eq!(database.count("select count(*) from durable.executions").await, 4, "{what}");
    second.shutdown().await.unwrap();
    caught
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_or_after_any_write_leaves_each_child_started_once_under_one_id() {
    let database = support::database().await;
    let never = Trap { statements: Vec::new(), nth: 1, moment: Moment::Before, fate: Fate::Held };
    let (_, writes) = abandoned_in(&database, never).await;
    assert!(writes.len() >= 8, "so few writes were seen that the list must be out of date: {writes:?}");
    let crashes = futures_util::stream::iter(every_write(&writes)).map(|(write, nth, moment)| crash_at(write, nth, moment));
    let caught: Vec<_> = crashes.buffer_unordered(CRASHES_AT_ONCE).collect().await;
    let caught: Vec<String> = caught.into_iter().flatten().collect();
    for write in ["executions/start", "executions/park", "executions/notify_parents"] {
        assert!(caught.iter().any(|caught| caught == write), "{write} was never reached: {caught:?}");
    }
}

/// Asks for children that cannot be started, and says what it is told.
struct Ask;

#[workflow]
impl Ask {
    async fn run(&self, cx: &Context, what: String) -> Result<String> {
        let error = match what.as_str() {
            "awaited" => cx.child::<Count>(7).key("taken").await.unwrap_err(),
            "started" => cx.start_child::<Count>(7).key("taken").await.unwrap_err(),
            "unknown" => cx.child::<Ask2>(()).await.unwrap_err(),
            "long" => cx.child::<Count>(7).key("k".repeat(1001)).await.unwrap_err(),
            "nowhere" => cx.start_child::<Count>(7).queue("").await.unwrap_err(),
            "about nothing" => cx.wait_for_topic::<()>("news").correlation("").await.unwrap_err(),
            _ => cx.start_child::<Ask2>(()).await.unwrap_err(),
        };
        Ok(format!("{:?}: {error}", error.kind()))
    }
}

/// A workflow that nobody registers.
struct Ask2;

#[workflow(name = "unregistered")]
impl Ask2 {
    async fn run(&self, _cx: &Context, (): ()) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_key_that_is_taken_a_workflow_that_nobody_knows_and_what_does_not_fit_are_errors_at_the_call() {
    let database = support::database().await;
    let durable = database.builder().register(Ask).register(Count::default()).start().await.unwrap();
    durable.start::<Count>(1).key("taken").await.unwrap().result_within(PATIENCE).await.unwrap();
    for what in ["awaited", "started", "unknown", "unknown, started", "long", "nowhere", "about nothing"] {
        let handle = durable.start::<Ask>(what.to_owned()).await.unwrap();
        let told = handle.result_within(PATIENCE).await.unwrap();
        let expected = match what {
            "awaited" | "started" => ["Conflict", "another execution of workflow `count` has the key `taken`"],
            "long" => ["Invalid", "the key of child `count` has 1 to 1000 bytes"],
            "nowhere" => ["Invalid", "the queue of child `count` has 1 to 1000 bytes"],
            "about nothing" => ["Invalid", "the correlation of the wait for `news` has 1 to 1000 bytes"],
            _ => ["Invalid", "workflow `unregistered` version 1 is not registered where its queue `default` is worked on"],
        };
        assert!(expected.iter().all(|part| told.contains(part)), "{what}: {told}");
        assert!(durable.get_execution(handle.id()).await.unwrap().children.is_empty(), "{what}");
    }
    assert_eq!(database.count("select count(*) from durable.executions where workflow = 'unregistered'").await, 0);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn children_and_parents_find_each_other_in_every_list() {
    let database = support::database().await;
    let durable = database.builder().register(Start).register(Count::default()).start().await.unwrap();
    let handle = durable.start::<Start>(()).await.unwrap();
    let (_, _, started) = handle.result_within(PATIENCE).await.unwrap();
    durable.handle::<Count>(started).result_within(PATIENCE).await.unwrap();

    let listed = durable.list_executions().parent(handle.id()).await.unwrap().executions;
    let mut ids: Vec<ExecutionId> = listed.iter().map(|child| child.id).collect();
    ids.reverse();
    let details = durable.get_execution(handle.id()).await.unwrap();
    let children: Vec<ExecutionId> = details.children.iter().map(|child| child.id).collect();
    assert_eq!((ids.len(), &ids), (3, &children));
    for (execution, child) in listed.iter().rev().zip(&details.children) {
        let parent = execution.parent.as_ref().unwrap();
        assert_eq!((parent.id, &parent.key, parent.policy), (handle.id(), &child.key, child.policy));
        assert_eq!((child.workflow.as_str(), child.state), ("count", ExecutionState::Completed));
    }
    let completed = durable.list_executions().parent(handle.id()).state(ExecutionState::Completed);
    assert_eq!(completed.await.unwrap().executions.len(), 3);
    assert!(durable.list_executions().parent(started).await.unwrap().executions.is_empty());
    assert!(details.execution.parent.is_none());
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn children_and_forks_live_in_the_home_of_the_execution_they_come_from() {
    let database = support::database().await;
    let home = Home::try_from(7).unwrap();
    let parent = ExecutionId::new_in(home);
    database
        .run(&format!("select durable.start('start', 'null'); update durable.executions set execution_id = '{parent}'"))
        .await;

    let worker = database.builder().register(Start).register(Count::default()).start().await.unwrap();
    soon("ended", worker.handle::<Start>(parent).result()).await.unwrap();
    worker.fork(parent, "step note").await.unwrap();

    let ids: Vec<uuid::Uuid> = database.values("select execution_id from durable.executions").await;
    let homes: Vec<Home> = ids.into_iter().map(|id| ExecutionId::from(id).home()).collect();
    assert_eq!(homes, [home; 5], "the parent, three children and a fork");
    worker.shutdown().await.unwrap();
}
