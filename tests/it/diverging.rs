//! Diverging: code that no longer fits a journal is stopped before it does harm, told why, and goes on once it fits again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use durable::prelude::*;
use durable::{Execution, Workflow};
use futures_util::future::join as beside;
use serde_json::Value;

use crate::support::{self, Database, PATIENCE, clock};

/// How often any step of any release was called.
type Calls = Arc<AtomicUsize>;

/// Release 1: pays, sleeps, ships.
struct First(Calls);

#[workflow(name = "order")]
impl First {
    async fn run(&self, cx: &Context, cents: u64) -> Result<String> {
        let payment = self.pay(cents).await?;
        cx.sleep(hours(1)).await?;
        self.ship(payment).await
    }

    #[step]
    async fn pay(&self, cents: u64) -> Result<String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(format!("payment of {cents}"))
    }

    #[step]
    async fn ship(&self, payment: String) -> Result<String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(format!("shipped after {payment}"))
    }
}

/// The step was renamed, and nobody said so.
struct Renamed(Calls);

#[workflow(name = "order")]
impl Renamed {
    async fn run(&self, cx: &Context, cents: u64) -> Result<String> {
        let payment = self.charge(cents).await?;
        cx.sleep(hours(1)).await?;
        Ok(payment)
    }

    #[step]
    async fn charge(&self, cents: u64) -> Result<String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(format!("charge of {cents}"))
    }
}

/// The step was renamed, and the attribute says so; and there is a new one.
struct RenamedInWriting(Calls);

#[workflow(name = "order")]
impl RenamedInWriting {
    async fn run(&self, cx: &Context, cents: u64) -> Result<String> {
        let payment = self.charge(cents).await?;
        cx.sleep(hours(1)).await?;
        let checked = self.check(payment).await?;
        Ok(format!("{checked}, new release"))
    }

    #[step(was = "pay")]
    async fn charge(&self, cents: u64) -> Result<String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(format!("charge of {cents}"))
    }

    #[step]
    async fn check(&self, payment: String) -> Result<String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(format!("checked {payment}"))
    }
}

/// Pays another amount.
struct Dearer(Calls);

#[workflow(name = "order")]
impl Dearer {
    async fn run(&self, cx: &Context, cents: u64) -> Result<String> {
        let payment = self.pay(cents + 1).await?;
        cx.sleep(hours(1)).await?;
        Ok(payment)
    }

    #[step]
    async fn pay(&self, cents: u64) -> Result<String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(format!("payment of {cents}"))
    }
}

/// Expects a number where text was recorded.
struct Retyped(Calls);

#[workflow(name = "order")]
impl Retyped {
    async fn run(&self, cx: &Context, cents: u64) -> Result<String> {
        let payment = self.pay(cents).await?;
        cx.sleep(hours(1)).await?;
        Ok(payment.to_string())
    }

    #[step]
    async fn pay(&self, cents: u64) -> Result<u64> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(cents)
    }
}

/// Knows the step, and no longer calls it.
struct Forgetful(Calls);

#[workflow(name = "order")]
impl Forgetful {
    async fn run(&self, cx: &Context, cents: u64) -> Result<String> {
        if cents == 0 {
            return self.pay(cents).await;
        }
        cx.sleep(hours(1)).await?;
        Ok("for free".to_owned())
    }

    #[step]
    async fn pay(&self, cents: u64) -> Result<String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(format!("payment of {cents}"))
    }
}

/// Starts two steps at once, in one scope.
struct Impatient(Calls);

#[workflow(name = "order")]
impl Impatient {
    async fn run(&self, _cx: &Context, cents: u64) -> Result<String> {
        // Under a name that the macro does not know.
        let (one, other) = beside(self.pay(cents), self.note(cents)).await;
        Ok(format!("{}, {}", one?, other?))
    }

    #[step]
    async fn pay(&self, cents: u64) -> Result<String> {
        // It does not end before the other is started, or they would not overlap.
        std::future::pending::<()>().await;
        Ok(format!("payment of {cents}"))
    }

    #[step]
    async fn note(&self, cents: u64) -> Result<String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(format!("note of {cents}"))
    }
}

/// One after the other.
struct Calm(Calls);

#[workflow(name = "order")]
impl Calm {
    async fn run(&self, _cx: &Context, cents: u64) -> Result<String> {
        let one = self.pay(cents).await?;
        let other = self.note(cents).await?;
        Ok(format!("{one}, {other}"))
    }

    #[step]
    async fn pay(&self, cents: u64) -> Result<String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(format!("payment of {cents}"))
    }

    #[step]
    async fn note(&self, cents: u64) -> Result<String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(format!("note of {cents}"))
    }
}

/// An execution that release 1 left asleep, half an hour before it is due.
async fn left_by_first(database: &Database) -> (ExecutionId, Calls) {
    clock::freeze(database).await;
    let calls = Calls::default();
    let worker = database.builder().register(First(calls.clone())).start().await.unwrap();
    let id = worker.start::<First>(100).await.unwrap().id();
    clock::advance(database, minutes(30)).await;
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    worker.shutdown().await.unwrap();
    (id, calls)
}

/// Runs the next release when the sleep is over, and returns what stopped the execution.
async fn stopped_under<W: Workflow>(database: &Database, id: ExecutionId, release: W) -> Execution {
    let worker = database.builder().register(release).start().await.unwrap();
    clock::turn(database, hours(1)).await;
    let stopped = until_stopped(&worker, id).await;
    worker.shutdown().await.unwrap();
    stopped
}

async fn until_stopped(durable: &Durable, id: ExecutionId) -> Execution {
    support::eventually_some("the execution is stopped", async || {
        let execution = durable.get_execution(id).await.unwrap().execution;
        execution.error.is_some().then_some(execution)
    })
    .await
}

/// Asserts that it is stopped with that report, and that release 1 finishes it once it is resumed.
async fn assert_recoverable(database: &Database, stopped: &Execution, calls: &Calls, report: &[&str]) {
    assert_eq!(stopped.state, ExecutionState::Stopped);
    let failure = stopped.error.as_ref().unwrap();
    assert_eq!(failure.kind, ErrorKind::Diverged);
    for line in report {
        assert!(failure.message.contains(line), "no `{line}` in: {failure}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1, "nothing ran again");

    let worker = database.builder().register(First(calls.clone())).start().await.unwrap();
    worker.resume(stopped.id).await.unwrap();
    let result = worker.handle::<First>(stopped.id).result_within(PATIENCE).await.unwrap();
    assert_eq!(result, "shipped after payment of 100");
    assert_eq!(calls.load(Ordering::SeqCst), 2, "only what was left ran");
    assert!(worker.get_execution(stopped.id).await.unwrap().execution.error.is_none());
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_recorded_step_that_the_code_does_not_know_stops_the_execution_before_anything_runs() {
    let database = support::database().await;
    let (id, calls) = left_by_first(&database).await;
    let stopped = stopped_under(&database, id, Renamed(calls.clone())).await;
    let report = ["recorded: step pay", "expected: one of the steps charge", "#[step(was = \"pay\")]"];
    assert_recoverable(&database, &stopped, &calls, &report).await;
}

#[tokio::test]
async fn a_step_that_says_its_former_name_goes_on_under_the_new_one() {
    let database = support::database().await;
    let (id, calls) = left_by_first(&database).await;
    let worker = database.builder().register(RenamedInWriting(calls.clone())).start().await.unwrap();
    clock::advance(&database, hours(1)).await;
    let result = worker.handle::<RenamedInWriting>(id).result_within(PATIENCE).await.unwrap();
    assert_eq!(result, "checked payment of 100, new release", "a new step beside it breaks nothing");
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_recorded_step_called_with_other_arguments_stops_the_execution() {
    let database = support::database().await;
    let (id, calls) = left_by_first(&database).await;
    let stopped = stopped_under(&database, id, Dearer(calls.clone())).await;
    let report = [
        "step `step pay` is called with other arguments",
        "recorded: step pay, arguments ",
        ", output \"payment of 100\"",
        "expected: step pay, arguments ",
        ": (101)",
    ];
    assert_recoverable(&database, &stopped, &calls, &report).await;
}

#[tokio::test]
async fn a_recorded_output_of_another_type_stops_the_execution() {
    let database = support::database().await;
    let (id, calls) = left_by_first(&database).await;
    let stopped = stopped_under(&database, id, Retyped(calls.clone())).await;
    let report = ["returns another type", "recorded: step pay, output \"payment of 100\"", "expected: step pay, ", "u64"];
    assert_recoverable(&database, &stopped, &calls, &report).await;
}

#[tokio::test]
async fn an_entry_that_nobody_asked_for_stops_the_execution_before_it_completes() {
    let database = support::database().await;
    let (id, calls) = left_by_first(&database).await;
    let stopped = stopped_under(&database, id, Forgetful(calls.clone())).await;
    let report = ["returned without asking for what its journal recorded", "recorded: step pay", "expected: nothing more"];
    assert_recoverable(&database, &stopped, &calls, &report).await;
}

#[tokio::test]
async fn steps_that_overlap_in_one_scope_stop_the_execution() {
    let database = support::database().await;
    let calls = Calls::default();
    let worker = database.builder().register(Impatient(calls.clone())).start().await.unwrap();
    let id = worker.start::<Impatient>(100).await.unwrap().id();
    let error = worker.handle::<Impatient>(id).result_within(PATIENCE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    assert!(error.to_string().contains(&format!("execution {id} is stopped, and can be resumed: ")), "{error}");
    let stopped = until_stopped(&worker, id).await;
    let failure = stopped.error.unwrap();
    assert_eq!((stopped.state, failure.kind), (ExecutionState::Stopped, ErrorKind::Diverged));
    for line in ["`step note` was started while `step pay` is under way", "durable::join!"] {
        assert!(failure.message.contains(line), "{failure}");
    }
    worker.shutdown().await.unwrap();

    let worker = database.builder().register(Calm(calls.clone())).start().await.unwrap();
    worker.resume(id).await.unwrap();
    let result = worker.handle::<Calm>(id).result_within(PATIENCE).await.unwrap();
    assert_eq!(result, "payment of 100, note of 100");
    assert_eq!(calls.load(Ordering::SeqCst), 2, "each step ran once");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn only_a_stopped_execution_can_be_resumed() {
    let database = support::database().await;
    let (id, _) = left_by_first(&database).await;
    let client = database.client().await;
    let error = client.resume(id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Finished);
    assert!(error.to_string().contains("is waiting, neither paused nor stopped"), "{error}");
    let nobody = ExecutionId::from(uuid::Uuid::now_v7());
    assert_eq!(client.resume(nobody).await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// Draws what a replay must not draw anew.
struct Drawing;

#[workflow]
impl Drawing {
    async fn run(&self, cx: &Context, _: ()) -> Result<Vec<Value>> {
        let mut drawn = Vec::new();
        for _ in 0..2 {
            drawn.push(serde_json::to_value((cx.uuid(), cx.random(), cx.now().await?, cx.execution_id()))?);
        }
        let first = self.keep(drawn).await?;
        cx.sleep(hours(1)).await?;
        Ok(first)
    }

    #[step]
    async fn keep(&self, drawn: Vec<Value>) -> Result<Vec<Value>> {
        Ok(drawn)
    }
}

#[tokio::test]
async fn what_the_context_draws_is_new_each_time_and_the_same_at_a_replay() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().cached_executions(0).register(Drawing).start().await.unwrap();
    let one = worker.start::<Drawing>(()).await.unwrap();
    let other = worker.start::<Drawing>(()).await.unwrap();
    // The arguments of the step have a digest: another draw at the replay would stop the execution.
    clock::advance(&database, hours(1)).await;
    let one = one.result_within(PATIENCE).await.unwrap();
    let other = other.result_within(PATIENCE).await.unwrap();
    let ids = [&one[0][0], &one[1][0], &other[0][0], &other[1][0]].map(ToString::to_string);
    let numbers = [&one[0][1], &one[1][1], &other[0][1], &other[1][1]].map(ToString::to_string);
    for drawn in [ids, numbers] {
        assert_eq!(drawn.iter().collect::<std::collections::BTreeSet<_>>().len(), 4, "{drawn:?}");
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_result_of_an_execution_that_is_stopped_elsewhere_is_an_error_that_says_so() {
    let database = support::database().await;
    let (id, calls) = left_by_first(&database).await;
    let client = database.client().await;
    let handle = client.handle::<First>(id);
    let waiting = tokio::spawn(async move { handle.result_within(PATIENCE).await });
    let stopped = stopped_under(&database, id, Dearer(calls.clone())).await;
    for error in [waiting.await.unwrap(), client.handle::<First>(id).result_within(PATIENCE).await].map(Result::unwrap_err) {
        assert_eq!(error.kind(), ErrorKind::Diverged);
        assert!(error.to_string().contains("is called with other arguments"), "{error}");
    }
    assert_recoverable(&database, &stopped, &calls, &[]).await;
}

/// Takes at most two hours, and pays another amount at each replay.
struct Fickle(Calls);

#[workflow(timeout = "2h")]
impl Fickle {
    async fn run(&self, cx: &Context, (): ()) -> Result<String> {
        let cents = self.0.fetch_add(1, Ordering::SeqCst);
        self.pay(cents).await?;
        cx.sleep(hours(1)).await?;
        Ok("paid".to_owned())
    }

    #[step]
    async fn pay(&self, cents: usize) -> Result<usize> {
        Ok(cents)
    }
}

#[tokio::test]
async fn the_timeout_of_a_workflow_strikes_while_its_execution_is_stopped() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().cached_executions(0).register(Fickle(Calls::default())).start().await.unwrap();
    let handle = worker.start::<Fickle>(()).await.unwrap();
    clock::advance(&database, minutes(90)).await;
    let stopped = until_stopped(&worker, handle.id()).await;
    assert_eq!((stopped.state, stopped.error.unwrap().kind), (ExecutionState::Stopped, ErrorKind::Diverged));
    clock::advance(&database, hours(1)).await;
    let failed = handle.execution().await.unwrap();
    assert_eq!((failed.state, failed.error.unwrap().kind), (ExecutionState::Failed, ErrorKind::TimedOut));
    worker.shutdown().await.unwrap();
}

/// Asks what time it is, after a step and a wait.
struct Late;

#[workflow]
impl Late {
    async fn run(&self, cx: &Context, (): ()) -> Result<chrono::DateTime<chrono::Utc>> {
        self.note().await?;
        cx.wait_for_event::<()>("go").await?;
        cx.now().await
    }

    #[step]
    async fn note(&self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_time_in_run_is_not_earlier_than_what_is_recorded_when_the_database_s_clock_steps_back() {
    let database = support::database().await;
    let recorded_at = clock::freeze(&database).await;
    let worker = database.builder().register(Late).start().await.unwrap();
    let id = worker.start::<Late>(()).await.unwrap().id();
    database.eventually_value::<i32>("select 1 from durable.waits where kind = 'event'").await;
    worker.shutdown().await.unwrap();
    database.run("update durable.clock set frozen_at = frozen_at - interval '1 hour'").await;
    let worker = database.builder().register(Late).start().await.unwrap();
    worker.send_event(id, "go", &()).await.unwrap();
    let now = worker.handle::<Late>(id).result_within(PATIENCE).await.unwrap();
    assert!(now >= recorded_at, "{now} is before {recorded_at}");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_keyed_start_that_is_repeated_with_a_new_field_that_is_null_finds_the_first_one() {
    let database = support::database().await;
    let client = database.client().await;
    let start = |input: Value| client.start_by_name("order", &input).key("order-7").into_future();
    let first = start(serde_json::json!({"id": 7, "lines": [{"sku": "a"}]})).await.unwrap();
    let again = start(serde_json::json!({"id": 7, "lines": [{"sku": "a", "note": null}], "note": null})).await.unwrap();
    assert_eq!(first, again);
    for other in
        [serde_json::json!({"id": 8, "lines": [{"sku": "a"}]}), serde_json::json!({"id": 7, "lines": [{"sku": "a"}, null]})]
    {
        assert_eq!(start(other).await.unwrap_err().kind(), ErrorKind::Conflict);
    }
}
