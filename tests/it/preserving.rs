//! Values are shown as they are stored: numbers keep their digits, and texts their letters.

use durable::prelude::*;
use serde_json::value::RawValue;

use crate::support::{self, eventually, soon};

/// Neither number survives a double.
const EXACT: &str = r#"{"balance": 340282366920938463463374607431768211455, "price": 1.10}"#;

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

struct Ledger;

#[workflow]
impl Ledger {
    async fn run(&self, cx: &Context, balance: u128) -> Result<u128> {
        let booked = self.book(balance).await?;
        let asked = cx.wait_for_input::<u128>("audit").metadata(&booked).await?;
        let confirmed: u128 = cx.wait_for_event("confirmed").await?;
        assert_eq!(asked, confirmed);
        Err(Error::new(format!("the balance is {confirmed}")))
    }

    #[step(compensate = unbook)]
    async fn book(&self, balance: u128) -> Result<u128> {
        Ok(balance)
    }

    #[compensation]
    async fn unbook(&self, balance: u128) -> Result<u128> {
        Ok(balance)
    }
}

#[tokio::test]
async fn a_schedule_keeps_the_text_of_its_input_when_its_rule_changes() {
    let database = support::database().await;
    let client = database.client().await;
    client.schedule_workflow("exact", "ledger", "@daily", &raw(EXACT)).await.unwrap();
    let stored = "select input::text from durable.schedules";
    assert_eq!(database.value::<String>(stored).await, EXACT);
    let changed = client.update_schedule("exact").rule("@hourly").await.unwrap();
    assert_eq!((changed.rule.as_str(), changed.input.to_string().as_str()), ("@hourly", EXACT));
    assert_eq!(database.value::<String>(stored).await, EXACT);
    assert_eq!(client.list_schedules().await.unwrap()[0].input.to_string(), EXACT);
}

#[tokio::test]
async fn an_execution_that_a_schedule_starts_gets_the_text_of_its_input() {
    let database = support::database().await;
    let client = database.client().await;
    client.schedule_workflow("exact", "ledger", "@daily", &raw(EXACT)).await.unwrap();
    let id = client.trigger_schedule("exact").await.unwrap();
    assert_eq!(client.get_execution(id).await.unwrap().execution.input.to_string(), EXACT);
    assert_eq!(client.list_executions().await.unwrap().executions[0].input.to_string(), EXACT);
}

#[tokio::test]
async fn every_value_of_an_execution_is_shown_with_all_its_digits() {
    let database = support::database().await;
    let durable = database.builder().register(Ledger).start().await.unwrap();
    let handle = durable.start::<Ledger>(u128::MAX).await.unwrap();
    let digits = u128::MAX.to_string();
    eventually("the question", async || durable.pending_inputs().await.unwrap().len() == 1).await;
    let asked = durable.pending_inputs().await.unwrap().remove(0);
    assert_eq!(asked.metadata.unwrap().to_string(), digits);
    durable.provide_input(handle.id(), "audit", &u128::MAX).await.unwrap();
    durable.send_event(handle.id(), "confirmed", &u128::MAX).await.unwrap();
    soon("its end", handle.result()).await.unwrap_err();
    eventually("undone", async || {
        durable.get_execution(handle.id()).await.unwrap().execution.state == ExecutionState::Compensated
    })
    .await;
    let details = durable.get_execution(handle.id()).await.unwrap();
    assert_eq!(details.execution.input.to_string(), digits);
    assert_eq!(details.steps[0].output.as_ref().unwrap().to_string(), digits);
    for wait in &details.waits {
        assert_eq!(wait.payload.as_ref().unwrap().to_string(), digits, "{}", wait.key);
    }
    let undone = &details.compensations[0];
    assert_eq!(undone.input.as_ref().unwrap().to_string(), digits);
    assert_eq!(undone.output.as_ref().unwrap().to_string(), digits);
    let written = serde_json::to_string(&details).unwrap();
    assert!(!written.contains("3.4"), "{written}");
    let read: durable::ExecutionDetails = serde_json::from_str(&written).unwrap();
    assert_eq!(read.execution.input.to_string(), digits);
    durable.shutdown().await.unwrap();
}
