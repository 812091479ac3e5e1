//! Workers that die at a step, as by SIGKILL, and workers that follow them.

use durable::prelude::*;
use durable_test::{Moment, Test, body, step};

use crate::workflows::{Approval, Calls, ProcessOrder, order};

#[durable_test::test]
async fn a_step_runs_again_after_a_crash_behind_its_effect(test: Test) -> Result<()> {
    let shipped = Calls::default();
    let counted = shipped.clone();
    let ship = body!(ProcessOrder::ship, move |order, payment| {
        counted.note();
        async move { Ok(format!("{} {}", order.number, payment.id)) }
    });
    test.worker().register(ProcessOrder::default()).replace(ship).start().await?;
    let execution = test.start::<ProcessOrder>(order()).await?;
    test.advance(days(30)).await?;
    let crash = test.crash_at(step!(ProcessOrder::ship), Moment::AfterBody);
    assert!(!crash.has_happened());
    execution.answer("ship_approval", &Approval { approved: true }).await?;
    crash.happened().await?;
    assert_eq!(execution.result().await?, "7 real payment of 1999 cents");
    assert_eq!(shipped.count(), 2, "the effect was not recorded, so the step ran again");
    execution.assert_journal(["step charge", "sleep", "input ship_approval", "step ship"]).await
}

#[durable_test::test]
async fn a_crash_before_the_body_leaves_no_effect(test: Test) -> Result<()> {
    let real = Calls::default();
    test.worker().register(ProcessOrder { real: real.clone() }).start().await?;
    let crash = test.crash_at(step!(ProcessOrder::charge), Moment::BeforeBody);
    let execution = test.start::<ProcessOrder>(order()).await?;
    crash.happened().await?;
    execution.until_waiting_for("sleep").await?;
    assert_eq!(real.count(), 1);
    Ok(())
}

#[durable_test::test]
async fn a_crash_during_a_month_of_sleep_changes_nothing(test: Test) -> Result<()> {
    let real = Calls::default();
    let worker = test.worker().register(ProcessOrder { real: real.clone() }).start().await?;
    let execution = test.start::<ProcessOrder>(order()).await?;
    execution.until_waiting_for("sleep").await?;
    worker.crash().await?;
    test.advance(days(30)).await?;
    worker.crash().await?;
    execution.answer("ship_approval", &Approval { approved: true }).await?;
    execution.result().await?;
    assert_eq!(real.count(), 2);
    Ok(())
}

#[durable_test::test]
async fn a_worker_that_was_stopped_cannot_crash_and_another_does_its_work(test: Test) -> Result<()> {
    let first = test.worker().register(ProcessOrder::default()).start().await?;
    let execution = test.start::<ProcessOrder>(order()).await?;
    execution.until_waiting_for("sleep").await?;
    first.stop().await?;
    test.advance(days(30)).await?;
    test.worker().register(ProcessOrder::default()).start().await?;
    execution.until_waiting_for("ship_approval").await
}
