//! Wherever an execution is when it is to end, what it did is undone: by a timeout, at a cancel, at a rollback from outside.

use durable::prelude::*;
use durable::{Workflow, join};

use super::Log;
use crate::support::{self, Database, PATIENCE, clock, eventually};

/// Reserves something, and then stays where it is told to.
#[derive(Clone, Default)]
struct Stay {
    log: Log,
}

#[workflow(timeout = "2d")]
impl Stay {
    async fn run(&self, cx: &Context, place: String) -> Result<()> {
        self.reserve(&place).await?;
        match place.as_str() {
            "asleep" => cx.sleep(days(9)).await?,
            "expecting" => cx.wait_for_event("never").await?,
            "asking" => drop(cx.wait_for_input::<bool>("go on").await?),
            "in back-off" => self.retry().await?,
            "in a step" => self.hang().await?,
            "in a join" => drop(join!(cx.sleep(days(9)), cx.wait_for_event::<()>("never"), self.note("beside")).await?),
            "in a map" => drop(cx.map(1..=3).each(|_| cx.sleep(days(9))).await?),
            _ => cx.child::<Sleep>(()).await?,
        }
        self.note("came through").await
    }

    #[step(compensate = release)]
    async fn reserve(&self, place: &str) -> Result<String> {
        Ok(place.to_owned())
    }

    #[compensation]
    async fn release(&self, place: String) -> Result<()> {
        self.log.add(format!("released {place}"));
        Ok(())
    }

    #[step(retry(max_attempts = 3, base = "9d", max = "9d"))]
    async fn retry(&self) -> Result<()> {
        self.log.add("tried");
        Err(Error::new("not yet"))
    }

    #[step]
    async fn hang(&self) -> Result<()> {
        // Only once it has been polled again does the engine have its timers set.
        tokio::task::yield_now().await;
        self.log.add("hangs");
        std::future::pending().await
    }

    #[step]
    async fn note(&self, what: &str) -> Result<()> {
        self.log.add(what);
        Ok(())
    }
}

/// A child that sleeps for long.
struct Sleep;

#[workflow]
impl Sleep {
    async fn run(&self, cx: &Context, (): ()) -> Result<()> {
        cx.sleep(days(9)).await
    }
}

/// Every kind of place to be at, and what was noted there.
const PLACES: [(&str, &[&str]); 8] = [
    ("asleep", &[]),
    ("expecting", &[]),
    ("asking", &[]),
    ("in back-off", &["tried"]),
    ("in a step", &["hangs"]),
    ("in a join", &["beside"]),
    ("in a map", &[]),
    ("in a child", &[]),
];

async fn stays(database: &Database, durable: &Durable, stay: &Stay, place: &str) -> ExecutionHandle<Stay> {
    stay.log.clear();
    let handle = durable.start::<Stay>(place.to_owned()).await.unwrap();
    let id = handle.id();
    if place == "in a step" {
        eventually("in the step", async || stay.log.all() == ["hangs"]).await;
    } else {
        let waits = format!("select count(*) from durable.executions where execution_id = '{id}' and state = 'waiting'");
        eventually(place, async || database.count(&waits).await == 1).await;
    }
    handle
}

async fn assert_undone(handle: &ExecutionHandle<Stay>, stay: &Stay, kind: ErrorKind, place: &str, noted: &[&str]) {
    let error = handle.result_within(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{place}: {error}");
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Compensated, "{place}");
    let undone = format!("released {place}");
    assert_eq!(stay.log.all(), [noted, &[undone.as_str()]].concat(), "{place}");
}

#[tokio::test]
async fn at_every_kind_of_place_a_rollback_and_a_cancel_undo_what_was_done_and_nothing_more_is() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let stay = Stay::default();
    let durable = database.builder().register(stay.clone()).register(Sleep).start().await.unwrap();
    for (place, noted) in PLACES {
        let handle = stays(&database, &durable, &stay, place).await;
        durable.rollback(handle.id(), "enough").await.unwrap();
        assert_undone(&handle, &stay, ErrorKind::RolledBack, place, noted).await;

        let handle = stays(&database, &durable, &stay, place).await;
        durable.cancel(handle.id(), "enough").compensate().await.unwrap();
        assert_undone(&handle, &stay, ErrorKind::Cancelled, place, noted).await;
    }
    assert_eq!(database.count("select count(*) from durable.waits where outcome is null").await, 0);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn at_every_kind_of_place_a_workflow_that_takes_too_long_is_undone_and_runs_no_further_step() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let stay = Stay::default();
    let durable = database.builder().register(stay.clone()).register(Sleep).start().await.unwrap();
    for (place, noted) in PLACES {
        let handle = stays(&database, &durable, &stay, place).await;
        clock::turn(&database, days(2)).await;
        assert_undone(&handle, &stay, ErrorKind::TimedOut, place, noted).await;
    }
    clock::quiet(&database).await;
    assert_eq!(database.count("select count(*) from durable.executions where finished_at is null").await, 0);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_lies_in_its_queue_after_it_did_something_is_undone_by_whoever_comes_next() {
    let database = support::database().await;
    let stay = Stay::default();
    let first = database.builder().register(stay.clone()).start().await.unwrap();
    let handle = stays(&database, &first, &stay, "expecting").await;
    let id = handle.id();
    first.shutdown().await.unwrap();
    let client = database.client().await;
    client.send_event(id, "never", &()).await.unwrap();
    assert_eq!(client.handle::<Stay>(id).execution().await.unwrap().state, ExecutionState::Pending);

    client.rollback(id, "nobody is there").await.unwrap();
    assert_eq!(client.handle::<Stay>(id).execution().await.unwrap().state, ExecutionState::Compensating);

    let second = database.builder().register(stay.clone()).start().await.unwrap();
    assert_undone(&second.handle(id), &stay, ErrorKind::RolledBack, "expecting", &[]).await;
    second.shutdown().await.unwrap();
}

#[tokio::test]
async fn two_rollbacks_at_once_make_one_chain_and_a_cancel_does_not_end_it() {
    let database = support::database().await;
    let stay = Stay::default();
    let durable = database.builder().register(stay.clone()).start().await.unwrap();
    for _ in 0..10 {
        let handle = stays(&database, &durable, &stay, "in a step").await;
        let id = handle.id();
        let (first, second) = tokio::join!(durable.rollback(id, "first"), durable.rollback(id, "second"));
        first.and(second).unwrap();
        let cancelled = durable.cancel(id, "third").await.unwrap_err();
        assert_eq!(cancelled.kind(), ErrorKind::Finished, "{cancelled}");
        assert_undone(&handle, &stay, ErrorKind::RolledBack, "in a step", &["hangs"]).await;
    }
    durable.shutdown().await.unwrap();
}

/// Release 2 of `stay`: no step can be undone any more.
struct Forgetful;

#[workflow(name = "stay")]
impl Forgetful {
    async fn run(&self, cx: &Context, place: String) -> Result<()> {
        self.reserve(&place).await?;
        cx.wait_for_event("never").await
    }

    #[step]
    async fn reserve(&self, place: &str) -> Result<String> {
        Ok(place.to_owned())
    }
}

#[tokio::test]
async fn a_rollback_under_code_that_cannot_undo_a_step_is_stopped_with_a_report_and_resumed_under_code_that_can() {
    let database = support::database().await;
    let stay = Stay::default();
    let first = database.builder().register(stay.clone()).start().await.unwrap();
    let handle = stays(&database, &first, &stay, "expecting").await;
    let id = handle.id();
    first.shutdown().await.unwrap();

    let forgetful = database.builder().register(Forgetful).start().await.unwrap();
    assert_eq!(Forgetful::NAME, Stay::NAME);
    forgetful.rollback(id, "enough").await.unwrap();
    let stopped = support::eventually_some("it is stopped", async || {
        let execution = forgetful.handle::<Forgetful>(id).execution().await.unwrap();
        execution.error.is_some().then_some(execution)
    })
    .await;
    assert_eq!(stopped.state, ExecutionState::Stopped);
    let report = stopped.error.unwrap();
    assert_eq!(report.kind, ErrorKind::Diverged);
    assert!(report.message.contains("recorded: step reserve"), "{report}");
    forgetful.shutdown().await.unwrap();
    assert!(stay.log.all().is_empty());

    let able = database.builder().register(stay.clone()).start().await.unwrap();
    able.resume(id).await.unwrap();
    assert_undone(&able.handle(id), &stay, ErrorKind::RolledBack, "expecting", &[]).await;
    able.shutdown().await.unwrap();
}

async fn panic_once_it_books(log: &Log) -> Result<()> {
    while log.all() != ["books"] {
        tokio::task::yield_now().await;
    }
    panic!("out of the blue");
}

/// Books a room, and panics beside the booking.
#[derive(Clone, Default)]
struct Panic {
    log: Log,
}

#[workflow]
impl Panic {
    async fn run(&self, _cx: &Context, (): ()) -> Result<()> {
        join!(self.book(), panic_once_it_books(&self.log)).await.map(drop)
    }

    #[step(compensate = cancel_booking, undo_on_failure)]
    async fn book(&self) -> Result<()> {
        self.log.add("books");
        std::future::pending().await
    }

    #[compensation]
    async fn cancel_booking(&self, booking: Option<()>) -> Result<()> {
        self.log.add(format!("cancelled {booking:?}"));
        Ok(())
    }
}

#[tokio::test]
async fn what_a_panic_beside_it_has_cut_off_is_undone() {
    let database = support::database().await;
    let panic = Panic::default();
    let durable = database.builder().register(panic.clone()).start().await.unwrap();
    let handle = durable.start::<Panic>(()).await.unwrap();
    let error = handle.result_within(PATIENCE).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Panicked && error.to_string().contains("out of the blue"), "{error}");
    assert_eq!(panic.log.all(), ["books", "cancelled None"]);
    assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Compensated);
    durable.shutdown().await.unwrap();
}
