//! Routing: a step with a queue of its own runs on the workers of that queue, and is else a step like any other.

mod changing;
mod crashing;
mod undoing;

pub(crate) use crashing::work;

use std::time::Duration;

use durable::observer::StepBegins;
use durable::prelude::*;
use durable::{Consent, Observer, QueueLimits};
use serde::{Deserialize, Serialize};

use crate::support::bodies::{Gate, Tally};
use crate::support::{self, Database, PATIENCE, clock, eventually, soon};

/// Trains models on machines that others do without.
#[derive(Clone)]
struct Study {
    /// On which machine this is.
    machine: &'static str,
    tally: Tally,
    gate: Gate,
}

impl Study {
    fn on(machine: &'static str) -> Self {
        Self { machine, tally: Tally::default(), gate: Gate::closed() }
    }

    fn on_another(&self, machine: &'static str) -> Self {
        Self { machine, ..self.clone() }
    }

    async fn worker(&self, database: &Database, queue: &str) -> Durable {
        database.builder().register(self.clone()).queue(queue, 10).start().await.unwrap()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Rates {
    first: f64,
    last: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Trouble {
    OutOfMemory(u32),
    Other(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "in trouble: {self:?}")
    }
}

impl std::error::Error for Trouble {}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Other(error.to_string())
    }
}

const RATES: Rates = Rates { first: 0.5, last: None };

#[workflow(queue = "studies")]
impl Study {
    async fn run(&self, cx: &Context, how: String) -> Result<String> {
        match how.as_str() {
            "one" => {
                let prepared = self.prepare("cats").await?;
                let trained = self.train(&prepared, [1, 2], RATES).await?;
                self.prepare(&trained).await
            }
            "many" => {
                let trained = cx.map(0..20_u32).concurrency(20).each(|seed| self.stand(seed)).await?;
                Ok(trained.join(" "))
            }
            "both" => {
                let (cats, dogs) = durable::join!(self.prepare("cats"), self.stand(1)).await?;
                Ok(format!("{cats}, {dogs}"))
            }
            "stubborn" => self.try_thrice().await,
            "slow" => {
                let error = self.be_slow().await.unwrap_err();
                Ok(format!("{:?}: {error}", error.kind()))
            }
            "memory" => match self.exhaust(512).await {
                Err(Trouble::OutOfMemory(limit)) => Ok(format!("needs more than {limit}")),
                other => Ok(format!("{other:?}")),
            },
            "race" => durable::race!(self.stand(1), self.prepare("cats")).await,
            "retried" => {
                let prepared = self.prepare("cats").await?;
                self.fail_once(&prepared).await
            }
            _ => self.train("nothing", [0, 0], Rates { first: f64::NAN, last: None }).await,
        }
    }

    #[step]
    async fn prepare(&self, what: &str) -> Result<String> {
        self.tally.add("prepare");
        Ok(format!("{what} on {}", self.machine))
    }

    #[step(queue = "gpu")]
    async fn train(&self, data: &str, [from, to]: [u32; 2], rates: Rates) -> Result<String> {
        self.tally.add("train");
        assert_eq!((from, to, rates), (1, 2, RATES));
        Ok(format!("{data}, trained on {}", self.machine))
    }

    #[step(queue = "gpu")]
    async fn stand(&self, seed: u32) -> Result<String> {
        self.tally.add(format!("stand {seed}"));
        self.gate.pass().await;
        Ok(format!("{seed}@{}", self.machine))
    }

    #[step(queue = "gpu", retry(max_attempts = 3, base = "1h"))]
    async fn try_thrice(&self) -> Result<String> {
        let attempt = self.tally.add("try");
        if attempt < 3 { Err(Error::new("not yet")) } else { Ok(format!("after {attempt} on {}", self.machine)) }
    }

    #[step(queue = "gpu", timeout = "1m")]
    async fn be_slow(&self) -> Result<String> {
        self.gate.pass().await;
        Ok("at last".to_owned())
    }

    #[step(queue = "gpu")]
    async fn exhaust(&self, limit: u32) -> Result<(), Trouble> {
        Err(Trouble::OutOfMemory(limit))
    }

    #[step(queue = "gpu")]
    async fn fail_once(&self, what: &str) -> Result<String> {
        let attempt = self.tally.add("fail once");
        self.tally.add(format!("key {}", durable::step().idempotency_key()));
        self.tally.add(format!("called by {}", durable::step().execution_id().unwrap()));
        if attempt == 1 { Err(Error::permanent("broken")) } else { Ok(format!("{what}, the second time")) }
    }
}

/// The executions that run steps in the queue `gpu`.
const ROUTED: &str = "select count(*) from durable.executions where queue = 'gpu'";

#[tokio::test]
async fn a_routed_step_runs_only_on_workers_of_its_queue_and_its_workflow_waits_without_a_slot() {
    let database = support::database().await;
    let study = Study::on("desk");
    let desk = study.worker(&database, "studies").await;

    let handle = desk.start::<Study>("one".to_owned()).await.unwrap();
    let waiting = "select count(*) from durable.executions where workflow = 'study' and state = 'waiting'";
    eventually("it waits for its step", async || database.count(waiting).await == 1).await;
    assert_eq!(database.value::<String>("select workflow from durable.executions where queue = 'gpu'").await, "study::train");
    assert_eq!(study.tally.count("train"), 0, "nobody works on that queue");

    let rig = study.on_another("rig").worker(&database, "gpu").await;
    let result = soon("trained", handle.result()).await.unwrap();
    assert_eq!(result, "cats on desk, trained on rig on desk");
    assert_eq!((study.tally.count("train"), study.tally.count("prepare")), (1, 2));
    assert_eq!(database.count(ROUTED).await, 1);
    for worker in [desk, rig] {
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn the_input_of_an_execution_that_runs_a_step_is_the_arguments_and_what_the_engine_needs_is_in_columns() {
    let database = support::database().await;
    let study = Study::on("desk");
    study.gate.let_pass(1);
    let durable = database.builder().register(study).start().await.unwrap();
    let handle = durable.start::<Study>("both".to_owned()).await.unwrap();
    soon("both", handle.result()).await.unwrap();
    let input = "select input::text from durable.executions where queue = 'gpu'";
    assert_eq!(database.value::<String>(input).await, r#"{"seed":1}"#);
    let columns = "select concat_ws(', ', step_key, owner_id, owner_namespace, undo_on_failure) from durable.executions where queue = 'gpu'";
    let id = handle.id();
    assert_eq!(database.value::<String>(columns).await, format!("join/1/step stand, {id}, {id}, f"));
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_step_that_is_started_by_its_name_says_that_a_workflow_must_call_it() {
    let database = support::database().await;
    let durable = database.builder().register(Study::on("desk")).start().await.unwrap();
    let started = durable.start_by_name("study::stand", &serde_json::json!({"seed": 1})).queue("gpu").await.unwrap();
    let error = soon("refused", durable.handle::<Study>(started).result()).await.unwrap_err();
    assert!(error.to_string().contains("step `stand` was started by its name"), "{error}");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_process_that_lists_no_queues_works_on_those_of_its_steps_too() {
    let database = support::database().await;
    let durable = database.builder().register(Study::on("desk")).start().await.unwrap();
    let handle = durable.start::<Study>("one".to_owned()).await.unwrap();
    assert_eq!(soon("trained", handle.result()).await.unwrap(), "cats on desk, trained on desk on desk");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn outside_an_execution_a_routed_step_runs_in_place() {
    let study = Study::on("test");
    assert_eq!(study.train("cats", [1, 2], RATES).await.unwrap(), "cats, trained on test");
}

#[tokio::test]
async fn routed_steps_of_a_map_run_beside_each_other_within_the_limits_of_their_queue() {
    let database = support::database().await;
    let study = Study::on("rig");
    let limits = QueueLimits::default().concurrency(5);
    let durable = database
        .builder()
        .register(study.clone())
        .queue("studies", 1)
        .queue("gpu", 100)
        .queue_limits("gpu", limits)
        .start()
        .await;
    let durable = durable.unwrap();

    let handle = durable.start::<Study>("many".to_owned()).await.unwrap();
    study.gate.until_inside(5).await;
    study.gate.let_pass(20);
    let all: Vec<String> = (0..20).map(|seed| format!("{seed}@rig")).collect();
    assert_eq!(soon("all trained", handle.result()).await.unwrap(), all.join(" "));
    assert_eq!(study.gate.most_inside(), 5);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_branch_goes_on_while_a_routed_step_of_another_is_under_way() {
    let database = support::database().await;
    let study = Study::on("desk");
    let desk = study.worker(&database, "studies").await;
    let rig = study.on_another("rig").worker(&database, "gpu").await;
    let handle = desk.start::<Study>("both".to_owned()).await.unwrap();
    study.gate.until_inside(1).await;
    eventually("the other branch is done", async || study.tally.count("prepare") == 1).await;
    study.gate.let_pass(1);
    assert_eq!(soon("both", handle.result()).await.unwrap(), "cats on desk, 1@rig");
    for worker in [desk, rig] {
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_routed_step_is_retried_where_it_runs() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let study = Study::on("desk");
    let desk = study.worker(&database, "studies").await;
    let rig = study.on_another("rig").worker(&database, "gpu").await;
    let handle = desk.start::<Study>("stubborn".to_owned()).await.unwrap();
    for attempt in 1..=2 {
        let parked = "select count(*) from durable.executions where queue = 'gpu' and state = 'waiting' and wake_at is not null";
        eventually("it sits out its back-off", async || study.tally.count("try") == attempt && database.count(parked).await == 1)
            .await;
        clock::turn(&database, hours(3)).await;
    }
    assert_eq!(soon("at the third attempt", handle.result()).await.unwrap(), "after 3 on rig");
    for worker in [desk, rig] {
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn the_timeout_of_a_routed_step_counts_from_when_it_begins_there() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let study = Study::on("desk");
    let desk = study.worker(&database, "studies").await;
    let handle = desk.start::<Study>("slow".to_owned()).await.unwrap();
    eventually("it is in the queue", async || database.count(ROUTED).await == 1).await;
    clock::turn(&database, hours(1)).await;

    let rig = study.on_another("rig").worker(&database, "gpu").await;
    study.gate.until_inside(1).await;
    clock::turn(&database, seconds(61)).await;
    let message = soon("timed out", handle.result()).await.unwrap();
    assert_eq!(message, "TimedOut: step `be_slow` took longer than its timeout of 60s");
    for worker in [desk, rig] {
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn an_error_of_a_routed_step_keeps_its_type() {
    let database = support::database().await;
    let durable = database.builder().register(Study::on("desk")).start().await.unwrap();
    let handle = durable.start::<Study>("memory".to_owned()).await.unwrap();
    assert_eq!(soon("failed", handle.result()).await.unwrap(), "needs more than 512");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_argument_that_json_cannot_hold_fails_the_step_and_sends_nothing() {
    let database = support::database().await;
    let durable = database.builder().register(Study::on("desk")).start().await.unwrap();
    let handle = durable.start::<Study>("not a number".to_owned()).await.unwrap();
    let error = soon("refused", handle.result()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Payload);
    assert_eq!(error.to_string(), "the argument `rates` cannot be stored: first is NaN, which JSON cannot hold");
    assert_eq!(database.count(ROUTED).await, 0);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn cancelling_a_workflow_or_losing_a_race_cancels_the_routed_step() {
    let database = support::database().await;
    let study = Study::on("desk");
    let desk = study.worker(&database, "studies").await;
    let rig = study.on_another("rig").worker(&database, "gpu").await;
    let cancelled = "select count(*) from durable.executions where queue = 'gpu' and state = 'cancelled'";

    let both = desk.start::<Study>("both".to_owned()).await.unwrap();
    study.gate.until_inside(1).await;
    desk.cancel(both.id(), "enough").await.unwrap();
    eventually("the first is cancelled", async || database.count(cancelled).await == 1).await;

    let race = desk.start::<Study>("race".to_owned()).await.unwrap();
    assert_eq!(soon("the race", race.result()).await.unwrap(), "cats on desk");
    let unfinished = "select count(*) from durable.executions where finished_at is null";
    eventually("nothing goes on", async || database.count(unfinished).await == 0).await;
    study.gate.until_inside(0).await;
    for worker in [desk, rig] {
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn cancelling_the_execution_of_a_routed_step_fails_the_step_and_says_so() {
    let database = support::database().await;
    let study = Study::on("desk");
    let desk = study.worker(&database, "studies").await;
    let handle = desk.start::<Study>("one".to_owned()).await.unwrap();
    let routed: uuid::Uuid = database.eventually_value("select execution_id from durable.executions where queue = 'gpu'").await;
    desk.cancel(routed.into(), "too dear").await.unwrap();
    let error = soon("failed", handle.result()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("step `train` (execution {routed}): too dear"));
    desk.shutdown().await.unwrap();
}

#[tokio::test]
async fn retrying_an_execution_runs_its_failed_routed_step_again_and_no_other() {
    let database = support::database().await;
    let study = Study::on("desk");
    let durable = database.builder().register(study.clone()).start().await.unwrap();
    let handle = durable.start::<Study>("retried".to_owned()).await.unwrap();
    let error = soon("failed", handle.result()).await.unwrap_err();
    assert_eq!(error.to_string(), "broken");

    let again = durable.retry(handle.id()).await.unwrap();
    assert_eq!(durable.handle::<Study>(again).result_within(PATIENCE).await.unwrap(), "cats on desk, the second time");
    assert_eq!((study.tally.count("prepare"), study.tally.count("fail once")), (1, 2));
    let labels = study.tally.labels();
    let labelled = |word: &str| labels.iter().filter(|label| label.starts_with(word)).count();
    assert_eq!(labelled("key "), 1, "both calls have one idempotency key");
    assert_eq!(labelled("called by "), 2, "each knows who called it");
    assert_eq!(study.tally.count(&format!("called by {again}")), 1);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_routed_step_is_as_urgent_as_its_workflow_and_takes_turns_with_its_key() {
    let database = support::database().await;
    let desk = Study::on("desk").worker(&database, "studies").await;
    let _urgent = desk.start::<Study>("one".to_owned()).priority(7).concurrency_key("ada").await.unwrap();
    eventually("it is in the queue", async || database.count(ROUTED).await == 1).await;
    let inherited = "select priority || ' ' || concurrency_key from durable.executions where queue = 'gpu'";
    assert_eq!(database.value::<String>(inherited).await, "7 ada");
    desk.shutdown().await.unwrap();
}

/// Lets no model be trained.
struct Forbids;

impl Observer for Forbids {
    fn before_step(&self, step: &StepBegins) -> Consent {
        if step.key == "step exhaust" { Consent::refuse("too dear") } else { Consent::Proceed }
    }
}

#[tokio::test]
async fn a_routed_step_that_an_observer_refuses_ends_its_workflow() {
    let database = support::database().await;
    let durable = database.builder().register(Study::on("desk")).observe(Forbids).start().await.unwrap();
    // It would handle any error of the step.
    let handle = durable.start::<Study>("memory".to_owned()).await.unwrap();
    let error = soon("refused", handle.result()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("too dear"), "{error}");
    durable.shutdown().await.unwrap();
}

/// Enters what it is told in a ledger that only some machines may write to.
struct Ledger;

#[workflow(queue = "offices")]
impl Ledger {
    async fn run(&self, _cx: &Context, cents: i64) -> Result<i64> {
        self.enter(cents).await
    }

    #[step(queue = "vault", transaction)]
    async fn enter(&self, tx: &mut Transaction, cents: i64) -> Result<i64> {
        let enter = "insert into entries values ($1) returning cents";
        Ok(durable::sqlx::query_scalar(enter).bind(cents).fetch_one(&mut **tx).await?)
    }
}

#[tokio::test]
async fn a_routed_step_may_be_transactional() {
    let database = support::database().await;
    database.run("create table entries (cents int8)").await;
    let durable = database.builder().register(Ledger).start().await.unwrap();
    let handle = durable.start::<Ledger>(7).await.unwrap();
    assert_eq!(soon("entered", handle.result()).await.unwrap(), 7);
    let together = "select count(*) from entries join durable.checkpoints on entries.xmin = checkpoints.xmin";
    assert_eq!(database.count(together).await, 1);
    durable.shutdown().await.unwrap();
}

/// How long a worker of these tests looks away between two polls.
const POLL: Duration = Duration::from_millis(200);
