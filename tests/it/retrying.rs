//! Retrying: as often and as late as the step says, with a budget that survives a crash, holding no slot meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use durable::prelude::*;
use durable::{AttemptOutcome, Error, chrono};
use serde::{Deserialize, Serialize};

use crate::support::{self, Database, PATIENCE, clock, eventually};

const WAITING: &str = "select count(*) from durable.executions where state = 'waiting'";

/// A step that fails until its last attempt, for each kind of back-off.
struct Stubborn;

#[workflow]
impl Stubborn {
    async fn run(&self, _cx: &Context, kind: String) -> Result<u32> {
        match kind.as_str() {
            "exponential" => self.exponential().await,
            "linear" => self.linear().await,
            "constant" => self.constant().await,
            _ => self.spread().await,
        }
    }

    #[step(retry(max_attempts = 6, backoff = exponential, base = "10s", max = "1m", jitter = 0.0))]
    async fn exponential(&self) -> Result<u32> {
        at_attempt(6)
    }

    #[step(retry(max_attempts = 4, backoff = linear, base = "2s", max = "1m", jitter = 0.0))]
    async fn linear(&self) -> Result<u32> {
        at_attempt(4)
    }

    #[step(retry(max_attempts = 4, backoff = constant, base = "1s", max = "1m", jitter = 0.0))]
    async fn constant(&self) -> Result<u32> {
        at_attempt(4)
    }

    #[step(retry(max_attempts = 4, backoff = constant, base = "100s", max = "1h", jitter = 0.5))]
    async fn spread(&self) -> Result<u32> {
        at_attempt(4)
    }
}

fn at_attempt(last: u32) -> Result<u32> {
    let attempt = durable::step().attempt();
    if attempt < last { Err(Error::new(format!("attempt {attempt} is too early"))) } else { Ok(attempt) }
}

/// Fails with what it is given.
struct Picky {
    calls: Arc<AtomicUsize>,
}

#[workflow]
impl Picky {
    async fn run(&self, _cx: &Context, kind: String) -> Result<()> {
        if kind == "once" { self.once().await } else { self.fail(kind).await }
    }

    #[step(retry(max_attempts = 3, backoff = constant, base = "1m", jitter = 0.0))]
    async fn fail(&self, kind: String) -> Result<()> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match kind.as_str() {
            "permanent" => Err(Error::permanent("the card was stolen")),
            "later" => Err(Error::retry_after(hours(5), "closed until noon")),
            _ => Err(Error::new("no connection")),
        }
    }

    #[step]
    async fn once(&self) -> Result<()> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        Err(Error::new("and that is that"))
    }
}

struct Echo;

#[workflow]
impl Echo {
    async fn run(&self, _cx: &Context, text: String) -> Result<String> {
        Ok(text)
    }
}

#[derive(Debug, Serialize, Deserialize)]
enum PaymentError {
    Declined { code: u16 },
    Other(String),
}

impl std::fmt::Display for PaymentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the payment failed: {self:?}")
    }
}

impl std::error::Error for PaymentError {}

impl From<Error> for PaymentError {
    fn from(error: Error) -> Self {
        Self::Other(error.to_string())
    }
}

/// Decides by the type of an error, again after each replay.
struct Cashier {
    charges: Arc<AtomicUsize>,
}

#[workflow]
impl Cashier {
    async fn run(&self, cx: &Context, _: ()) -> Result<u16> {
        let declined = self.charge().await;
        cx.sleep(minutes(1)).await?;
        match declined {
            Err(PaymentError::Declined { code }) => Ok(code),
            other => Err(Error::new(format!("not what was returned: {other:?}"))),
        }
    }

    #[step]
    async fn charge(&self) -> Result<(), PaymentError> {
        self.charges.fetch_add(1, Ordering::SeqCst);
        Err(PaymentError::Declined { code: 402 })
    }
}

/// Its second attempt begins and never ends, until someone says so.
struct Unlucky {
    calls: Arc<AtomicUsize>,
    hangs: bool,
}

#[workflow]
impl Unlucky {
    async fn run(&self, _cx: &Context, _: ()) -> Result<u32> {
        self.attempt().await
    }

    #[step(retry(max_attempts = 3, backoff = constant, base = "1m", jitter = 0.0))]
    async fn attempt(&self) -> Result<u32> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let attempt = durable::step().attempt();
        if self.hangs && attempt == 2 {
            std::future::pending::<()>().await;
        }
        Err(Error::new(format!("attempt {attempt} failed")))
    }
}

/// The recorded delays after each failed attempt of the only step.
async fn delays(database: &Database, id: ExecutionId) -> Vec<f64> {
    database
        .values(&format!(
            "select extract(epoch from retry_at - finished_at)::float8 from durable.attempts \
             where execution_id = '{id}' order by attempt"
        ))
        .await
}

#[tokio::test]
async fn delays_follow_the_formula_of_their_back_off() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Stubborn).start().await.unwrap();
    for (kind, expected) in
        [("exponential", &[10.0, 20.0, 40.0, 60.0, 60.0][..]), ("linear", &[2.0, 4.0, 6.0]), ("constant", &[1.0, 1.0, 1.0])]
    {
        let handle = worker.start::<Stubborn>(kind.to_owned()).await.unwrap();
        clock::advance(&database, hours(1)).await;
        let attempts = handle.result_within(PATIENCE).await.unwrap();
        assert_eq!(attempts as usize, expected.len() + 1, "{kind}");
        assert_eq!(delays(&database, handle.id()).await, expected, "{kind}");
        // By the stopped clock each attempt starts exactly when it is due.
        let details = worker.get_execution(handle.id()).await.unwrap();
        let starts: Vec<_> = details.steps[0].attempts.iter().map(|attempt| attempt.started_at).collect();
        let gaps: Vec<f64> = starts.windows(2).map(|pair| (pair[1] - pair[0]).as_seconds_f64()).collect();
        assert_eq!(gaps.iter().map(|gap| gap.round()).collect::<Vec<_>>(), expected, "{kind}");
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn jitter_spreads_the_delays_of_executions_that_failed_together() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Stubborn).start().await.unwrap();
    let handles = worker.start_many::<Stubborn>((0..20).map(|_| "spread".to_owned())).await.unwrap();
    clock::advance(&database, hours(1)).await;
    let mut all = Vec::new();
    for handle in &handles {
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), 4);
        let delays = delays(&database, handle.id()).await;
        assert_eq!(delays.len(), 3);
        assert!(delays.iter().all(|delay| (50.0..=150.0).contains(delay)), "{delays:?}");
        all.extend(delays.iter().map(|delay| delay.round().to_string()));
    }
    all.sort_unstable();
    all.dedup();
    assert!(all.len() > 20, "60 delays, but only {} different ones", all.len());
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn ten_executions_in_a_long_back_off_leave_all_ten_slots_free() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let worker =
        database.builder().queue("default", 10).register(Picky { calls: calls.clone() }).register(Echo).start().await.unwrap();
    worker.start_many::<Picky>((0..10).map(|_| "often".to_owned())).await.unwrap();
    eventually("all are in their back-off", async || database.count(WAITING).await == 10).await;
    assert_eq!(calls.load(Ordering::SeqCst), 10);
    let eleventh = worker.start::<Echo>("there is room".to_owned()).await.unwrap();
    assert_eq!(eleventh.result_within(PATIENCE).await.unwrap(), "there is room");
    assert_eq!(database.count(WAITING).await, 10);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn every_attempt_is_recorded_and_the_last_error_is_the_step_s() {
    let database = support::database().await;
    let start = clock::freeze(&database).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let worker = database.builder().register(Picky { calls: calls.clone() }).start().await.unwrap();
    let handle = worker.start::<Picky>("often".to_owned()).await.unwrap();
    clock::advance(&database, hours(1)).await;
    let error = handle.result_within(PATIENCE).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Failed, "no connection".to_owned()));
    assert_eq!(calls.load(Ordering::SeqCst), 3);

    let details = worker.get_execution(handle.id()).await.unwrap();
    assert_eq!(details.execution.state, ExecutionState::Failed);
    let [step] = &details.steps[..] else { panic!("{:?}", details.steps) };
    assert_eq!(step.key, "step fail");
    assert_eq!(step.error.as_ref().unwrap().message, "no connection");
    assert_eq!(step.attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 2, 3]);
    for (nth, attempt) in (0..).zip(&step.attempts) {
        assert_eq!(attempt.outcome, AttemptOutcome::Failed);
        assert_eq!(attempt.error.as_ref().unwrap().message, "no connection");
        assert_eq!(attempt.finished_at, Some(start + TimeDelta::minutes(nth)));
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_permanent_error_and_a_step_without_retry_have_one_attempt() {
    let database = support::database().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let worker = database.builder().register(Picky { calls: calls.clone() }).start().await.unwrap();
    for (kind, message) in [("permanent", "the card was stolen"), ("once", "and that is that")] {
        calls.store(0, Ordering::SeqCst);
        let handle = worker.start::<Picky>(kind.to_owned()).await.unwrap();
        assert_eq!(handle.result_within(PATIENCE).await.unwrap_err().to_string(), message);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        let details = worker.get_execution(handle.id()).await.unwrap();
        assert_eq!(details.steps[0].attempts.len(), 1);
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_error_may_say_when_the_next_attempt_is_due() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let calls = Arc::new(AtomicUsize::new(0));
    let worker = database.builder().register(Picky { calls: calls.clone() }).start().await.unwrap();
    let handle = worker.start::<Picky>("later".to_owned()).await.unwrap();
    eventually("it waits", async || database.count(WAITING).await == 1).await;
    clock::advance(&database, hours(5) - Duration::from_millis(1)).await;
    assert_eq!(calls.load(Ordering::SeqCst), 1, "no sooner than it asked for");
    clock::advance(&database, hours(6)).await;
    assert_eq!(handle.result_within(PATIENCE).await.unwrap_err().to_string(), "closed until noon");
    assert_eq!(calls.load(Ordering::SeqCst), 3, "and no more often than the step says");
    assert_eq!(delays(&database, handle.id()).await, [18_000.0, 18_000.0]);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_error_of_the_user_s_own_keeps_its_type_after_a_replay() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let charges = Arc::new(AtomicUsize::new(0));
    let worker = database.builder().cached_executions(0).register(Cashier { charges: charges.clone() }).start().await.unwrap();
    let handle = worker.start::<Cashier>(()).await.unwrap();
    clock::advance(&database, minutes(1)).await;
    assert_eq!(handle.result_within(PATIENCE).await.unwrap(), 402);
    assert_eq!(charges.load(Ordering::SeqCst), 1);
    let details = worker.get_execution(handle.id()).await.unwrap();
    let failure = details.steps[0].error.as_ref().unwrap();
    assert_eq!(failure.value.as_ref().unwrap().get(), r#"{"Declined":{"code":402}}"#);
    assert!(failure.error_type.as_ref().unwrap().ends_with("PaymentError"), "{failure:?}");
    worker.shutdown().await.unwrap();
}

#[test]
fn an_attempt_that_a_crash_interrupted_counts_against_the_budget() {
    // A runtime of its own for the first worker: dropping it is what a crash is to the database.
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let (database, id) = runtime.block_on(async {
        let database = support::database().await;
        clock::freeze(&database).await;
        let client = database.client().await;
        let id = client.start::<Unlucky>(()).await.unwrap().id();
        (database, id)
    });
    let first = Unlucky { calls: calls.clone(), hangs: true };
    let worker = doomed.block_on(async { database.builder().register(first).start().await.unwrap() });
    runtime.block_on(async {
        eventually("the first attempt failed", async || database.count(WAITING).await == 1).await;
        clock::turn(&database, minutes(1)).await;
        eventually("the second attempt is under way", async || calls.load(Ordering::SeqCst) == 2).await;
    });
    doomed.shutdown_background();
    drop(worker);

    runtime.block_on(async {
        let second = Unlucky { calls: calls.clone(), hangs: false };
        let worker = database.builder().register(second).start().await.unwrap();
        // Once the first worker's lease is over, the survivor takes the execution up.
        clock::turn_past_leases(&database, minutes(2)).await;
        let error = worker.handle::<Unlucky>(id).result_within(PATIENCE).await.unwrap_err();
        assert_eq!(error.to_string(), "attempt 3 failed");
        assert_eq!(calls.load(Ordering::SeqCst), 3, "one attempt was left");
        let details = worker.get_execution(id).await.unwrap();
        let attempts = &details.steps[0].attempts;
        assert_eq!(attempts.len(), 3);
        assert!(attempts[1].error.as_ref().unwrap().message.contains("the worker was lost"), "{attempts:?}");
        worker.shutdown().await.unwrap();
    });
}
