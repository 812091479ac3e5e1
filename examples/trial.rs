//! A workflow that takes thirty days, and its tests, which take milliseconds.
//!
//! `cargo test --example trial` runs the tests. `cargo run --example trial` runs one and says what became due.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

use durable::prelude::*;
use durable_test::Test;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a customer answers shortly before the end of a trial.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Decision {
    stay: bool,
}

/// A trial: a welcome, a question after three weeks, and a charge after thirty days.
struct Trial;

#[workflow(queue = "trials")]
impl Trial {
    async fn run(&self, cx: &Context, customer: String) -> Result<String> {
        self.welcome(&customer).await?;
        cx.sleep(days(21)).await?;
        let question = format!("{customer}, would you like to stay?");
        let decision: Decision =
            cx.wait_for_input("decision").prompt(question).timeout(days(9)).or(Decision { stay: false }).await?;
        if !decision.stay {
            return Ok(format!("{customer} has left"));
        }
        self.charge(&customer).await
    }

    #[step(retry(max_attempts = 3, base = "1m"))]
    async fn welcome(&self, customer: &str) -> Result<()> {
        println!("  a letter goes to {customer}");
        Ok(())
    }

    #[step(retry(max_attempts = 5, base = "1h", max = "1d"), timeout = "30s")]
    async fn charge(&self, customer: &str) -> Result<String> {
        // The same key at every attempt: the bank sees one payment.
        Ok(format!("{customer} has paid, with the key {}", durable::step().idempotency_key()))
    }
}

fn main() {
    durable_test::run("trial", |test: Test| async move {
        test.worker().register(Trial).start().await?;
        let trial = test.start::<Trial>("Ada".to_owned()).await?;
        print!("{}", test.advance(days(30)).await?);
        println!("  {}", trial.result().await?);
        Ok::<(), Error>(())
    });
}

#[cfg(test)]
mod tests {
    use durable_test::{Due, Moment, body, step};

    use super::*;

    #[durable_test::test]
    async fn a_customer_who_does_not_answer_leaves_after_thirty_days(test: Test) -> Result<()> {
        test.worker().register(Trial).start().await?;
        let trial = test.start::<Trial>("Ada".to_owned()).await?;
        let advanced = test.advance(days(29)).await?;
        trial.assert_waiting_for(["input decision"]).await?;
        assert_eq!(advanced.fired.iter().map(|fired| fired.kind).collect::<Vec<_>>(), [Due::Sleep]);
        test.advance(days(1)).await?;
        assert_eq!(trial.result().await?, "Ada has left");
        trial.assert_attempts(step!(Trial::charge), 0).await
    }

    #[durable_test::test]
    async fn a_customer_is_charged_whatever_fails_meanwhile(test: Test) -> Result<()> {
        test.worker()
            .register(Trial)
            .replace(body!(Trial::charge, |customer| async move { Ok(format!("{customer} has paid")) }))
            .fail(step!(Trial::charge), 2, "the bank is closed")
            .start()
            .await?;
        test.crash_at(step!(Trial::welcome), Moment::AfterBody);
        let trial = test.start::<Trial>("Ada".to_owned()).await?;
        test.advance(days(21)).await?;
        trial.answer("decision", &Decision { stay: true }).await?;
        assert_eq!(trial.result().await?, "Ada has paid");
        trial.assert_journal(["step welcome", "sleep", "input decision", "step charge"]).await?;
        trial.assert_attempts(step!(Trial::charge), 3).await
    }
}
