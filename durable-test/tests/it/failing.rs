//! Steps that fail on demand, and executions that do not come to where a test waits for them.

use std::time::Duration;

use durable::prelude::*;
use durable_test::{Moment, Test, body, step};

use crate::workflows::{Approval, Payment, ProcessOrder, order};

#[durable_test::test]
async fn a_step_fails_as_often_as_it_is_told_to_and_then_runs(test: Test) -> Result<()> {
    test.worker().register(ProcessOrder::default()).start().await?;
    test.fail(step!(ProcessOrder::ship), 4, "no van");
    let execution = test.start::<ProcessOrder>(order()).await?;
    test.advance(days(30)).await?;
    execution.answer("ship_approval", &Approval { approved: true }).await?;
    assert_eq!(execution.result().await?, "order 7 shipped for real payment of 1999 cents");
    execution.assert_attempts(step!(ProcessOrder::ship), 5).await
}

#[durable_test::test]
async fn a_step_that_fails_too_often_fails_its_execution_with_the_message(test: Test) -> Result<()> {
    test.worker().register(ProcessOrder::default()).fail(step!(ProcessOrder::charge), 3, "no bank").start().await?;
    let execution = test.start::<ProcessOrder>(order()).await?;
    let error = execution.result().await.unwrap_err();
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Failed, "no bank"));
    Ok(())
}

#[durable_test::test]
async fn a_wait_that_does_not_come_is_an_error_with_the_whole_state(test: Test) -> Result<()> {
    test.worker().register(ProcessOrder::default()).start().await?;
    let execution = test.start::<ProcessOrder>(order()).await?;
    let error = execution.until_waiting_for("ship_approval").await.unwrap_err().to_string();
    for part in ["does not wait for `ship_approval`", "wait `sleep`: open", "step charge", "real payment of 1999 cents"] {
        assert!(error.contains(part), "`{part}` is missing: {error}");
    }
    Ok(())
}

#[durable_test::test]
async fn an_execution_that_nothing_ends_is_an_error_that_says_what_it_waits_for(test: Test) -> Result<()> {
    test.worker().register(ProcessOrder::default()).start().await?;
    let execution = test.start::<ProcessOrder>(order()).await?;
    let error = execution.result().await.unwrap_err().to_string();
    assert!(error.contains("does not end by itself"), "{error}");
    assert!(error.contains("wait `input ship_approval`: open"), "{error}");
    assert!(error.contains(&format!("durable input give {} ship_approval", execution.id())), "{error}");
    Ok(())
}

#[durable_test::test]
async fn an_execution_without_a_worker_is_an_error_that_says_so(test: Test) -> Result<()> {
    let execution = test.start::<ProcessOrder>(order()).await?;
    let error = execution.until_waiting_for("sleep").await.unwrap_err().to_string();
    assert!(error.contains("no live worker"), "{error}");
    Ok(())
}

#[test]
fn a_panic_in_a_new_body_fails_the_test_and_names_the_step() {
    let panicked = std::panic::catch_unwind(|| {
        durable_test::run("a test", |test: Test| async move {
            let charge = body!(ProcessOrder::charge, |order| async move {
                assert_eq!(order.cents, 1, "a wrong amount");
                Ok(Payment { id: "1".to_owned() })
            });
            test.worker().register(ProcessOrder::default()).replace(charge).start().await?;
            test.start::<ProcessOrder>(order()).await?.result().await
        });
    });
    let message = *panicked.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("the body that replaces step `charge` of workflow `process_order` panicked"), "{message}");
    assert!(message.contains("a wrong amount") && message.contains("failing.rs"), "{message}");
}

#[test]
fn a_crash_that_does_not_happen_fails_the_test() {
    let panicked = std::panic::catch_unwind(|| {
        durable_test::run("a test", |test: Test| async move {
            test.worker().register(ProcessOrder::default()).start().await?;
            let execution = test.start::<ProcessOrder>(order()).await?;
            let crash = test.crash_at(step!(ProcessOrder::ship), Moment::BeforeBody);
            let error = crash.happened().await.unwrap_err().to_string();
            assert!(error.contains("no worker came to step `ship`"), "{error}");
            assert!(error.contains("wait `sleep`: open"), "{error}");
            execution.until_waiting_for("sleep").await
        });
    });
    let message = *panicked.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("a crash was set at step `ship`"), "{message}");
}

#[durable_test::test]
async fn code_that_waits_for_something_else_than_the_engine_is_reported(test: Test) -> Result<()> {
    struct Stuck;

    #[workflow]
    impl Stuck {
        async fn run(&self, _cx: &Context, _input: ()) -> Result<()> {
            std::future::pending().await
        }
    }

    test.worker().register(Stuck).start().await?;
    test.set_patience(Duration::from_millis(300));
    test.start::<Stuck>(()).await?;
    let error = test.rest().await.unwrap_err().to_string();
    assert!(error.contains("not everything has come to rest") && error.contains("is running"), "{error}");
    Ok(())
}
