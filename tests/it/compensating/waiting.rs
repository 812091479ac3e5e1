//! A compensation may take its time: it waits for events, sleeps, asks people and calls steps, also across restarts.

use durable::prelude::*;
use durable::{WaitKind, WaitOutcome};
use serde_json::json;

use super::Log;
use crate::support::{self, Database, PATIENCE, clock, eventually};

/// Ships a parcel, and has it sent back in many small acts.
#[derive(Clone, Default)]
struct Ship {
    log: Log,
}

#[workflow(timeout = "1h")]
impl Ship {
    async fn run(&self, cx: &Context, parcel: u32) -> Result<()> {
        self.pack(parcel).await?;
        let shipped = self.ship(parcel).await?;
        cx.wait_for_event::<()>(&format!("delivered {shipped}")).await
    }

    #[step(compensate = unpack)]
    async fn pack(&self, parcel: u32) -> Result<u32> {
        Ok(parcel)
    }

    #[compensation]
    async fn unpack(&self, parcel: u32) -> Result<()> {
        self.log.add(format!("unpacked {parcel}"));
        Ok(())
    }

    #[step(compensate = call_back)]
    async fn ship(&self, parcel: u32) -> Result<u32> {
        Ok(parcel + 1)
    }

    #[compensation(retry(max_attempts = 2, backoff = constant, base = "1ms"))]
    async fn call_back(&self, cx: &Context, number: u32) -> Result<String> {
        self.write_to_carrier(number).await?;
        let label: String = cx.wait_for_event("label").await?;
        cx.sleep(days(3)).await?;
        let complete = cx.wait_for_approval("complete").prompt("Is it all there?").await?;
        self.write_to_carrier(number * 10).await?;
        let attempt = durable::step().attempt();
        if attempt == 1 {
            return Err(Error::new("one more time"));
        }
        Ok(format!("{label}, complete: {}, attempt {attempt}", complete.approved))
    }

    #[step]
    async fn write_to_carrier(&self, number: u32) -> Result<()> {
        self.log.add(format!("wrote about {number}"));
        Ok(())
    }
}

/// Begins anew at every turn, or goes on in memory.
#[derive(Clone, Copy, PartialEq)]
enum Turns {
    InOneEngine,
    EachInAnother,
}

struct Engines {
    turns: Turns,
    ship: Ship,
    now: Durable,
}

impl Engines {
    async fn start(database: &Database, turns: Turns) -> Self {
        let ship = Ship::default();
        let now = database.builder().register(ship.clone()).start().await.unwrap();
        Self { turns, ship, now }
    }

    async fn turn(&mut self, database: &Database) {
        clock::quiet(database).await;
        if self.turns == Turns::EachInAnother {
            self.now.shutdown().await.unwrap();
            self.now = database.builder().register(self.ship.clone()).start().await.unwrap();
        }
    }
}

async fn called_back_in_small_acts(turns: Turns) {
    let database = support::database().await;
    clock::freeze(&database).await;
    let mut engines = Engines::start(&database, turns).await;
    let id = engines.now.start::<Ship>(6).await.unwrap().id();
    engines.turn(&database).await;
    engines.now.rollback(id, "wrong address").await.unwrap();
    let log = engines.ship.log.clone();
    for attempt in 1..=2_usize {
        engines.turn(&database).await;
        eventually("written", async || log.all().len() == 2 * attempt - 1).await;
        engines.turn(&database).await;
        engines.now.send_event(id, "label", &format!("label {attempt}")).await.unwrap();
        engines.turn(&database).await;
        let execution = engines.now.get_execution(id).await.unwrap().execution;
        assert_eq!(execution.state, ExecutionState::Compensating);
        clock::advance(&database, days(3)).await;
        engines.turn(&database).await;
        let [asked] = &engines.now.pending_inputs().await.unwrap()[..] else { panic!("nobody is asked") };
        assert_eq!((asked.execution_id, asked.prompt.as_deref()), (id, Some("Is it all there?")));
        engines.now.provide_input(id, "complete", &json!({"approved": true})).await.unwrap();
        clock::advance(&database, seconds(1)).await;
    }
    let error = engines.now.handle::<Ship>(id).result_within(PATIENCE).await.unwrap_err();

    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::RolledBack, "wrong address"));
    let letters = ["wrote about 7", "wrote about 70"];
    assert_eq!(log.all(), [&letters[..], &letters[..], &["unpacked 6"]].concat());
    let details = engines.now.get_execution(id).await.unwrap();
    assert_eq!(details.execution.state, ExecutionState::Compensated);
    let results: Vec<_> = details.compensations.iter().map(|undone| (undone.step.as_str(), undone.output.clone())).collect();
    assert_eq!(
        results,
        [("step ship", Some(json!("label 2, complete: true, attempt 2").into())), ("step pack", Some(json!(null).into()))]
    );
    let steps: Vec<&str> = details.steps.iter().map(|step| step.key.as_str()).collect();
    let letter = "undo/step ship/step write_to_carrier";
    for key in ["step pack", "step ship", letter, &format!("{letter}#2"), "undo/step ship/attempt 2/step write_to_carrier"] {
        assert!(steps.contains(&key), "{key} is missing in {steps:?}");
    }
    let waits: Vec<_> = details.waits.iter().map(|wait| (wait.kind, wait.outcome.unwrap())).collect();
    let one_attempt = [
        (WaitKind::Event, WaitOutcome::Received),
        (WaitKind::Sleep, WaitOutcome::Elapsed),
        (WaitKind::Input, WaitOutcome::Received),
    ];
    assert_eq!(waits[0], (WaitKind::Event, WaitOutcome::Cancelled));
    assert_eq!(waits[1..], [one_attempt, one_attempt].concat());
    engines.now.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_compensation_waits_sleeps_asks_and_calls_steps_while_its_execution_is_parked() {
    called_back_in_small_acts(Turns::InOneEngine).await;
}

#[tokio::test]
async fn a_compensation_goes_on_where_it_was_in_whichever_engine_comes_next() {
    called_back_in_small_acts(Turns::EachInAnother).await;
}

#[tokio::test]
async fn a_compensation_that_waits_longer_than_its_workflow_may_take_rests_until_it_is_answered() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let mut engines = Engines::start(&database, Turns::EachInAnother).await;
    let id = engines.now.start::<Ship>(6).await.unwrap().id();
    engines.turn(&database).await;
    engines.now.rollback(id, "wrong address").await.unwrap();
    engines.turn(&database).await;

    clock::advance(&database, hours(5)).await;
    engines.turn(&database).await;

    let execution = engines.now.get_execution(id).await.unwrap().execution;
    assert_eq!((execution.state, execution.deadline_at, execution.wake_at), (ExecutionState::Compensating, None, None));
    assert!(execution.epoch <= 3, "claimed {} times though nothing was to be done", execution.epoch);
    engines.now.shutdown().await.unwrap();
}
