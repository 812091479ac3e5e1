//! Families: children end with their parents, parents hear how their children ended, and nobody is forgotten after a crash.
//!
//! Most families here are put together by hand, out of executions that no worker runs: what counts is who is told and who ends.

use std::sync::Arc;

use durable::prelude::*;
use durable::{Child, ParentPolicy, WaitOutcome};
use futures_util::future::join_all;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use tokio::sync::Semaphore;

use crate::support::{self, Database, PATIENCE, eventually, soon};

/// Runs in no process of these tests.
struct Member;

#[workflow(queue = "nobody")]
impl Member {
    async fn run(&self, _cx: &Context, number: u32) -> Result<u32> {
        Ok(number)
    }
}

/// Runs until it is stopped; says when it runs and when it was stopped.
#[derive(Clone)]
struct Stubborn {
    begun: Arc<Semaphore>,
    stopped: Arc<Semaphore>,
}

impl Stubborn {
    fn new() -> Self {
        Self { begun: Arc::new(Semaphore::new(0)), stopped: Arc::new(Semaphore::new(0)) }
    }
}

struct Stop(Arc<Semaphore>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

#[workflow]
impl Stubborn {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        self.stay().await
    }

    #[step]
    async fn stay(&self) -> Result<()> {
        let _stop = Stop(self.stopped.clone());
        self.begun.add_permits(1);
        std::future::pending().await
    }
}

/// A family that is put together by hand.
struct Family<'a> {
    database: &'a Database,
    client: Durable,
}

impl<'a> Family<'a> {
    async fn on(database: &'a Database) -> Self {
        Self { database, client: database.client().await }
    }

    /// An execution that is parked.
    async fn member(&self) -> ExecutionId {
        let id = self.client.start::<Member>(0).await.unwrap().id();
        self.database
            .run(&format!("update durable.executions set state = 'waiting', epoch = 1 where execution_id = '{id}'"))
            .await;
        id
    }

    /// A child of that parent, which waits for it if the policy is `await`.
    async fn child(&self, parent: ExecutionId, policy: &str) -> ExecutionId {
        let id = self.member().await;
        self.adopt(parent, id, policy).await;
        id
    }

    async fn adopt(&self, parent: ExecutionId, child: ExecutionId, policy: &str) {
        self.database
            .run(&format!(
                "update durable.executions set parent_id = '{parent}', parent_key = 'child {child}', parent_policy = '{policy}'
                 where execution_id = '{child}';
                 insert into durable.waits (execution_id, started_at, key, kind, name, child_id)
                 select '{parent}', durable.now(), 'child {child}', 'child', 'member', '{child}' where '{policy}' = 'await'"
            ))
            .await;
    }

    async fn end(&self, id: ExecutionId) {
        self.database
            .run(&format!(
                "update durable.executions set state = 'completed', output = '42', finished_at = durable.now() where execution_id = '{id}'"
            ))
            .await;
    }

    /// Makes a step of it one that can be undone.
    async fn make_undoable(&self, id: ExecutionId) {
        self.database
            .run(&format!(
                "insert into durable.checkpoints (execution_id, started_at, finished_at, attempt, key, output, undo_order)
                 values ('{id}', durable.now(), durable.now(), 1, 'step pay', '1', 1)"
            ))
            .await;
    }

    async fn state(&self, id: ExecutionId) -> ExecutionState {
        self.client.get_execution(id).await.unwrap().execution.state
    }

    async fn has_notified_its_parent(&self, id: ExecutionId) -> bool {
        self.client.get_execution(id).await.unwrap().execution.parent.unwrap().notified_at.is_some()
    }
}

#[tokio::test]
async fn a_cancel_ends_everyone_below_but_the_detached_and_those_who_ended_before() {
    use ExecutionState::{Cancelled, Completed, Waiting};
    let database = support::database().await;
    let family = Family::on(&database).await;
    let root = family.member().await;
    let (awaited, started) = (family.child(root, "await").await, family.child(root, "cancel").await);
    let (detached, ended) = (family.child(root, "detach").await, family.child(root, "await").await);
    let below_detached = family.child(detached, "await").await;
    let below_ended = family.child(ended, "cancel").await;
    let below_awaited = family.child(awaited, "cancel").await;
    let below_that = family.child(below_awaited, "await").await;
    family.end(ended).await;

    family.client.cancel(root, "enough").await.unwrap();

    for (id, state) in [
        (root, Cancelled),
        (awaited, Cancelled),
        (started, Cancelled),
        (below_awaited, Cancelled),
        (below_that, Cancelled),
        (ended, Completed),
        (below_ended, Waiting),
        (detached, Waiting),
        (below_detached, Waiting),
    ] {
        assert_eq!(family.state(id).await, state);
    }
    let error = family.client.get_execution(below_that).await.unwrap().execution.error.unwrap();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Cancelled, "enough"));
    let outcomes = family.client.get_execution(root).await.unwrap().waits;
    assert!(outcomes.iter().all(|wait| wait.outcome == Some(WaitOutcome::Cancelled)));
}

#[tokio::test]
async fn the_step_that_a_child_runs_is_stopped_with_its_parent() {
    let database = support::database().await;
    let family = Family::on(&database).await;
    let stubborn = Stubborn::new();
    let worker = database.builder().register(stubborn.clone()).start().await.unwrap();
    let root = family.member().await;
    for rolled_back in [false, true] {
        let parent = family.child(root, "detach").await;
        let child = worker.start::<Stubborn>(()).await.unwrap();
        soon("its step runs", stubborn.begun.acquire()).await.unwrap().forget();
        family.adopt(parent, child.id(), "await").await;
        if rolled_back {
            family.client.rollback(parent, "enough").await.unwrap();
        } else {
            family.client.cancel(parent, "enough").await.unwrap();
        }
        soon("its step is dropped", stubborn.stopped.acquire()).await.unwrap().forget();
        assert_eq!(child.result_within(PATIENCE).await.unwrap_err().to_string(), "enough");
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_rollback_turns_round_everyone_below_who_goes_on() {
    use ExecutionState::{Cancelled, Compensating, Completed, Waiting};
    let database = support::database().await;
    let family = Family::on(&database).await;
    let root = family.member().await;
    let (awaited, started) = (family.child(root, "await").await, family.child(root, "cancel").await);
    let (detached, ended) = (family.child(root, "detach").await, family.child(root, "await").await);
    let below = family.child(awaited, "await").await;
    let cancelled_before = family.child(awaited, "cancel").await;
    family.end(ended).await;
    family.client.cancel(cancelled_before, "earlier").await.unwrap();

    family.client.rollback(root, "all of it").await.unwrap();

    for (id, state) in [
        (root, Compensating),
        (awaited, Compensating),
        (started, Compensating),
        (below, Compensating),
        (ended, Completed),
        (detached, Waiting),
        (cancelled_before, Cancelled),
    ] {
        assert_eq!(family.state(id).await, state);
    }
    let turned =
        "select count(*) from durable.executions where rollback ->> 'message' = 'all of it' and epoch = 2 and claims = 0";
    assert_eq!(database.count(turned).await, 4);
    // A cancel from above leaves alone who is being rolled back.
    family.client.cancel(detached, "enough").await.unwrap();
    assert_eq!(family.client.cancel(below, "enough").await.unwrap_err().kind(), ErrorKind::Finished);
}

#[tokio::test]
async fn a_family_larger_than_one_call_takes_ends_all_the_same() {
    let database = support::database().await;
    let family = Family::on(&database).await;
    let root = family.member().await;
    let children = family.client.start_many::<Member>(vec![0; 2500]).await.unwrap();
    database
        .run(&format!(
            "update durable.executions
             set parent_id = '{root}', parent_key = 'child ' || execution_id,
                 parent_policy = case when execution_id::text < '{}' then 'cancel' else 'await' end
             where execution_id <> '{root}'",
            children[1250].id()
        ))
        .await;
    family.client.cancel(root, "enough").await.unwrap();
    assert_eq!(database.count("select count(*) from durable.executions where state <> 'cancelled'").await, 0);
}

#[tokio::test]
async fn the_end_of_a_child_wakes_its_parent_once_though_many_tell_it() {
    let database = support::database().await;
    let family = Family::on(&database).await;
    let root = family.member().await;
    let child = family.child(root, "await").await;
    family.make_undoable(child).await;
    family.end(child).await;
    let tell = format!("select outcome, woken_queue from durable.notify_parents(array['{child}']::uuid[])");
    let told =
        join_all((0..4).map(|_| sqlx::query_as::<_, (String, Option<String>)>(&*tell.clone().leak()).fetch_all(database.pool())))
            .await;
    let told: Vec<(String, Option<String>)> = told.into_iter().flat_map(|told| told.unwrap()).collect();
    let woke = told.iter().filter(|(outcome, queue)| outcome == "notified" && queue.as_deref() == Some("nobody")).count();
    assert_eq!(woke, 1, "{told:?}");
    assert_eq!(family.state(root).await, ExecutionState::Pending);
    assert!(family.has_notified_its_parent(child).await);
    let wait = family.client.get_execution(root).await.unwrap().waits.remove(0);
    assert_eq!((wait.outcome, wait.child_id), (Some(WaitOutcome::Received), Some(child)));
    assert_eq!(wait.payload.unwrap(), json!({"state": "completed", "output": 42, "error": null, "undoable": true}));
}

#[tokio::test]
async fn a_parent_that_nobody_told_is_told_by_whoever_looks_and_one_that_is_busy_a_little_later() {
    let database = support::database().await;
    let family = Family::on(&database).await;
    let (idle, busy, ended) = (family.member().await, family.member().await, family.member().await);
    let mut children = Vec::new();
    for parent in [idle, busy, ended] {
        children.push(family.child(parent, "await").await);
    }
    family.end(ended).await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    family.client.send_event_within(&mut transaction, busy, "other", &1).await.unwrap();
    for child in &children {
        family.end(*child).await;
    }
    let worker = database.builder().register(Stubborn::new()).start().await.unwrap();
    eventually("the idle parent is told", async || family.state(idle).await == ExecutionState::Pending).await;
    eventually("and the one that has ended is not", async || family.has_notified_its_parent(children[2]).await).await;
    assert_eq!((family.state(busy).await, family.has_notified_its_parent(children[1]).await), (ExecutionState::Waiting, false));
    transaction.commit().await.unwrap();
    eventually("the busy parent is told", async || family.state(busy).await == ExecutionState::Pending).await;
    assert_eq!(family.state(ended).await, ExecutionState::Completed);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_parent_hears_at_once_that_its_child_was_cancelled_by_a_client() {
    let database = support::database().await;
    let family = Family::on(&database).await;
    let root = family.member().await;
    let child = family.child(root, "await").await;
    family.client.cancel(child, "only this one").await.unwrap();
    assert_eq!(family.state(root).await, ExecutionState::Pending);
    let wait = family.client.get_execution(root).await.unwrap().waits.remove(0);
    let payload: serde_json::Value = wait.payload.unwrap().decode().unwrap();
    assert_eq!((&payload["state"], &payload["error"]["message"]), (&json!("cancelled"), &json!("only this one")));
}

#[tokio::test]
async fn children_whom_no_parent_will_hear_of_are_called_off() {
    use ExecutionState::{Cancelled, Compensating, Waiting};
    let database = support::database().await;
    let family = Family::on(&database).await;
    let parent = async |change: &str, policy: &str| {
        let parent = family.member().await;
        let child = family.child(parent, policy).await;
        let below = family.child(child, "await").await;
        let wait =
            format!("update durable.waits set resolved_at = durable.now(), outcome = '{change}' where execution_id = '{parent}'");
        match change {
            "timed_out" | "cancelled" | "elapsed" => database.run(&wait).await,
            change => database.run(&format!("update durable.executions set {change} where execution_id = '{parent}'")).await,
        }
        (child, below)
    };
    let failed = "state = 'failed', finished_at = durable.now()";
    let undone = r#"state = 'compensated', finished_at = durable.now(), rollback = '{"kind": "failed", "message": ""}'"#;
    let mut expected = Vec::new();
    for (change, policy, state) in [
        (failed, "await", Cancelled),
        ("timed_out", "await", Cancelled),
        ("cancelled", "await", Cancelled),
        (undone, "await", Compensating),
        (failed, "cancel", Waiting),
        (failed, "detach", Waiting),
        ("priority = 1", "await", Waiting),
    ] {
        expected.push((parent(change, policy).await, change, policy, state));
    }
    let worker = database.builder().register(Stubborn::new()).start().await.unwrap();
    for ((child, below), change, policy, state) in expected {
        eventually("it is called off", async || family.state(child).await == state && family.state(below).await == state).await;
        assert_eq!(family.state(child).await, state, "{change} {policy}");
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn children_and_parents_are_listed_both_ways() {
    let database = support::database().await;
    let family = Family::on(&database).await;
    let root = family.member().await;
    let (first, second) = (family.child(root, "await").await, family.child(root, "cancel").await);
    family.child(first, "await").await;
    let children = family.client.get_execution(root).await.unwrap().children;
    let [Child { id, workflow, key, policy, state, .. }, other] = &children[..] else { panic!("{children:?}") };
    assert_eq!((*id, workflow.as_str(), key.as_str()), (first, "member", format!("child {first}").as_str()));
    assert_eq!(
        (*policy, *state, other.id, other.policy),
        (ParentPolicy::Await, ExecutionState::Waiting, second, ParentPolicy::Cancel)
    );
    let parent = family.client.get_execution(second).await.unwrap().execution.parent.unwrap();
    assert_eq!((parent.id, parent.key, parent.policy), (root, format!("child {second}"), ParentPolicy::Cancel));
    let listed = family.client.list_executions().parent(root).limit(1).await.unwrap();
    assert_eq!((listed.executions[0].id, listed.next), (second, Some(second.into())), "newest first");
    let rest = family.client.list_executions().parent(root).after(second).workflow("member").await.unwrap();
    assert_eq!((rest.executions.len(), rest.executions[0].id, rest.next), (1, first, None));
    assert!(family.client.list_executions().parent(second).await.unwrap().executions.is_empty());
}

#[tokio::test]
async fn a_cancelled_wait_for_a_child_cancels_the_child() {
    let database = support::database().await;
    let family = Family::on(&database).await;
    let root = family.member().await;
    let child = family.child(root, "await").await;
    let below = family.child(child, "await").await;
    family.client.cancel_wait(root, "member").await.unwrap();
    for (id, state) in [(root, ExecutionState::Pending), (child, ExecutionState::Cancelled), (below, ExecutionState::Cancelled)] {
        assert_eq!(family.state(id).await, state);
    }
}

/// Every way to end, tell and reach members of the same families, all at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_cancels_rollbacks_publications_and_news_deadlocks_nobody() {
    let database = support::database().await;
    let family = Family::on(&database).await;
    let mut ids = Vec::new();
    for _ in 0..12 {
        let root = family.member().await;
        ids.push(root);
        for _ in 0..3 {
            let child = family.child(root, "await").await;
            ids.extend([child, family.child(child, "cancel").await, family.child(child, "await").await]);
        }
    }
    database
        .run(
            "insert into durable.waits (execution_id, started_at, key, kind, name)
             select execution_id, durable.now(), 'topic', 'topic', 'news' from durable.executions",
        )
        .await;
    let worker = database.builder().register(Stubborn::new()).start().await.unwrap();
    let refused = |outcome: Result<()>| match outcome {
        Ok(()) => {}
        Err(error) => assert!(matches!(error.kind(), ErrorKind::Finished | ErrorKind::Conflict), "{error}"),
    };
    let storm = ids.iter().rev().enumerate().map(|(number, id)| {
        let (durable, id) = (if number % 2 == 0 { worker.clone() } else { family.client.clone() }, *id);
        tokio::spawn(async move {
            match number % 5 {
                0 => refused(durable.cancel(id, "storm").await),
                1 => refused(durable.rollback(id, "storm").await),
                2 => drop(durable.publish("news", &number).await.unwrap()),
                3 => refused(durable.send_event(id, "other", &number).await.map(drop)),
                _ => refused(durable.cancel_wait(id, "topic").await),
            }
        })
    });
    let storm = soon("the storm is over", join_all(storm)).await;
    storm.into_iter().for_each(|gust| gust.unwrap());
    let deadlocks = database.count("select deadlocks from pg_stat_database where datname = current_database()").await;
    assert_eq!(deadlocks, 0);
    for id in &ids[..] {
        let _ = family.client.cancel(*id, "the rest").compensate().await;
    }
    let left = "select count(*) from durable.executions where finished_at is null and rollback is null";
    assert_eq!(database.count(left).await, 0);
    worker.shutdown().await.unwrap();
}

/// A worker that lives, and runs that execution.
async fn held_by_a_worker(database: &Database, id: ExecutionId) -> uuid::Uuid {
    let worker = uuid::Uuid::now_v7();
    database
        .run(&format!(
            "insert into durable.workers (worker_id, host, process_id, queues, started_at, lease_until)
             values ('{worker}', 'here', 1, '{{nobody}}', durable.now(), durable.now() + interval '1 day');
             update durable.executions set state = 'running', worker_id = '{worker}' where execution_id = '{id}'"
        ))
        .await;
    worker
}

const CAUSE: &str = r#"'{"kind": "failed", "message": "enough"}'"#;

#[tokio::test]
async fn a_parent_with_more_children_than_one_call_takes_is_turned_round_and_none_of_them_goes_on() {
    let database = support::database().await;
    let family = Family::on(&database).await;
    let root = family.member().await;
    family.make_undoable(root).await;
    family.client.start_many::<Member>(vec![0; 1500]).await.unwrap();
    database
        .run(&format!(
            "update durable.executions set parent_id = '{root}', parent_key = 'child ' || execution_id, parent_policy = 'await'
             where execution_id <> '{root}';
             insert into durable.waits (execution_id, started_at, key, kind, name, child_id)
             select '{root}', durable.now(), parent_key, 'child', 'member', execution_id
             from durable.executions where parent_id is not null"
        ))
        .await;
    let worker = held_by_a_worker(&database, root).await;

    let begun = format!("select count(*) from durable.begin_rollback('{worker}', '{root}', 1, {CAUSE})");
    assert_eq!(database.count(&begun).await, 1 + 1000);

    let looks_for_orphans = database.builder().register(Member).queue("other", 1).start().await.unwrap();
    let going_on = "select count(*) from durable.executions where parent_id is not null and rollback is null";
    eventually("all turned round", async || database.count(going_on).await == 0).await;
    looks_for_orphans.shutdown().await.unwrap();
}

#[tokio::test]
async fn completed_children_that_are_enlisted_one_after_the_other_are_undone_one_after_the_other() {
    let database = support::database().await;
    let family = Family::on(&database).await;
    let root = family.member().await;
    for _ in 0..3 {
        let child = family.child(root, "await").await;
        family.make_undoable(child).await;
        family.end(child).await;
        database.run(&format!("select durable.enlist_children(array['{root}']::uuid[])")).await;
    }
    let places = format!("select count(distinct undo_order) from durable.checkpoints where execution_id = '{root}'");
    assert_eq!(database.count(&places).await, 3);
}

#[tokio::test]
async fn a_poisoned_parent_takes_its_children_along_and_undoes_what_they_completed() {
    let database = support::database().await;
    let family = Family::on(&database).await;
    let root = family.member().await;
    let (running, completed) = (family.child(root, "await").await, family.child(root, "await").await);
    family.make_undoable(completed).await;
    family.end(completed).await;
    let worker = held_by_a_worker(&database, root).await;

    database.run(&format!("select durable.poison('{worker}', '{root}', 1, {CAUSE})")).await;

    let details = family.client.get_execution(root).await.unwrap();
    assert_eq!(details.execution.state, ExecutionState::Compensating);
    assert!(details.waits.iter().all(|wait| wait.outcome == Some(WaitOutcome::Cancelled)));
    assert_eq!(family.state(running).await, ExecutionState::Compensating);
    let enlisted = format!(
        "select count(*) from durable.checkpoints
         where execution_id = '{root}' and output ->> 'execution_id' = '{completed}' and undo_order is not null"
    );
    assert_eq!(database.count(&enlisted).await, 1);
}
