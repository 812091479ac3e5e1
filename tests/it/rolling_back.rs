//! Rolling back from outside: at whatever step an execution is, it goes no further, and what it did is undone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use durable::prelude::*;
use durable::{Compensation, WaitOutcome};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::support::{self, Database, PATIENCE, eventually};

/// Books a flight and a hotel, then does as it is told; undoing takes a pass of the gate each.
#[derive(Clone)]
struct Trip {
    log: Arc<Mutex<Vec<String>>>,
    gate: Arc<Semaphore>,
    /// How many bodies of steps run without an end.
    endless: Arc<AtomicUsize>,
}

struct Endless(Arc<AtomicUsize>);

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Trip {
    fn with_gate(passes: usize) -> Self {
        Self { log: Arc::default(), gate: Arc::new(Semaphore::new(passes)), endless: Arc::default() }
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

#[workflow(timeout = "2h")]
impl Trip {
    async fn run(&self, cx: &Context, then: String) -> Result<String> {
        if then == "nothing" {
            cx.wait_for_event::<()>("go").await?;
        }
        self.book_flight().await?;
        self.book_hotel().await?;
        match then.as_str() {
            "wait" => cx.wait_for_event::<()>("go").await?,
            "run" => self.run_forever().await?,
            _ => {}
        }
        Ok("booked".to_owned())
    }

    #[step(compensate = cancel_flight)]
    async fn book_flight(&self) -> Result<String> {
        Ok("LH 1".to_owned())
    }

    #[compensation]
    async fn cancel_flight(&self, flight: String) -> Result<String> {
        self.gate.acquire().await?.forget();
        self.log.lock().unwrap().push(format!("cancelled {flight}"));
        Ok("refunded".to_owned())
    }

    #[step(compensate = cancel_hotel)]
    async fn book_hotel(&self) -> Result<u32> {
        Ok(7)
    }

    #[compensation(retry(max_attempts = 2, backoff = constant, base = "1ms"))]
    async fn cancel_hotel(&self, room: &u32) -> Result<()> {
        if durable::step().attempt() == 1 {
            return Err(Error::new("the line is busy"));
        }
        self.log.lock().unwrap().push(format!("cancelled room {room}"));
        Ok(())
    }

    #[step]
    async fn run_forever(&self) -> Result<()> {
        self.endless.fetch_add(1, Ordering::SeqCst);
        let _endless = Endless(self.endless.clone());
        self.log.lock().unwrap().push("runs".to_owned());
        std::future::pending().await
    }
}

const UNDONE: [&str; 2] = ["cancelled room 7", "cancelled LH 1"];

async fn waits(database: &Database) {
    eventually("it waits", async || {
        database.count("select count(*) from durable.executions where state = 'waiting' and rollback is null").await == 1
    })
    .await;
}

async fn assert_ended(handle: &ExecutionHandle<Trip>, kind: ErrorKind, state: ExecutionState, reason: &str) {
    let error = handle.result_within(PATIENCE).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (kind, reason));
    let execution = handle.execution().await.unwrap();
    assert_eq!(execution.state, state);
    assert!(execution.finished_at.is_some() && execution.wake_at.is_none() && execution.deadline_at.is_none());
}

#[tokio::test]
async fn what_a_waiting_execution_did_is_undone_and_shown_in_the_order_in_which_it_was() {
    let database = support::database().await;
    let trip = Trip::with_gate(0);
    let worker = database.builder().register(trip.clone()).start().await.unwrap();
    let handle = worker.start::<Trip>("wait".to_owned()).await.unwrap();
    waits(&database).await;

    worker.rollback(handle.id(), "the customer fell ill").await.unwrap();

    eventually("the hotel is cancelled", async || trip.log() == UNDONE[..1]).await;
    let execution = handle.execution().await.unwrap();
    assert_eq!(execution.state, ExecutionState::Compensating);
    assert_eq!(execution.rollback.unwrap().message, "the customer fell ill");
    for (state, expected) in [(ExecutionState::Compensating, 1), (ExecutionState::Running, 0)] {
        assert_eq!(worker.list_executions().state(state).await.unwrap().executions.len(), expected, "{state}");
    }
    trip.gate.add_permits(1);
    assert_ended(&handle, ErrorKind::RolledBack, ExecutionState::Compensated, "the customer fell ill").await;
    assert_eq!(trip.log(), UNDONE);

    let details = worker.get_execution(handle.id()).await.unwrap();
    let keys: Vec<&str> = details.steps.iter().map(|step| step.key.as_str()).collect();
    assert_eq!(keys, ["step book_flight", "step book_hotel"]);
    assert_eq!(details.waits[0].outcome, Some(WaitOutcome::Cancelled));
    let [hotel, flight]: &[Compensation] = &details.compensations else { panic!("{:?}", details.compensations) };
    assert_eq!((hotel.step.as_str(), hotel.input.as_ref()), ("step book_hotel", Some(&json!(7).into())));
    assert_eq!((hotel.output.as_ref(), hotel.attempts.len()), (Some(&json!(null).into()), 2));
    assert_eq!(hotel.attempts[0].error.as_ref().unwrap().message, "the line is busy");
    assert_eq!((flight.step.as_str(), flight.input.as_ref()), ("step book_flight", Some(&json!("LH 1").into())));
    assert_eq!((flight.output.as_ref(), flight.error.as_ref()), (Some(&json!("refunded").into()), None));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_running_step_is_interrupted_wherever_the_rollback_comes_from() {
    let database = support::database().await;
    let client = database.client().await;
    let trip = Trip::with_gate(2);
    let worker = database.builder().register(trip.clone()).start().await.unwrap();
    for roller in [&worker, &client] {
        let handle = worker.start::<Trip>("run".to_owned()).await.unwrap();
        eventually("the step runs", async || trip.log() == ["runs"]).await;
        roller.rollback(handle.id(), "too slow").await.unwrap();
        assert_ended(&handle, ErrorKind::RolledBack, ExecutionState::Compensated, "too slow").await;
        assert_eq!(trip.log()[1..], UNDONE);
        trip.log.lock().unwrap().clear();
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_rollback_by_sql_is_carried_out_by_whoever_polls_next() {
    let database = support::database().await;
    let trip = Trip::with_gate(1);
    let worker = database.builder().register(trip.clone()).start().await.unwrap();
    let handle = worker.start::<Trip>("run".to_owned()).await.unwrap();
    eventually("the step runs", async || trip.log() == ["runs"]).await;
    let shown: String = database.value(&format!("select state from durable.rollback('{}', 'by hand')", handle.id())).await;
    assert_eq!(shown, "compensating");
    assert_ended(&handle, ErrorKind::RolledBack, ExecutionState::Compensated, "by hand").await;
    assert_eq!(trip.log()[1..], UNDONE);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_cancel_may_undo_what_was_done_and_ends_at_once_where_nothing_was() {
    let database = support::database().await;
    let trip = Trip::with_gate(1);
    let worker = database.builder().register(trip.clone()).start().await.unwrap();
    for (then, state, log) in
        [("wait", ExecutionState::Compensated, &UNDONE[..]), ("nothing", ExecutionState::Cancelled, &[][..])]
    {
        let handle = worker.start::<Trip>(then.to_owned()).await.unwrap();
        waits(&database).await;
        worker.cancel(handle.id(), "changed her mind").compensate().await.unwrap();
        worker.cancel(handle.id(), "twice is no error").compensate().await.unwrap();
        assert_ended(&handle, ErrorKind::Cancelled, state, "changed her mind").await;
        assert_eq!(trip.log(), log);
        trip.log.lock().unwrap().clear();
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_rollback_is_asked_for_twice_without_harm_and_not_cut_short_by_a_cancel() {
    let database = support::database().await;
    let trip = Trip::with_gate(0);
    let worker = database.builder().register(trip.clone()).start().await.unwrap();
    let handle = worker.start::<Trip>("wait".to_owned()).await.unwrap();
    waits(&database).await;
    worker.rollback(handle.id(), "first").await.unwrap();
    worker.rollback(handle.id(), "second").await.unwrap();
    let error = worker.cancel(handle.id(), "enough").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Finished);
    assert!(error.to_string().contains("is being rolled back"), "{error}");
    let error = worker.resume(handle.id()).await.unwrap_err();
    assert!(error.to_string().contains("is compensating, neither paused nor stopped"), "{error}");
    trip.gate.add_permits(1);
    assert_ended(&handle, ErrorKind::RolledBack, ExecutionState::Compensated, "first").await;
    worker.rollback(handle.id(), "third").await.unwrap();
    assert_eq!(trip.log(), UNDONE);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_rollback_of_what_has_ended_or_never_was_is_refused() {
    let database = support::database().await;
    let worker = database.builder().register(Trip::with_gate(0)).start().await.unwrap();
    let handle = worker.start::<Trip>("end".to_owned()).await.unwrap();
    handle.result_within(PATIENCE).await.unwrap();
    let error = worker.rollback(handle.id(), "too late").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Finished);
    assert!(error.to_string().contains("is already completed: rollback came too late"), "{error}");
    let nobody = ExecutionId::from(uuid::Uuid::now_v7());
    assert_eq!(worker.rollback(nobody, "who?").await.unwrap_err().kind(), ErrorKind::NotFound);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_execution_that_never_ran_is_rolled_back_without_running() {
    let database = support::database().await;
    let client = database.client().await;
    let handle = client.start::<Trip>("wait".to_owned()).delay(hours(1)).await.unwrap();
    client.rollback(handle.id(), "not needed").await.unwrap();
    let trip = Trip::with_gate(0);
    let worker = database.builder().register(trip.clone()).start().await.unwrap();
    assert_ended(&handle, ErrorKind::RolledBack, ExecutionState::Compensated, "not needed").await;
    assert!(worker.get_execution(handle.id()).await.unwrap().steps.is_empty() && trip.log().is_empty());
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_execution_that_kills_its_workers_is_undone_and_one_that_kills_them_again_is_given_up() {
    let database = support::database().await;
    let trip = Trip::with_gate(0);
    let worker = database.builder().max_claims(3).register(trip.clone()).start().await.unwrap();
    let undone = worker.start::<Trip>("wait".to_owned()).await.unwrap();
    waits(&database).await;
    let given_up = worker.start::<Trip>("wait".to_owned()).await.unwrap();
    eventually("both wait", async || {
        database.count("select count(*) from durable.executions where state = 'waiting'").await == 2
    })
    .await;
    let kill_workers = async |id: ExecutionId| {
        database
            .run(&format!(
                "update durable.executions set state = 'pending', wake_at = null, claims = 3, epoch = epoch + 3 where execution_id = '{id}'"
            ))
            .await;
    };
    kill_workers(given_up.id()).await;
    eventually("its hotel is cancelled", async || trip.log() == UNDONE[..1]).await;
    worker.shutdown_within(std::time::Duration::ZERO).await.unwrap();
    kill_workers(given_up.id()).await;
    kill_workers(undone.id()).await;
    trip.gate.add_permits(1);

    let worker = database.builder().max_claims(3).register(trip.clone()).start().await.unwrap();
    let poisoned = "claimed 3 times without coming to rest: it seems to kill its workers";
    let (given_up, undone) = (worker.handle::<Trip>(given_up.id()), worker.handle::<Trip>(undone.id()));
    assert_ended(&given_up, ErrorKind::Poisoned, ExecutionState::CompensationFailed, poisoned).await;
    assert_eq!(given_up.execution().await.unwrap().error.unwrap().causes, [poisoned]);
    assert_ended(&undone, ErrorKind::Poisoned, ExecutionState::Compensated, poisoned).await;
    assert_eq!(trip.log()[1..], UNDONE);
    assert_eq!(database.count("select count(*) from durable.waits where outcome is null").await, 0);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_step_of_a_process_that_claims_its_execution_anew_is_dropped_all_the_same() {
    let database = support::database().await;
    let trip = Trip::with_gate(100);
    // Nothing is told and nothing is compared in time: the next claim is the first to notice.
    let worker = database.builder().lease(std::time::Duration::from_secs(600)).register(trip.clone()).start().await.unwrap();
    for _ in 0..20 {
        let handle = worker.start::<Trip>("run".to_owned()).await.unwrap();
        eventually("the step runs", async || trip.log() == ["runs"]).await;
        database.run(&format!("select durable.rollback('{}', 'by hand')", handle.id())).await;
        assert_ended(&handle, ErrorKind::RolledBack, ExecutionState::Compensated, "by hand").await;
        eventually("the step is dropped", async || trip.endless.load(Ordering::SeqCst) == 0).await;
        trip.log.lock().unwrap().clear();
    }
    worker.shutdown().await.unwrap();
}

/// Has a child do something that can be undone, and waits.
struct Parcel;

#[workflow(queue = "parcels")]
impl Parcel {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.child::<Stamp>(()).await?;
        cx.wait_for_event("delivered").await
    }
}

#[derive(Clone, Default)]
struct Stamp {
    log: Arc<Mutex<Vec<&'static str>>>,
}

#[workflow(queue = "stamps")]
impl Stamp {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        cx.wait_for_event::<()>("go").await?;
        self.buy().await
    }

    #[step(compensate = give_back)]
    async fn buy(&self) -> Result<()> {
        self.log.lock().unwrap().push("bought");
        Ok(())
    }

    #[compensation]
    async fn give_back(&self) -> Result<()> {
        self.log.lock().unwrap().push("given back");
        Ok(())
    }
}

#[tokio::test]
async fn what_a_child_did_is_undone_also_when_its_parent_has_not_yet_run_on() {
    let database = support::database().await;
    let stamp = Stamp::default();
    let stamps = database.builder().register(stamp.clone()).start().await.unwrap();
    for cancelled in [false, true] {
        let parcels = database.builder().register(Parcel).start().await.unwrap();
        let handle = parcels.start::<Parcel>(()).await.unwrap();
        waits_for_event(&database).await;
        parcels.shutdown().await.unwrap();
        let child = stamps.get_execution(handle.id()).await.unwrap().children[0].id;
        stamps.send_event(child, "go", &()).await.unwrap();
        let told = format!("select 1 from durable.executions where execution_id = '{}' and state = 'pending'", handle.id());
        database.eventually_value::<i32>(&told).await;

        if cancelled {
            stamps.cancel(handle.id(), "lost").compensate().await.unwrap();
        } else {
            stamps.rollback(handle.id(), "lost").await.unwrap();
        }
        let parcels = database.builder().register(Parcel).start().await.unwrap();
        let handle = parcels.handle::<Parcel>(handle.id());
        assert_eq!(handle.result_within(PATIENCE).await.unwrap_err().to_string(), "lost");
        assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Compensated);
        assert_eq!(std::mem::take(&mut *stamp.log.lock().unwrap()), ["bought", "given back"]);
        parcels.shutdown().await.unwrap();
    }
    stamps.shutdown().await.unwrap();
}

/// Waits until a child does, and its parent for it.
async fn waits_for_event(database: &Database) {
    eventually("parent and child wait", async || {
        database.count("select count(*) from durable.executions where state = 'waiting' and rollback is null").await == 2
    })
    .await;
}
