//! Timing out: a step or workflow that takes too long is interrupted, whatever it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use durable::Durable;
use durable::prelude::*;

use crate::support::{self, PATIENCE, clock, eventually};

/// How often bodies began, and how often they were dropped before their end.
#[derive(Clone, Default)]
struct Bodies {
    begun: Arc<AtomicUsize>,
    interrupted: Arc<AtomicUsize>,
}

impl Bodies {
    /// Never returns; counts its begin and its interruption.
    async fn hang(&self) {
        // Only once it has been polled again does the engine have its timers set.
        tokio::task::yield_now().await;
        let _interruption = Interruption(self.interrupted.clone());
        self.begun.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<()>().await;
    }

    async fn until_begun(&self, times: usize) {
        eventually("the body has begun", async || self.begun.load(Ordering::SeqCst) == times).await;
    }
}

struct Interruption(Arc<AtomicUsize>);

impl Drop for Interruption {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A step that hangs at its first attempts.
struct Hanging {
    bodies: Bodies,
}

#[workflow]
impl Hanging {
    async fn run(&self, _cx: &Context, hangs: u32) -> Result<u32> {
        self.ask(hangs).await
    }

    #[step(timeout = "30s", retry(max_attempts = 2, backoff = constant, base = "10s", jitter = 0.0))]
    async fn ask(&self, hangs: u32) -> Result<u32> {
        let attempt = durable::step().attempt();
        if attempt <= hangs {
            self.bodies.hang().await;
        }
        Ok(attempt)
    }
}

/// Takes its time in the way it is told.
struct Slow {
    bodies: Bodies,
}

#[workflow(timeout = "2h")]
impl Slow {
    async fn run(&self, cx: &Context, how: String) -> Result<()> {
        match how.as_str() {
            "step" => self.hang().await,
            "sleep" => cx.sleep(days(1)).await,
            "event" => cx.wait_for_event("never").await,
            "retry" => self.retry().await,
            "swallow" => loop {
                // Whoever ignores every error does not get around a timeout.
                let _ = self.hang().await;
            },
            _ => {
                cx.sleep(hours(2) - seconds(1)).await?;
                self.finish().await
            }
        }
    }

    #[step]
    async fn hang(&self) -> Result<()> {
        self.bodies.hang().await;
        Ok(())
    }

    #[step(retry(max_attempts = 2, backoff = constant, base = "5h", max = "5h"))]
    async fn retry(&self) -> Result<()> {
        Err(durable::Error::new("not now"))
    }

    #[step]
    async fn finish(&self) -> Result<()> {
        self.bodies.begun.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

async fn assert_timed_out(durable: &Durable, handle: &ExecutionHandle<Slow>) {
    let error = handle.result_within(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(error.to_string().contains("longer than its workflow's timeout"), "{error}");
    let execution = durable.get_execution(handle.id()).await.unwrap().execution;
    assert_eq!(execution.state, ExecutionState::Failed);
    assert_eq!(execution.finished_at, execution.deadline_at, "by the stopped clock, exactly when it is over");
}

#[tokio::test]
async fn a_step_is_interrupted_at_its_timeout_and_tried_again() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let bodies = Bodies::default();
    let worker = database.builder().register(Hanging { bodies: bodies.clone() }).start().await.unwrap();
    let handle = worker.start::<Hanging>(1).await.unwrap();
    bodies.until_begun(1).await;
    clock::turn(&database, seconds(30) - Duration::from_micros(1)).await;
    // The other execution has gone through a whole step by the new time: the first body still runs.
    let other = worker.start::<Hanging>(0).await.unwrap();
    assert_eq!(other.result_within(PATIENCE).await.unwrap(), 1);
    assert_eq!(bodies.interrupted.load(Ordering::SeqCst), 0);

    clock::turn(&database, Duration::from_micros(1)).await;
    eventually("the attempt is over", async || {
        database.count("select count(*) from durable.executions where state = 'waiting'").await == 1
    })
    .await;
    assert_eq!(bodies.interrupted.load(Ordering::SeqCst), 1);
    clock::advance(&database, seconds(10)).await;
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), 2);
    let details = worker.get_execution(handle.id()).await.unwrap();
    let failure = details.steps[0].attempts[0].error.as_ref().unwrap();
    assert_eq!(failure.kind, ErrorKind::TimedOut);
    assert!(failure.message.contains("step `ask` took longer than its timeout of 30s"), "{failure}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_step_that_times_out_at_its_last_attempt_fails_with_that() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let bodies = Bodies::default();
    let worker = database.builder().register(Hanging { bodies: bodies.clone() }).start().await.unwrap();
    let handle = worker.start::<Hanging>(2).await.unwrap();
    bodies.until_begun(1).await;
    clock::turn(&database, seconds(30)).await;
    eventually("it waits for its second attempt", async || {
        database.count("select count(*) from durable.executions where state = 'waiting'").await == 1
    })
    .await;
    clock::turn(&database, seconds(10)).await;
    bodies.until_begun(2).await;
    clock::turn(&database, seconds(30)).await;
    let error = handle.result_within(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert_eq!(bodies.interrupted.load(Ordering::SeqCst), 2);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_workflow_is_interrupted_at_its_timeout_while_a_step_runs() {
    let database = support::database().await;
    clock::freeze(&database).await;
    for how in ["step", "swallow"] {
        let bodies = Bodies::default();
        let worker = database.builder().register(Slow { bodies: bodies.clone() }).start().await.unwrap();
        let handle = worker.start::<Slow>(how.to_owned()).await.unwrap();
        bodies.until_begun(1).await;
        clock::turn(&database, hours(2)).await;
        assert_timed_out(&worker, &handle).await;
        eventually("the body was interrupted", async || bodies.interrupted.load(Ordering::SeqCst) == 1).await;
        assert_eq!(bodies.begun.load(Ordering::SeqCst), 1, "no further step begins");
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_workflow_is_failed_at_its_timeout_while_it_waits() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let bodies = Bodies::default();
    for cached in [100, 0] {
        let worker =
            database.builder().cached_executions(cached).register(Slow { bodies: bodies.clone() }).start().await.unwrap();
        let mut handles = Vec::new();
        for how in ["sleep", "event", "retry"] {
            handles.push(worker.start::<Slow>(how.to_owned()).await.unwrap());
        }
        eventually("all wait", async || {
            database.count("select count(*) from durable.executions where state = 'waiting'").await == 3
        })
        .await;
        clock::advance(&database, hours(2) - seconds(1)).await;
        for handle in &handles {
            assert_eq!(handle.execution().await.unwrap().state, ExecutionState::Waiting);
        }
        clock::advance(&database, hours(1)).await;
        for handle in &handles {
            assert_timed_out(&worker, handle).await;
        }
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_workflow_s_timeout_counts_from_its_first_claim() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let bodies = Bodies::default();
    let worker = database.builder().register(Slow { bodies: bodies.clone() }).start().await.unwrap();
    let handle = worker.start::<Slow>("just in time".to_owned()).delay(days(7)).await.unwrap();
    clock::advance(&database, days(8)).await;
    handle.result_within(PATIENCE).await.unwrap();
    assert_eq!(bodies.begun.load(Ordering::SeqCst), 1);
    worker.shutdown().await.unwrap();
}
