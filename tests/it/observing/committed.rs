//! What is committed is told once, and what is not is not told.

use durable::FiringOutcome;
use durable::observer::{InputAnswered, ScheduleFired, StepRecorded};

use super::*;
use crate::support::bodies::Gate;
use crate::support::proxy::{Fate, Moment, Proxy, Trap};

/// Keeps what is committed of steps, executions, schedules and answers.
#[derive(Clone, Default)]
struct Ledger(Arc<Mutex<Vec<String>>>);

impl Ledger {
    fn enter(&self, entry: String) {
        self.0.lock().unwrap().push(entry);
    }

    fn entries(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for Ledger {
    fn on_start(&self, execution: &ExecutionStarted) {
        self.enter(format!("{} began", execution.execution.workflow));
    }

    fn on_checkpoint(&self, step: &StepRecorded) {
        let error = step.error.as_ref().map_or("ok", |error| error.message.as_str());
        self.enter(format!("{} {}: {error}", step.key, step.attempt));
    }

    fn on_complete(&self, execution: &ExecutionCompleted) {
        self.enter(format!("{} completed", execution.execution.workflow));
    }

    fn on_failure(&self, execution: &ExecutionFailed) {
        self.enter(format!("{} {}", execution.execution.workflow, execution.state));
    }

    fn on_firing(&self, firing: &ScheduleFired) {
        assert_eq!(firing.execution_id.is_some(), firing.outcome == FiringOutcome::Started);
        self.enter(format!("{} {:?} at {}", firing.schedule, firing.outcome, firing.due_at));
    }

    fn on_answer(&self, answer: &InputAnswered) {
        self.enter(format!("{} answered by {:?}", answer.name, answer.answered_by));
    }
}

/// Stands at a gate, in its only step.
struct Slow(Gate);

#[workflow(name = "told_slow")]
impl Slow {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        self.stand().await
    }

    #[step]
    async fn stand(&self) -> Result<()> {
        self.0.pass().await;
        Ok(())
    }
}

/// Asks, and does what it is told in a transaction.
struct Ask;

#[workflow(name = "told_ask")]
impl Ask {
    async fn run(&self, cx: &Context, _: ()) -> Result<()> {
        let answer: String = cx.wait_for_input("what").await?;
        self.note(&answer).await
    }

    #[step(transaction)]
    async fn note(&self, tx: &mut Transaction, _answer: &str) -> Result<()> {
        durable::sqlx::query("select 1").execute(&mut **tx).await?;
        Ok(())
    }
}

/// Is no longer held by its worker when its first step ends.
struct Robbed(durable::sqlx::PgPool);

#[workflow(name = "told_robbed")]
impl Robbed {
    async fn run(&self, _cx: &Context, _: ()) -> Result<()> {
        self.be_robbed().await
    }

    #[step]
    async fn be_robbed(&self) -> Result<()> {
        durable::sqlx::query("update durable.executions set state = 'pending', worker_id = null where epoch = 1")
            .execute(&self.0)
            .await?;
        Ok(())
    }
}

#[tokio::test]
async fn steps_are_told_when_they_are_on_record() {
    let ledger = Ledger::default();
    let (_, _, done) = book_trip(|builder| builder.observe(ledger.clone())).await;
    assert_eq!(done.len(), 5);
    let expected = [
        "book_trip began",
        "step book_flight 1: ok",
        "step book_hotel 1: ok",
        "step pay 1: no money",
        "undo/step book_hotel 1: ok",
        "undo/step book_flight 1: ok",
        "book_trip compensated",
    ];
    assert_eq!(ledger.entries(), expected);
}

#[tokio::test]
async fn what_is_written_for_an_execution_that_is_no_longer_held_is_not_told() {
    let (database, ledger) = (support::database().await, Ledger::default());
    let durable = database.builder().observe(ledger.clone()).register(Robbed(database.pool().clone())).start().await.unwrap();
    // It is claimed anew, and runs again.
    soon("its end", durable.start::<Robbed>(()).await.unwrap().result()).await.unwrap();
    durable.shutdown().await.unwrap();
    assert_eq!(ledger.entries(), ["told_robbed began", "step be_robbed 1: ok", "told_robbed completed"]);
}

#[tokio::test]
async fn an_answer_is_told_once_also_where_the_database_had_to_be_told_again() {
    for moment in [Moment::Before, Moment::After] {
        let (database, ledger) = (support::database().await, Ledger::default());
        let proxy = Proxy::before(&database).await;
        let builder = Durable::builder().database_url(proxy.url()).max_connections(6).observe(ledger.clone());
        let durable = builder.register(Ask).start().await.unwrap();
        let handle = durable.start::<Ask>(()).await.unwrap();
        let statements = vec!["waits/provide_input".to_owned()];
        proxy.set(Trap { statements, nth: 1, moment, fate: Fate::Cut });
        durable.provide_input(handle.id(), "what", "this").by("ada").await.unwrap();
        assert!(proxy.has_caught());
        soon("its end", handle.result()).await.unwrap();
        let refused = durable.provide_input(handle.id(), "what", "that").await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Finished);
        durable.shutdown().await.unwrap();
        let mut entries = ledger.entries();
        // Where the answer of the database was lost, the worker may have gone on before the client heard of it.
        entries.sort_unstable();
        let expected = ["step note 1: ok", "told_ask began", "told_ask completed", "what answered by Some(\"ada\")"];
        assert_eq!(entries, expected, "{moment:?}");
    }
}

#[tokio::test]
async fn a_due_time_is_told_by_the_one_process_that_fired_it() {
    let (database, ledger, gate) = (support::database().await, Ledger::default(), Gate::closed());
    let now = clock::freeze(&database).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(database.builder().observe(ledger.clone()).register(Slow(gate.clone())).start().await.unwrap());
    }
    let due = [1, 2].map(|hour| now + durable::chrono::TimeDelta::hours(hour));
    let slow = workers[0].schedule::<Slow>("slow", "every 1h", ());
    slow.overlap(durable::Overlap::Skip).starts_at(due[0]).ends_at(due[1]).await.unwrap();
    clock::turn(&database, hours(1)).await;
    gate.until_inside(1).await;
    clock::turn(&database, hours(1)).await;
    support::eventually("both fired", async || workers[0].schedule_firings("slow").await.unwrap().len() == 2).await;
    gate.let_pass(1);
    support::eventually("its end", async || {
        database.count("select count(*) from durable.executions where state = 'completed'").await == 1
    })
    .await;
    for worker in &workers {
        worker.shutdown().await.unwrap();
    }
    let mut entries = ledger.entries();
    entries.sort_unstable();
    let mut expected = [
        format!("slow Started at {}", due[0]),
        format!("slow Skipped at {}", due[1]),
        "told_slow began".to_owned(),
        "step stand 1: ok".to_owned(),
        "told_slow completed".to_owned(),
    ];
    expected.sort_unstable();
    assert_eq!(entries, expected);
}
