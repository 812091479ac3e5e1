//! Pruning: what ended long ago goes, with its journal, and nothing else does.

mod by_itself;

use std::sync::{Arc, Mutex};

use durable::prelude::*;
use durable::{Prune, Pruned};
use sqlx::{AssertSqlSafe, Executor, raw_sql};

use crate::support::{self, Database, PATIENCE, clock, eventually};

/// Tries a step twice, hears a message, and has a child done that is as short.
struct Errand;

#[workflow]
impl Errand {
    async fn run(&self, cx: &Context, with_child: bool) -> Result<()> {
        let _: Option<String> = cx.wait_for_event("note").timeout(seconds(1)).await?;
        self.go().await?;
        cx.set("done", &true).await?;
        if with_child {
            cx.child::<Errand>(false).await?;
        }
        Ok(())
    }

    #[step(retry(max_attempts = 2, base = "1s", jitter = 0.0))]
    async fn go(&self) -> Result<()> {
        if durable::step().attempt() == 1 { Err(durable::Error::new("the door is shut")) } else { Ok(()) }
    }
}

/// Starts a child that waits on, and ends.
struct Leaves;

#[workflow]
impl Leaves {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.start_child::<Waits>(()).detach().await?;
        Ok(())
    }
}

/// Waits for ever.
struct Waits;

#[workflow]
impl Waits {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.wait_for_event("never").await
    }
}

const TABLES: [&str; 6] = ["executions", "checkpoints", "execution_values", "attempts", "waits", "mailbox"];

/// How many rows each table has.
async fn rows(database: &Database) -> Vec<i64> {
    let mut rows = Vec::new();
    for table in TABLES {
        rows.push(database.count(&format!("select count(*) from durable.{table}")).await);
    }
    rows
}

async fn worker(database: &Database) -> Durable {
    database.builder().register(Errand).register(Leaves).register(Waits).start().await.unwrap()
}

#[tokio::test]
async fn what_ended_long_ago_goes_with_its_journal_and_nothing_else_does() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = worker(&database).await;
    let old = worker.start::<Errand>(true).key("old").await.unwrap();
    // Nobody ever takes it.
    worker.send_event(old.id(), "unheard", &1).await.unwrap();
    let waiting = worker.start::<Waits>(()).await.unwrap();
    clock::advance(&database, hours(1)).await;
    old.result_within(PATIENCE).await.unwrap();
    worker.publish("news", &1).key("old").await.unwrap();
    clock::advance(&database, days(40)).await;
    let young = worker.start::<Errand>(false).await.unwrap();
    clock::advance(&database, hours(1)).await;
    young.result_within(PATIENCE).await.unwrap();
    worker.publish("news", &1).key("young").await.unwrap();

    let before = rows(&database).await;
    assert!(before.iter().all(|rows| *rows > 0), "{before:?}");
    assert_eq!(worker.prune(days(30)).count().await.unwrap(), 2, "one, and its child");
    assert_eq!(rows(&database).await, before, "counting deletes none");
    let pruned = worker.prune(days(30)).await.unwrap();
    assert_eq!((pruned.executions, pruned.publications), (2, 1));
    let left: Vec<uuid::Uuid> = database.values("select execution_id from durable.executions order by execution_id").await;
    assert_eq!(left, [waiting.id().as_uuid(), young.id().as_uuid()]);
    for table in &TABLES[1..] {
        let orphans = format!(
            "select count(*) from durable.{table} where execution_id not in (select execution_id from durable.executions)"
        );
        assert_eq!(database.count(&orphans).await, 0, "{table}");
    }
    assert_eq!(worker.prune(days(30)).await.unwrap(), Pruned::default(), "there is nothing more");
    assert_eq!(worker.get_execution(old.id()).await.unwrap_err().kind(), ErrorKind::NotFound);
    // Its key is free again.
    assert_ne!(worker.start::<Errand>(true).key("old").await.unwrap().id(), old.id());
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_child_stays_with_its_parent_and_a_parent_with_a_child_that_goes_on() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = worker(&database).await;
    let left = worker.start::<Leaves>(()).await.unwrap();
    left.result_within(PATIENCE).await.unwrap();
    eventually("the child waits", async || {
        database.count("select count(*) from durable.executions where state = 'waiting'").await == 1
    })
    .await;
    // A child that ended long before its parent does.
    let parent = worker.start::<Errand>(true).await.unwrap();
    clock::advance(&database, hours(1)).await;
    parent.result_within(PATIENCE).await.unwrap();
    clock::advance(&database, days(40)).await;
    let parent_id = parent.id();
    database.run(&format!("update durable.executions set finished_at = durable.now() where execution_id = '{parent_id}'")).await;
    assert_eq!(worker.prune(days(30)).await.unwrap().executions, 0);
    assert_eq!(worker.get_execution(parent_id).await.unwrap().children.len(), 1);

    let child = worker.get_execution(left.id()).await.unwrap().children[0].id;
    worker.cancel(child, "over").await.unwrap();
    clock::advance(&database, days(31)).await;
    assert_eq!(worker.prune(days(30)).await.unwrap().executions, 4);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_grandchild_stays_as_long_as_anybody_above_it_may_be_undone() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    let mut family = Vec::new();
    for handle in client.start_many::<Waits>(vec![(); 7]).await.unwrap() {
        family.push(handle.id());
    }
    // Two strangers, a root, its child and grandchild, two strangers.
    let [root, child, grandchild] = [family[2], family[3], family[4]];
    for (member, parent) in [(child, root), (grandchild, child)] {
        let bind = "parent_key = 'child waits', parent_policy = 'await'";
        database
            .run(&format!("update durable.executions set parent_id = '{parent}', {bind} where execution_id = '{member}'"))
            .await;
    }
    for ended in family.iter().filter(|id| **id != root) {
        client.cancel(*ended, "over").await.unwrap();
    }
    clock::turn(&database, days(40)).await;
    assert_eq!(client.prune(days(30)).count().await.unwrap(), 4);
    assert_eq!(client.prune(days(30)).batch(1).await.unwrap().executions, 4, "the strangers, before and behind it");
    client.cancel(root, "over").await.unwrap();
    clock::turn(&database, days(20)).await;
    assert_eq!(client.prune(days(30)).await.unwrap().executions, 0, "the root ended twenty days ago");
    clock::turn(&database, days(20)).await;
    assert_eq!(client.prune(days(30)).count().await.unwrap(), 3);
    assert_eq!(client.prune(days(30)).await.unwrap().executions, 3);
}

/// A retry has the checkpoints of what it goes on from, and may undo what those stand for.
#[tokio::test]
async fn a_child_stays_as_long_as_a_retry_may_undo_it() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    let started = client.start_many::<Waits>(vec![(); 2]).await.unwrap();
    let [root, child] = [started[0].id(), started[1].id()];
    let bind = "parent_key = 'child waits', parent_policy = 'await'";
    database.run(&format!("update durable.executions set parent_id = '{root}', {bind} where execution_id = '{child}'")).await;
    for ended in [child, root] {
        client.cancel(ended, "over").await.unwrap();
    }
    let first = client.retry(root).await.unwrap();
    client.cancel(first, "over").await.unwrap();
    let second = client.retry(first).await.unwrap();
    clock::turn(&database, days(40)).await;
    assert_eq!(client.prune(days(30)).count().await.unwrap(), 0);
    assert_eq!(client.prune(days(30)).batch(1).await.unwrap().executions, 0);
    client.cancel(second, "over").await.unwrap();
    clock::turn(&database, days(40)).await;
    assert_eq!(client.prune(days(30)).count().await.unwrap(), 4);
    assert_eq!(client.prune(days(30)).await.unwrap().executions, 4);
}

#[tokio::test]
async fn filters_hold_and_batches_are_no_larger_than_asked() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    for handle in client.start_many::<Waits>(vec![(); 7]).await.unwrap() {
        client.cancel(handle.id(), "over").await.unwrap();
    }
    for handle in client.start_many::<Leaves>(vec![(); 3]).await.unwrap() {
        client.cancel(handle.id(), "over").await.unwrap();
    }
    clock::turn(&database, days(2)).await;
    let prune = || client.prune(days(1));
    assert_eq!(prune().state(ExecutionState::Completed).count().await.unwrap(), 0);
    assert_eq!(prune().state(ExecutionState::Completed).state(ExecutionState::Cancelled).count().await.unwrap(), 10);
    assert_eq!(prune().workflow("leaves").await.unwrap().executions, 3);
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = {
        let told = told.clone();
        move |so_far: Pruned| told.lock().unwrap().push(so_far.executions)
    };
    assert_eq!(prune().batch(3).on_batch(tell).await.unwrap().executions, 7);
    assert_eq!(*told.lock().unwrap(), [3, 6, 7]);
}

#[tokio::test]
async fn a_prune_that_makes_no_sense_is_refused() {
    let database = support::database().await;
    let client = database.client().await;
    client.start::<Waits>(()).await.unwrap();
    let refusals: [(Prune<'_>, &str); 3] = [
        (client.prune(seconds(0)).state(ExecutionState::Running), "executions that are running cannot be pruned"),
        (client.prune(seconds(0)).batch(0), "a batch of 0 is not between 1 and 10000"),
        (client.prune(seconds(0)).batch(10_001), "a batch of 10001"),
    ];
    for (prune, message) in refusals {
        let error = prune.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(message), "{error}");
    }
    assert_eq!(client.prune(seconds(0)).await.unwrap().executions, 0, "it has not ended");
}

#[tokio::test]
async fn two_who_prune_at_once_delete_everything_once() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    for handle in client.start_many::<Waits>(vec![(); 200]).await.unwrap() {
        client.cancel(handle.id(), "over").await.unwrap();
    }
    clock::turn(&database, days(2)).await;
    let (one, other) = tokio::join!(client.prune(days(1)).batch(10).into_future(), client.prune(days(1)).batch(10).into_future());
    let together = one.unwrap().executions + other.unwrap().executions;
    let rest = client.prune(days(1)).await.unwrap().executions;
    assert_eq!(together + rest, 200);
    assert_eq!(rows(&database).await, [0; TABLES.len()]);
}

#[tokio::test]
async fn a_batch_that_is_cut_off_deletes_nothing() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = worker(&database).await;
    let done = worker.start::<Errand>(true).await.unwrap();
    clock::advance(&database, days(2)).await;
    done.result_within(PATIENCE).await.unwrap();
    worker.shutdown().await.unwrap();
    let before = rows(&database).await;
    // Whoever deletes waits for this row, and is ended while it waits.
    let mut held = database.pool().acquire().await.unwrap();
    let lock = "begin; select from durable.checkpoints for update";
    held.execute(raw_sql(AssertSqlSafe(lock.to_owned()))).await.unwrap();
    let client = database.client().await;
    let pruning = client.clone();
    let cut = tokio::spawn(async move { pruning.prune(days(1)).await });
    let waiting = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '-- executions/prune%'";
    let backend: i32 = database.eventually_value(waiting).await;
    database.run(&format!("select pg_terminate_backend({backend})")).await;
    let again: i32 = database.eventually_value(&format!("{waiting} and pid <> {backend}")).await;
    assert_ne!(again, backend, "it tries again");
    assert_eq!(rows(&database).await, before);
    held.execute(raw_sql("rollback")).await.unwrap();
    assert_eq!(support::soon("it is done", cut).await.unwrap().unwrap().executions, 2);
    assert_eq!(rows(&database).await, [0; TABLES.len()]);
}
