//! Assertions whose failure shows the whole state.

use durable::prelude::*;
use durable_test::{Test, step};

use crate::workflows::{ProcessOrder, order};

#[durable_test::test]
async fn an_assertion_that_fails_shows_what_was_expected_and_the_whole_state(test: Test) -> Result<()> {
    test.worker().register(ProcessOrder::default()).fail(step!(ProcessOrder::charge), 1, "no bank").start().await?;
    let execution = test.start::<ProcessOrder>(order()).await?;
    test.advance(seconds(5)).await?;
    let failures = [
        (execution.assert_journal(["step charge"]).await, r#"found: ["step charge", "sleep"]"#),
        (execution.assert_attempts(step!(ProcessOrder::charge), 3).await, "has 2 attempts, not 3"),
        (execution.assert_waiting_for(["input ship_approval"]).await, r#"expected: ["input ship_approval"]"#),
        (execution.assert_compensated(["step charge"]).await, "found: []"),
    ];
    for (result, part) in failures {
        let error = result.unwrap_err().to_string();
        for part in [part, "attempt 1: failed: no bank", "attempt 2: completed", "wait `sleep`: open", "is waiting"] {
            assert!(error.contains(part), "`{part}` is missing: {error}");
        }
    }
    execution.assert_journal(["step charge", "sleep"]).await?;
    execution.assert_waiting_for(["sleep"]).await?;
    execution.assert_attempts(step!(ProcessOrder::ship), 0).await?;
    execution.assert_compensated([] as [&str; 0]).await
}
