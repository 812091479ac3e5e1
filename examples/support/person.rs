//! The person in an example: sees what an execution asks, as soon as it asks.

use std::time::Duration;

use durable::PendingInput;
use durable::prelude::*;

/// What the execution asks. A person would see it in an application's list of open questions.
pub(crate) async fn sees(durable: &Durable, id: ExecutionId) -> Result<PendingInput> {
    loop {
        let questions = durable.pending_inputs().await?;
        match questions.into_iter().find(|question| question.execution_id == id) {
            Some(question) => return Ok(question),
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
