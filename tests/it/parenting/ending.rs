//! Whatever becomes of a child, its parent hears of it once.

use durable::prelude::*;
use durable::{ParentPolicy, WaitOutcome};

use crate::support::crash::leases_run_out;
use crate::support::{self, Database, PATIENCE, clock, eventually};

/// Ends in the way it is told.
struct End;

#[workflow(queue = "ends", timeout = "1h")]
impl End {
    async fn run(&self, cx: &Context, how: String) -> Result<String> {
        match how.as_str() {
            "completed" => return Ok("well".to_owned()),
            "failed" => return Err(Error::permanent("broken")),
            "compensated" => self.build(true).await.map(drop)?,
            "compensation_failed" => self.build(false).await.map(drop)?,
            _ => cx.wait_for_event("never").await?,
        }
        Err(Error::permanent("fell down"))
    }

    #[step(compensate = tear_down)]
    async fn build(&self, can_be_undone: bool) -> Result<bool> {
        Ok(can_be_undone)
    }

    #[compensation]
    async fn tear_down(&self, can_be_undone: bool) -> Result<()> {
        if can_be_undone { Ok(()) } else { Err(Error::permanent("it stands firm")) }
    }
}

/// Says how its child ended.
struct Watch;

#[workflow]
impl Watch {
    async fn run(&self, cx: &Context, how: String) -> Result<String> {
        match cx.child::<End>(how).await {
            Ok(output) => Ok(format!("completed: {output}")),
            Err(error) => Ok(format!("{:?}: {error}", error.kind())),
        }
    }
}

/// The only child, once it is there.
async fn child(database: &Database, parent: ExecutionId) -> ExecutionId {
    let sql = format!("select execution_id from durable.executions where parent_id = '{parent}'");
    let id: uuid::Uuid = database.eventually_value(&sql).await;
    id.into()
}

async fn rests(database: &Database, id: ExecutionId) {
    let sql = format!("select count(*) from durable.executions where execution_id = '{id}' and state = 'waiting'");
    eventually("it waits", async || database.count(&sql).await == 1).await;
}

/// The parent was claimed once to begin and once to hear; the end was told, and stands in its journal once.
async fn assert_heard_once(durable: &Durable, parent: ExecutionId, child: ExecutionId) {
    let details = durable.get_execution(parent).await.unwrap();
    assert_eq!(details.execution.epoch, 2);
    let [wait] = &details.waits[..] else { panic!("{:?}", details.waits) };
    assert_eq!((wait.outcome, wait.child_id), (Some(WaitOutcome::Received), Some(child)));
    let [listed] = &details.children[..] else { panic!("{:?}", details.children) };
    assert_eq!((listed.id, listed.policy, listed.notified_at.is_some()), (child, ParentPolicy::Await, true));
}

#[tokio::test]
async fn every_end_of_a_child_wakes_its_parent_once() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let parents = database.builder().register(Watch).start().await.unwrap();
    for (how, state, heard) in [
        ("completed", ExecutionState::Completed, "completed: well"),
        ("failed", ExecutionState::Failed, "Failed: `child end` (execution ID) ended as failed: broken"),
        ("compensated", ExecutionState::Compensated, "Failed: `child end` (execution ID) ended as compensated: fell down"),
        (
            "compensation_failed",
            ExecutionState::CompensationFailed,
            "Failed: `child end` (execution ID) ended as compensation_failed: fell down",
        ),
        ("cancelled", ExecutionState::Cancelled, "Cancelled: `child end` (execution ID) ended as cancelled: no more"),
        ("rolled back", ExecutionState::Compensated, "RolledBack: `child end` (execution ID) ended as compensated: no more"),
        (
            "timed out",
            ExecutionState::Failed,
            "TimedOut: `child end` (execution ID) ended as failed: the execution took longer than its workflow's timeout",
        ),
        (
            "poisoned",
            ExecutionState::Failed,
            "Poisoned: `child end` (execution ID) ended as failed: claimed 100 times without coming to rest: it seems to kill its workers",
        ),
    ] {
        let handle = parents.start::<Watch>(how.to_owned()).await.unwrap();
        let child = child(&database, handle.id()).await;
        rests(&database, handle.id()).await;
        if how == "poisoned" {
            database.run(&format!("update durable.executions set claims = 100 where execution_id = '{child}'")).await;
        }
        let children = database.builder().register(End).start().await.unwrap();
        match how {
            "cancelled" | "rolled back" | "timed out" => {
                rests(&database, child).await;
                match how {
                    "cancelled" => parents.cancel(child, "no more").await.unwrap(),
                    "rolled back" => parents.rollback(child, "no more").await.unwrap(),
                    _ => drop(clock::turn(&database, hours(1)).await),
                }
            }
            _ => {}
        }
        let told = handle.result_within(PATIENCE).await.unwrap();
        assert_eq!(told.replace(&child.to_string(), "ID"), heard, "{how}");
        assert_eq!(parents.handle::<End>(child).execution().await.unwrap().state, state, "{how}");
        assert_heard_once(&parents, handle.id(), child).await;
        children.shutdown().await.unwrap();
    }
    parents.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_parent_whose_process_died_before_its_child_ended_still_hears_of_it() {
    let database = support::database().await;
    let first = database.builder().register(Watch).start().await.unwrap();
    let id = first.start::<Watch>("completed".to_owned()).await.unwrap().id();
    let child = child(&database, id).await;
    rests(&database, id).await;
    drop(first);
    // Nobody knows the parent while its child ends.
    let children = database.builder().register(End).start().await.unwrap();
    children.handle::<End>(child).result_within(PATIENCE).await.unwrap();
    children.shutdown().await.unwrap();
    leases_run_out(&database).await;

    let second = database.builder().register(Watch).start().await.unwrap();
    assert_eq!(second.handle::<Watch>(id).result_within(PATIENCE).await.unwrap(), "completed: well");
    assert_heard_once(&second, id, child).await;
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_end_that_its_process_could_not_tell_is_told_by_another() {
    let database = support::database().await;
    let parents = database.builder().register(Watch).start().await.unwrap();
    let handle = parents.start::<Watch>("completed".to_owned()).await.unwrap();
    let child = child(&database, handle.id()).await;
    rests(&database, handle.id()).await;
    // As a worker leaves it that dies between its last write and the telling.
    database
        .run(&format!(
            "update durable.executions set state = 'completed', output = '\"well\"', finished_at = durable.now() \
             where execution_id = '{child}'"
        ))
        .await;
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "completed: well");
    assert_heard_once(&parents, handle.id(), child).await;
    parents.shutdown().await.unwrap();
}

/// Reserves something, starts one child to itself, and fails with the one it waits for.
struct Depend;

#[workflow]
impl Depend {
    async fn run(&self, cx: &Context, (): ()) -> Result<()> {
        self.reserve().await?;
        cx.start_child::<End>("never".to_owned()).key("to itself").await?;
        cx.child::<End>("never".to_owned()).key("awaited").await.map(drop)
    }

    #[step(compensate = release)]
    async fn reserve(&self) -> Result<()> {
        Ok(())
    }

    #[compensation]
    async fn release(&self, (): ()) -> Result<()> {
        Ok(())
    }
}

const CANCEL_ORPHANS: &str = include_str!("../../../durable-core/src/store/sql/executions/cancel_orphans.sql");

#[tokio::test]
async fn a_parent_that_fails_with_a_cancelled_child_has_failed_and_was_not_cancelled() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let durable = database.builder().register(End).register(Depend).start().await.unwrap();
    let handle = durable.start::<Depend>(()).await.unwrap();
    let awaited: uuid::Uuid =
        database.eventually_value("select execution_id from durable.executions where key = 'awaited'").await;
    rests(&database, awaited.into()).await;

    durable.cancel(awaited.into(), "no more").await.unwrap();

    let error = handle.result_within(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Failed, "{error}");
    assert!(error.to_string().ends_with("ended as cancelled: no more"), "{error}");
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Compensated);
    let orphans = sqlx::query(CANCEL_ORPHANS).bind(100_i64).fetch_all(database.pool()).await.unwrap();
    assert!(orphans.is_empty(), "the child that was started to itself goes on");
    durable.shutdown().await.unwrap();
}
