//! Children end with the parent that waits for them or started them, unless they ended before or are detached.

use durable::prelude::*;
use durable::{join, race};

use crate::support::bodies::Gate;
use crate::support::{self, Database, PATIENCE, clock, eventually};

/// Starts children of its own down to a depth, and waits with them for ever.
struct Grow;

#[workflow]
impl Grow {
    async fn run(&self, cx: &Context, depth: u32) -> Result<u32> {
        if depth == 0 {
            return Ok(0);
        }
        cx.child::<Grow>(0).await?;
        if depth > 1 {
            cx.start_child::<Grow>(depth - 1).await?;
            cx.start_child::<Grow>(1).detach().await?;
            join!(cx.child::<Grow>(depth - 1), cx.child::<Grow>(depth - 1)).await?;
        }
        cx.wait_for_event("never").await
    }
}

#[tokio::test]
async fn a_cancel_takes_every_descendant_along_at_once_but_those_that_ended_or_are_detached() {
    let database = support::database().await;
    let durable = database.builder().register(Grow).start().await.unwrap();
    let handle = durable.start::<Grow>(3).await.unwrap();
    // One, its three children of depth two, their nine of depth one; those above one have a detached one each, which makes four.
    // Each of these has a child that ended.
    let counts = "select count(*) filter (where state = 'waiting') || ' and ' || count(*) filter (where state = 'completed') from durable.executions";
    eventually("all wait", async || database.value::<String>(counts).await == "17 and 17").await;

    durable.cancel(handle.id(), "the end").await.unwrap();

    // No waiting here: all were ended by the one call.
    assert_eq!(database.count("select count(*) from durable.executions where state = 'cancelled'").await, 13);
    let going_on: Vec<String> =
        database.values("select distinct coalesce(parent_policy, '') from durable.executions where finished_at is null").await;
    assert_eq!(going_on, ["detach"]);
    assert_eq!(database.count("select count(*) from durable.executions where finished_at is null").await, 4);
    assert_eq!(database.count("select count(*) from durable.executions where state = 'completed'").await, 13 + 4);
    durable.shutdown().await.unwrap();
}

/// Holds something until it is let go; what it holds can be given back.
#[derive(Clone)]
struct Hold {
    gate: Gate,
    log: super::Log,
}

impl Hold {
    fn new() -> Self {
        Self { gate: Gate::closed(), log: super::Log::default() }
    }
}

#[workflow(queue = "holds")]
impl Hold {
    async fn run(&self, _cx: &Context, what: String) -> Result<String> {
        self.take(&what).await?;
        self.stand(&what).await
    }

    #[step(compensate = give_back)]
    async fn take(&self, what: &str) -> Result<String> {
        Ok(what.to_owned())
    }

    #[compensation]
    async fn give_back(&self, what: String) -> Result<()> {
        self.log.lock().unwrap().push(format!("gave back {what}"));
        Ok(())
    }

    #[step]
    async fn stand(&self, what: &str) -> Result<String> {
        self.gate.pass().await;
        Ok(what.to_owned())
    }
}

/// Waits for a child in several ways, and ends in several.
struct Wait;

#[workflow(timeout = "1d")]
impl Wait {
    async fn run(&self, cx: &Context, how: String) -> Result<String> {
        match how.as_str() {
            "none" => Ok(format!("{:?}", cx.child::<Hold>(how).timeout(hours(1)).await?)),
            "or" => cx.child::<Hold>(how).timeout(hours(1)).or("instead".to_owned()).await,
            "race" => race!(cx.child::<Hold>(how), cx.wait_for_event::<String>("first")).await,
            "fail" => {
                let (held, ()) =
                    durable::try_join!(cx.child::<Hold>(how), async { cx.wait_for_event::<()>("fail").await.and(fail()) })
                        .await?;
                Ok(held)
            }
            "fail with something to undo" => {
                self.begin().await?;
                let (held, ()) =
                    durable::try_join!(cx.child::<Hold>(how), async { cx.wait_for_event::<()>("fail").await.and(fail()) })
                        .await?;
                Ok(held)
            }
            _ => cx.child::<Hold>(how).await,
        }
    }

    #[step(compensate = end)]
    async fn begin(&self) -> Result<()> {
        Ok(())
    }

    #[compensation]
    async fn end(&self) -> Result<()> {
        Ok(())
    }
}

fn fail() -> Result<()> {
    Err(Error::permanent("failed"))
}

async fn only_child(durable: &Durable, parent: ExecutionId) -> durable::Execution {
    durable.list_executions().parent(parent).await.unwrap().executions.remove(0)
}

async fn ended(durable: &Durable, parent: ExecutionId, state: ExecutionState) {
    eventually("the child has ended", async || only_child(durable, parent).await.state.is_finished()).await;
    assert_eq!(only_child(durable, parent).await.state, state);
}

#[tokio::test]
async fn a_child_that_takes_too_long_is_cancelled_and_its_parent_goes_on_without_it() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let hold = Hold::new();
    let durable = database.builder().register(hold.clone()).register(Wait).start().await.unwrap();
    for (how, output) in [("none", "None"), ("or", "instead")] {
        let handle = durable.start::<Wait>(how.to_owned()).await.unwrap();
        hold.gate.until_inside(1).await;
        clock::turn(&database, hours(1)).await;
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), output);
        // The parent goes on once its child has ended.
        assert_eq!(only_child(&durable, handle.id()).await.state, ExecutionState::Cancelled);
        hold.gate.until_inside(0).await;
    }
    // One that is in time is not.
    let handle = durable.start::<Wait>("none".to_owned()).await.unwrap();
    hold.gate.until_inside(1).await;
    hold.gate.let_pass(1);
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "Some(\"none\")");
    clock::advance(&database, days(1)).await;
    assert_eq!(only_child(&durable, handle.id()).await.state, ExecutionState::Completed);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_child_that_nobody_waits_for_any_more_is_cancelled_or_undone() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let hold = Hold::new();
    let durable = database.builder().register(hold.clone()).register(Wait).start().await.unwrap();
    for (how, child) in [
        ("race", ExecutionState::Cancelled),
        ("fail", ExecutionState::Cancelled),
        ("time out", ExecutionState::Cancelled),
        ("fail with something to undo", ExecutionState::Compensated),
        ("roll back", ExecutionState::Compensated),
        ("cancel and undo", ExecutionState::Compensated),
        ("cancel", ExecutionState::Cancelled),
    ] {
        let handle = durable.start::<Wait>(how.to_owned()).await.unwrap();
        let id = handle.id();
        hold.gate.until_inside(1).await;
        match how {
            "race" => drop(durable.send_event(id, "first", "the event").await.unwrap()),
            "time out" => drop(clock::turn(&database, days(1)).await),
            "roll back" => durable.rollback(id, how).await.unwrap(),
            "cancel and undo" => durable.cancel(id, how).compensate().await.unwrap(),
            "cancel" => durable.cancel(id, how).await.unwrap(),
            _ => drop(durable.send_event(id, "fail", &()).await.unwrap()),
        }
        let result = handle.result_within(PATIENCE).await;
        assert_eq!(result.is_ok(), how == "race", "{how}");
        ended(&durable, id, child).await;
        let gave_back = std::mem::take(&mut *hold.log.lock().unwrap());
        let expected = if child == ExecutionState::Compensated { vec![format!("gave back {how}")] } else { Vec::new() };
        assert_eq!(gave_back, expected, "{how}");
        hold.gate.until_inside(0).await;
    }
    durable.shutdown().await.unwrap();
}

async fn until_waiting(database: &Database, parent: ExecutionId) {
    let sql = format!("select count(*) from durable.executions where execution_id = '{parent}' and state = 'waiting'");
    eventually("the parent waits", async || database.count(&sql).await == 1).await;
}

/// What becomes of a parent that never hears of the end of its child.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    RolledBack,
    Overtaken,
}

#[tokio::test]
async fn a_child_that_has_completed_is_undone_also_if_its_parent_never_looked_at_its_end() {
    let database = support::database().await;
    clock::freeze(&database).await;
    for (unread, fate) in [(false, Fate::RolledBack), (true, Fate::RolledBack), (false, Fate::Overtaken), (true, Fate::Overtaken)]
    {
        let hold = Hold::new();
        hold.gate.let_pass(1);
        let parents = database.builder().register(Wait).start().await.unwrap();
        let id = parents.start::<Wait>("wait".to_owned()).await.unwrap().id();
        until_waiting(&database, id).await;
        parents.shutdown().await.unwrap();
        // Nobody knows the parent while the child ends.
        let child = database.builder().register(hold.clone()).poll_interval(hours(1)).start().await.unwrap();
        eventually("the child has ended", async || only_child(&child, id).await.state == ExecutionState::Completed).await;
        let told = format!("select count(*) from durable.executions where parent_id = '{id}' and parent_notified_at is not null");
        eventually("the parent is told", async || database.count(&told).await == 1).await;
        if unread {
            // As a worker leaves it that dies before it has told anybody.
            let sql = format!(
                "update durable.executions set parent_notified_at = null where parent_id = '{id}';
                 update durable.waits set outcome = null, payload = null, resolved_at = null where execution_id = '{id}';
                 update durable.executions set state = 'waiting', wake_at = deadline_at where execution_id = '{id}'"
            );
            database.run(&sql).await;
        }
        match fate {
            Fate::RolledBack => child.rollback(id, "not wanted").await.unwrap(),
            Fate::Overtaken => drop(clock::turn(&database, days(1)).await),
        }
        child.shutdown().await.unwrap();

        let second = database.builder().register(Wait).register(hold.clone()).start().await.unwrap();
        let error = second.handle::<Wait>(id).result_within(PATIENCE).await.unwrap_err();
        let kind = if fate == Fate::Overtaken { ErrorKind::TimedOut } else { ErrorKind::RolledBack };
        assert_eq!(error.kind(), kind, "unread: {unread}, {fate:?}");
        assert_eq!(*hold.log.lock().unwrap(), ["gave back wait"], "unread: {unread}, {fate:?}");
        assert_eq!(second.handle::<Wait>(id).execution().await.unwrap().state, ExecutionState::Compensated);
        second.shutdown().await.unwrap();
    }
}
