//! Cancelling: it ends an execution at once, whatever that is doing, or says that it came too late.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use durable::WaitOutcome;
use durable::prelude::*;
use futures_util::future::join_all;

use crate::support::{self, PATIENCE, clock, eventually};

/// Does what it is told, and counts how far it came.
#[derive(Clone, Default)]
struct Errand {
    begun: Arc<AtomicUsize>,
    told: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

#[workflow]
impl Errand {
    async fn run(&self, cx: &Context, what: String) -> Result<String> {
        match what.as_str() {
            "listen" => self.listen().await?,
            "stand" => self.stand().await?,
            "sleep" => cx.sleep(days(1)).await?,
            "ask" => drop(cx.wait_for_input::<bool>("go on").timeout(days(1)).await?),
            "retry" => self.retry().await?,
            _ => {}
        }
        self.end(what).await
    }

    #[step]
    async fn listen(&self) -> Result<()> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        durable::step().cancelled().await;
        assert!(durable::step().is_cancelled());
        self.told.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Hears nothing: it has to be dropped.
    #[step]
    async fn stand(&self) -> Result<()> {
        let _told = Told(self.told.clone());
        self.begun.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }

    #[step(retry(max_attempts = 3, base = "1h", max = "1h"))]
    async fn retry(&self) -> Result<()> {
        Err(durable::Error::new("not yet"))
    }

    #[step]
    async fn end(&self, what: String) -> Result<String> {
        self.ended.fetch_add(1, Ordering::SeqCst);
        Ok(what)
    }
}

struct Told(Arc<AtomicUsize>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn assert_cancelled(handle: &ExecutionHandle<Errand>, reason: &str) {
    let error = handle.result_within(PATIENCE).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Cancelled, reason.to_owned()));
    let execution = handle.execution().await.unwrap();
    assert_eq!(execution.state, ExecutionState::Cancelled);
    assert!(execution.finished_at.is_some() && execution.wake_at.is_none() && execution.output.is_none());
}

#[tokio::test]
async fn a_queued_or_scheduled_execution_that_is_cancelled_never_runs() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    let queued = client.start::<Errand>("at once".to_owned()).await.unwrap();
    let scheduled = client.start::<Errand>("later".to_owned()).delay(hours(1)).await.unwrap();
    for handle in [&queued, &scheduled] {
        client.cancel(handle.id(), "not needed").await.unwrap();
    }
    let errand = Errand::default();
    let worker = database.builder().register(errand.clone()).start().await.unwrap();
    clock::advance(&database, hours(2)).await;
    worker.start::<Errand>("afterwards".to_owned()).await.unwrap().result_within(PATIENCE).await.unwrap();
    for handle in [&queued, &scheduled] {
        assert_cancelled(handle, "not needed").await;
    }
    assert_eq!(errand.ended.load(Ordering::SeqCst), 1);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_running_step_is_told_and_interrupted_wherever_the_cancel_comes_from() {
    let database = support::database().await;
    let client = database.client().await;
    for what in ["listen", "stand"] {
        let errand = Errand::default();
        let worker = database.builder().register(errand.clone()).start().await.unwrap();
        for (nth, canceller) in [&worker, &client].into_iter().enumerate() {
            let handle = worker.start::<Errand>(what.to_owned()).await.unwrap();
            eventually("the step runs", async || errand.begun.load(Ordering::SeqCst) == nth + 1).await;
            canceller.cancel(handle.id(), "the customer changed her mind").await.unwrap();
            assert_cancelled(&handle, "the customer changed her mind").await;
            if what == "stand" {
                eventually("the body is dropped", async || errand.told.load(Ordering::SeqCst) == nth + 1).await;
            }
        }
        worker.shutdown().await.unwrap();
        assert_eq!(errand.ended.load(Ordering::SeqCst), 0, "no further step begins");
    }
    assert_eq!(database.count("select count(*) from durable.checkpoints").await, 0);
}

#[tokio::test]
async fn what_a_cancelled_execution_waited_for_is_cancelled_with_it() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let errand = Errand::default();
    let worker = database.builder().register(errand.clone()).start().await.unwrap();
    let mut handles = Vec::new();
    for what in ["sleep", "ask", "retry"] {
        handles.push(worker.start::<Errand>(what.to_owned()).await.unwrap());
    }
    eventually("all wait", async || database.count("select count(*) from durable.executions where state = 'waiting'").await == 3)
        .await;
    assert_eq!(worker.pending_inputs().await.unwrap().len(), 1);
    for handle in &handles {
        worker.cancel(handle.id(), "enough").await.unwrap();
        assert_cancelled(handle, "enough").await;
        let details = worker.get_execution(handle.id()).await.unwrap();
        assert!(details.waits.iter().all(|wait| wait.outcome == Some(WaitOutcome::Cancelled)), "{:?}", details.waits);
    }
    assert!(worker.pending_inputs().await.unwrap().is_empty());
    let error = worker.provide_input(handles[1].id(), "go on", &true).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Finished, "{error}");
    clock::advance(&database, days(2)).await;
    for handle in &handles {
        assert_cancelled(handle, "enough").await;
    }
    assert_eq!(errand.ended.load(Ordering::SeqCst), 0);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn cancelling_twice_is_no_error_and_the_first_reason_stands() {
    let database = support::database().await;
    let client = database.client().await;
    let handle = client.start::<Errand>("nothing".to_owned()).await.unwrap();
    client.cancel(handle.id(), "first").await.unwrap();
    client.cancel(handle.id(), "second").await.unwrap();
    assert_cancelled(&handle, "first").await;
}

#[tokio::test]
async fn cancelling_what_has_ended_or_never_was_is_refused() {
    let database = support::database().await;
    let worker = database.builder().register(Errand::default()).start().await.unwrap();
    let handle = worker.start::<Errand>("nothing".to_owned()).await.unwrap();
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), "nothing");
    let error = worker.cancel(handle.id(), "too late").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Finished);
    assert!(error.to_string().contains("is already completed: cancel came too late"), "{error}");
    let nobody = ExecutionId::from(uuid::Uuid::now_v7());
    assert_eq!(worker.cancel(nobody, "who?").await.unwrap_err().kind(), ErrorKind::NotFound);
    worker.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_races_the_end_wins_or_reports_that_it_came_too_late() {
    let database = support::database().await;
    let worker = database.builder().register(Errand::default()).start().await.unwrap();
    let raced = join_all((0..200).map(|_| {
        let worker = worker.clone();
        tokio::spawn(async move {
            let handle = worker.start::<Errand>("run".to_owned()).await.unwrap();
            let cancelled = worker.cancel(handle.id(), "race").await;
            (handle.result_within(PATIENCE).await, cancelled, handle)
        })
    }))
    .await;
    for raced in raced {
        let (result, cancelled, handle) = raced.unwrap();
        let state = handle.execution().await.unwrap().state;
        match cancelled {
            Ok(()) => {
                assert_eq!(state, ExecutionState::Cancelled);
                assert_eq!(result.unwrap_err().kind(), ErrorKind::Cancelled);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Finished, "{error}");
                assert_eq!((state, result.unwrap().as_str()), (ExecutionState::Completed, "run"));
            }
        }
    }
    worker.shutdown().await.unwrap();
}

/// Takes events and time-outs as they come.
struct Weathered;

#[workflow]
impl Weathered {
    async fn run(&self, cx: &Context, events: u32) -> Result<u32> {
        let mut taken = 0;
        while taken < events {
            let event: Option<u32> = cx.wait_for_event("drop").timeout(std::time::Duration::from_millis(2)).await?;
            taken += u32::from(event.is_some());
        }
        Ok(taken)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_events_timeouts_and_cancels_deadlocks_nobody_and_leaves_nothing_half_done() {
    const EVENTS: u32 = 8;
    let database = support::database().await;
    let workers = [
        database.builder().cached_executions(0).register(Weathered).start().await.unwrap(),
        database.builder().register(Weathered).start().await.unwrap(),
    ];
    let client = database.client().await;
    let handles = client.start_many::<Weathered>(vec![EVENTS; 60]).await.unwrap();
    let storm = join_all(handles.iter().enumerate().map(|(number, handle)| {
        let (senders, id) = ([workers[0].clone(), workers[1].clone(), client.clone()], handle.id());
        tokio::spawn(async move {
            for event in 0..EVENTS {
                let sender = &senders[(number + event as usize) % 3];
                if let Err(error) = sender.send_event(id, "drop", &event).await {
                    assert_eq!(error.kind(), ErrorKind::Finished, "{error}");
                }
                if number % 3 == 0 && event == EVENTS / 2 {
                    sender.cancel(id, "storm").await.unwrap();
                }
            }
        })
    }));
    storm.await.into_iter().for_each(|sent| sent.unwrap());
    for (number, handle) in handles.iter().enumerate() {
        let result = handle.result_within(PATIENCE).await;
        if number % 3 == 0 {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::Cancelled);
        } else {
            assert_eq!(result.unwrap(), EVENTS);
        }
    }
    assert_eq!(database.count("select count(*) from durable.waits where outcome is null").await, 0);
    let failed = "select count(*) from durable.executions where state not in ('completed', 'cancelled')";
    assert_eq!(database.count(failed).await, 0);
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}
