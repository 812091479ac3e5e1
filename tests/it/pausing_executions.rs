//! Pausing: an execution goes no further until it is resumed, wherever it is.

use std::time::Duration;

use durable::prelude::*;
use uuid::Uuid;

use crate::support::bodies::{Gate, Tally};
use crate::support::process::{Folder, Process};
use crate::support::{self, PATIENCE, clock, eventually};

/// Packs while the gate is shut, ships, then waits for the signature.
struct Parcel {
    gate: Gate,
    calls: Tally,
}

#[workflow]
impl Parcel {
    async fn run(&self, cx: &Context, _: ()) -> Result<String> {
        self.pack().await?;
        self.ship().await?;
        cx.wait_for_event("signed").await
    }

    #[step]
    async fn pack(&self) -> Result<()> {
        self.calls.add("pack");
        let step = durable::step();
        tokio::select! {
            () = self.gate.pass() => {}
            () = step.cancelled() => {
                self.calls.add("told to end");
                self.gate.pass().await;
            }
        }
        Ok(())
    }

    #[step(compensate = take_back)]
    async fn ship(&self) -> Result<()> {
        self.calls.add("ship");
        Ok(())
    }

    #[compensation]
    async fn take_back(&self, _shipped: ()) -> Result<()> {
        self.calls.add("take back");
        Ok(())
    }
}

/// A paused execution is shown as paused, whether it runs still or is back in its queue.
const PENDING: &str = "select count(*) from durable.executions where state = 'pending'";

fn parcel() -> Parcel {
    Parcel { gate: Gate::closed(), calls: Tally::default() }
}

#[tokio::test]
async fn one_that_is_queued_is_not_claimed_until_it_is_resumed() {
    let database = support::database().await;
    let client = database.client().await;
    let id = client.start::<Parcel>(()).await.unwrap().id();
    let since = client.pause(id).await.unwrap();
    assert_eq!(client.pause(id).await.unwrap(), since, "twice is no error");
    let other = client.start::<Parcel>(()).await.unwrap().id();

    let workflow = parcel();
    let (gate, calls) = (workflow.gate.clone(), workflow.calls.clone());
    let worker = database.builder().register(workflow).start().await.unwrap();
    gate.until_inside(1).await;
    let execution = worker.get_execution(id).await.unwrap().execution;
    assert_eq!((execution.state, execution.paused_at), (ExecutionState::Paused, Some(since)));
    let paused = client.list_executions().state(ExecutionState::Paused).await.unwrap().executions;
    assert_eq!(paused.iter().map(|execution| execution.id).collect::<Vec<_>>(), [id]);
    assert!(worker.get_execution(other).await.unwrap().execution.paused_at.is_none());

    client.resume(id).await.unwrap();
    gate.until_inside(2).await;
    assert_eq!(calls.count("pack"), 2);
    let error = client.resume(id).await.unwrap_err();
    assert!(error.to_string().contains("neither paused nor stopped"), "{error}");
    gate.let_pass(2);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn one_that_runs_finishes_its_step_and_begins_no_other() {
    let database = support::database().await;
    let workflow = parcel();
    let (gate, calls) = (workflow.gate.clone(), workflow.calls.clone());
    let worker = database.builder().register(workflow).start().await.unwrap();
    let handle = worker.start::<Parcel>(()).await.unwrap();
    gate.until_inside(1).await;
    // By another process: this one hears of it.
    database.client().await.pause(handle.id()).await.unwrap();
    eventually("its step is told", async || calls.count("told to end") == 1).await;
    gate.let_pass(1);
    eventually("it is back in its queue", async || database.count(PENDING).await == 1).await;
    let steps = worker.get_execution(handle.id()).await.unwrap().steps;
    assert_eq!(steps.iter().map(|step| step.key.as_str()).collect::<Vec<_>>(), ["step pack"], "what it had done is kept");
    assert_eq!(calls.count("ship"), 0);

    worker.send_event(handle.id(), "signed", "Ada").await.unwrap();
    worker.resume(handle.id()).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "Ada");
    assert_eq!((calls.count("pack"), calls.count("ship")), (1, 1));
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_due_timer_does_not_run_a_paused_one_and_resuming_does_not_wake_a_waiting_one() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    let later = client.start::<Parcel>(()).delay(hours(1)).await.unwrap();
    let waiting = client.start::<Parcel>(()).await.unwrap();
    client.pause(later.id()).await.unwrap();
    let workflow = parcel();
    let (gate, calls) = (workflow.gate.clone(), workflow.calls.clone());
    gate.let_pass(2);
    let worker = database.builder().register(workflow).start().await.unwrap();
    eventually("the other waits", async || waiting.execution().await.unwrap().state == ExecutionState::Waiting).await;
    client.pause(waiting.id()).await.unwrap();
    client.resume(waiting.id()).await.unwrap();
    assert_eq!(waiting.execution().await.unwrap().state, ExecutionState::Waiting);

    clock::turn(&database, hours(2)).await;
    eventually("its time has come", async || later.execution().await.unwrap().wake_at.is_none()).await;
    client.send_event(waiting.id(), "signed", "Bea").await.unwrap();
    waiting.result_within(PATIENCE).await.unwrap();
    assert_eq!((later.execution().await.unwrap().state, calls.count("pack")), (ExecutionState::Paused, 1));
    client.resume(later.id()).await.unwrap();
    client.send_event(later.id(), "signed", "Cleo").await.unwrap();
    assert_eq!(later.result_within(PATIENCE).await.unwrap(), "Cleo");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn cancelling_and_rolling_back_need_no_resume() {
    let database = support::database().await;
    let workflow = parcel();
    let (gate, calls) = (workflow.gate.clone(), workflow.calls.clone());
    gate.let_pass(2);
    let worker = database.builder().register(workflow).start().await.unwrap();
    let (cancelled, undone) = (worker.start::<Parcel>(()).await.unwrap(), worker.start::<Parcel>(()).await.unwrap());
    for handle in [&cancelled, &undone] {
        eventually("it waits", async || handle.execution().await.unwrap().state == ExecutionState::Waiting).await;
        worker.pause(handle.id()).await.unwrap();
    }
    worker.cancel(cancelled.id(), "not wanted").await.unwrap();
    worker.rollback(undone.id(), "returned").await.unwrap();
    undone.result_within(PATIENCE).await.unwrap_err();
    let states = [&cancelled, &undone].map(|handle| handle.execution());
    for (execution, state) in states.into_iter().zip([ExecutionState::Cancelled, ExecutionState::Compensated]) {
        let execution = execution.await.unwrap();
        assert_eq!((execution.state, execution.paused_at), (state, None));
    }
    assert_eq!(calls.count("take back"), 1);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_has_ended_or_is_unknown_is_not_paused() {
    let database = support::database().await;
    let client = database.client().await;
    let ended = client.start::<Parcel>(()).await.unwrap().id();
    client.cancel(ended, "over").await.unwrap();
    let error = client.pause(ended).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Finished);
    assert!(error.to_string().contains("is already cancelled: pause came too late"), "{error}");
    let nobody = ExecutionId::from(Uuid::now_v7());
    assert_eq!(client.pause(nobody).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(database.count("select count(*) from durable.executions where paused_at is not null").await, 0);
}

/// In a process of its own: works until it is killed.
pub(crate) async fn work(url: &str) {
    let _worker = support::Database::at(url.to_owned()).builder().lease(LEASE).register(parcel()).start().await.unwrap();
    std::future::pending().await
}

/// Short, as a test waits for its end.
const LEASE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn one_whose_worker_dies_stays_paused() {
    let database = support::database().await;
    let folder = Folder::new();
    let mut process = Process::start("pausing", &database.url, &folder);
    let client = database.client().await;
    let id = client.start::<Parcel>(()).await.unwrap().id();
    eventually("it runs", async || client.get_execution(id).await.unwrap().execution.state == ExecutionState::Running).await;
    client.pause(id).await.unwrap();
    process.kill();
    let workflow = parcel();
    let (gate, calls) = (workflow.gate.clone(), workflow.calls.clone());
    let worker = database.builder().register(workflow).lease(LEASE).start().await.unwrap();
    eventually("it is given back", async || database.count(PENDING).await == 1).await;
    let other = worker.start::<Parcel>(()).await.unwrap();
    gate.until_inside(1).await;
    assert_eq!(calls.count("pack"), 1, "only the other one was claimed");
    assert!(client.get_execution(id).await.unwrap().execution.paused_at.is_some());
    client.resume(id).await.unwrap();
    gate.until_inside(2).await;
    gate.let_pass(2);
    worker.cancel(other.id(), "over").await.unwrap();
    worker.shutdown().await.unwrap();
}
