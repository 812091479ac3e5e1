//! Time: it is stopped, and passes from one due time to the next.

use std::time::{Duration, Instant};

use durable::prelude::*;
use durable_test::{Due, Test, body, step};

use crate::workflows::{Approval, Calls, Order, Payment, ProcessOrder, order};

#[durable_test::test]
async fn thirty_days_pass_in_the_order_of_what_is_due(test: Test) -> Result<()> {
    test.worker()
        .register(ProcessOrder::default())
        .replace(body!(ProcessOrder::charge, |order: &Order| async move { Ok(Payment { id: order.cents.to_string() }) }))
        .fail(step!(ProcessOrder::charge), 2, "no bank")
        .start()
        .await?;
    let begin = test.now().await?;
    let order = test.start::<ProcessOrder>(order()).await?;
    test.rest().await?;
    assert_eq!(test.now().await?, begin, "time has passed by itself");

    let advanced = test.advance(days(30) + minutes(1)).await?;
    let kinds: Vec<Due> = advanced.fired.iter().map(|fired| fired.kind).collect();
    assert_eq!(kinds, [Due::Retry, Due::Retry, Due::Sleep], "{advanced}");
    assert!(advanced.fired.is_sorted_by_key(|fired| fired.at), "{advanced}");
    assert_eq!(test.now().await?, begin + days(30) + minutes(1));

    order.until_waiting_for("ship_approval").await?;
    order.answer("ship_approval", &Approval { approved: true }).await?;
    assert_eq!(order.result().await?, "order 7 shipped for 1999");
    order.assert_attempts(step!(ProcessOrder::charge), 3).await?;
    order.assert_journal(["step charge", "sleep", "input ship_approval", "step ship"]).await
}

/// Sleeps so many times.
struct Sleeper;

#[workflow]
impl Sleeper {
    async fn run(&self, cx: &Context, times: u32) -> Result<u32> {
        for _ in 0..times {
            cx.sleep(days(1)).await?;
        }
        Ok(times)
    }
}

#[durable_test::test]
async fn a_result_lets_pass_what_time_it_takes(test: Test) -> Result<()> {
    test.worker().register(Sleeper).start().await?;
    let begin = test.now().await?;
    assert_eq!(test.start::<Sleeper>(40).await?.result().await?, 40);
    assert_eq!(test.now().await?, begin + days(40));
    Ok(())
}

#[durable_test::test]
async fn the_due_times_of_one_call_are_bounded(test: Test) -> Result<()> {
    test.worker().register(Sleeper).start().await?;
    test.set_most_due_times(5);
    test.start::<Sleeper>(10).await?;
    let error = test.advance(days(10)).await.unwrap_err().to_string();
    assert!(error.contains("stopped at 5 due times"), "{error}");
    assert!(error.contains("set_most_due_times"), "{error}");
    test.advance(days(4)).await?;
    let error = test.advance_to(test.now().await? - days(1)).await.unwrap_err().to_string();
    assert!(error.contains("cannot be moved back"), "{error}");
    Ok(())
}

/// Two branches: one waits for its retry, and the other is in a step.
struct Branches {
    calls: Calls,
}

#[workflow]
impl Branches {
    async fn run(&self, _cx: &Context, _input: ()) -> Result<u32> {
        let (_, slow) = durable::join!(self.flaky(), self.slow()).await?;
        Ok(slow)
    }

    #[step(retry(max_attempts = 2, base = "1s", jitter = 0.0))]
    async fn flaky(&self) -> Result<()> {
        if durable::step().attempt() == 1 { Err(Error::new("once")) } else { Ok(()) }
    }

    #[step(timeout = "1m")]
    async fn slow(&self) -> Result<u32> {
        tokio::time::sleep(Duration::from_millis(300)).await;
        self.calls.note();
        Ok(self.calls.count())
    }
}

#[durable_test::test]
async fn time_does_not_pass_while_a_step_runs_in_another_branch(test: Test) -> Result<()> {
    let calls = Calls::default();
    test.worker().register(Branches { calls: calls.clone() }).start().await?;
    let execution = test.start::<Branches>(()).await?;
    let advanced = test.advance(hours(1)).await?;
    assert_eq!(calls.count(), 1, "the clock moved before the slow step had ended: {advanced}");
    assert_eq!(execution.result().await?, 1);
    execution.assert_attempts(step!(Branches::flaky), 2).await
}

#[durable_test::test]
async fn a_step_that_hangs_keeps_the_clock_and_is_named(test: Test) -> Result<()> {
    let hang = body!(ProcessOrder::charge, |_| std::future::pending::<Result<Payment>>());
    test.worker().register(ProcessOrder::default()).replace(hang).start().await?;
    test.set_patience(Duration::from_millis(1200));
    let execution = test.start::<ProcessOrder>(order()).await?;
    let before = test.now().await?;
    let error = test.advance(days(1)).await.unwrap_err().to_string();
    assert!(error.contains("attempt 1 of step `charge` of workflow `process_order` has run for"), "{error}");
    assert!(error.contains(&execution.id().to_string()), "{error}");
    assert!(error.contains("under way: `step charge`"), "{error}");
    assert_eq!(test.now().await?, before);
    Ok(())
}

#[durable_test::test]
async fn a_step_times_out_when_the_clock_moves_during_it(test: Test) -> Result<()> {
    let calls = Calls::default();
    let counted = calls.clone();
    let hang = body!(ProcessOrder::charge, move |_| {
        counted.note();
        std::future::pending::<Result<Payment>>()
    });
    test.worker().register(ProcessOrder::default()).replace(hang).start().await?;
    let execution = test.start::<ProcessOrder>(order()).await?;
    for attempt in 1..=3 {
        let began = Instant::now();
        while calls.count() < attempt {
            assert!(began.elapsed() < Duration::from_secs(20), "attempt {attempt} has not begun");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        test.advance_during_steps(seconds(31)).await?;
        if attempt < 3 {
            // The delay before the next attempt is over 500 ms, and below 4 s.
            while execution.details().await?.steps.first().is_none_or(|step| step.attempts.len() < attempt as usize) {
                assert!(began.elapsed() < Duration::from_secs(20), "attempt {attempt} has not timed out");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            test.advance_during_steps(seconds(4)).await?;
        }
    }
    let error = execution.result().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    Ok(())
}

struct Parent;

#[workflow]
impl Parent {
    async fn run(&self, cx: &Context, days: u32) -> Result<u32> {
        let (one, two) = (cx.child::<Sleeper>(days).await?, cx.child::<Sleeper>(1).timeout(hours(1)).or(0).await?);
        Ok(one + two)
    }
}

#[durable_test::test]
async fn time_passes_for_children_too(test: Test) -> Result<()> {
    test.worker().register(Parent).register(Sleeper).start().await?;
    let parent = test.start::<Parent>(3).await?;
    parent.until_waiting_for("sleeper").await?;
    let advanced = test.advance(days(4)).await?;
    assert_eq!(advanced.fired.iter().filter(|fired| fired.kind == Due::Sleep).count(), 3, "{advanced}");
    assert!(advanced.fired.iter().any(|fired| fired.kind == Due::Timeout), "{advanced}");
    assert_eq!(parent.result().await?, 3);
    Ok(())
}

/// Starts each night.
struct Nightly {
    nights: Calls,
}

#[workflow(schedule = "30 2 * * *")]
impl Nightly {
    async fn run(&self, _cx: &Context, _input: ()) -> Result<()> {
        self.report().await
    }

    #[step]
    async fn report(&self) -> Result<()> {
        self.nights.note();
        Ok(())
    }
}

#[durable_test::test]
async fn schedules_fire_at_each_due_time(test: Test) -> Result<()> {
    let nights = Calls::default();
    test.worker().register(Nightly { nights: nights.clone() }).start().await?;
    let advanced = test.advance(days(31)).await?;
    assert_eq!(nights.count(), 31, "{advanced}");
    assert_eq!(advanced.fired.iter().filter(|fired| fired.kind == Due::Schedule).count(), 31, "{advanced}");
    Ok(())
}

/// Is over after an hour.
struct Hasty;

#[workflow(timeout = "1h")]
impl Hasty {
    async fn run(&self, cx: &Context, _input: ()) -> Result<()> {
        cx.wait_for_event::<()>("never").await
    }
}

#[durable_test::test]
async fn deadlines_delayed_starts_and_expiries_are_due_times(test: Test) -> Result<()> {
    test.worker().register(Hasty).start().await?;
    let late = test.client().start::<Hasty>(()).delay(days(1)).await?;
    let unserved = test.client().start::<Hasty>(()).queue("no worker").time_to_live(minutes(5)).await?;
    let (late, unserved) = (test.execution(late), test.execution(unserved));
    let advanced = test.advance(days(2)).await?;
    let kinds: Vec<Due> = advanced.fired.iter().map(|fired| fired.kind).collect();
    assert_eq!(kinds, [Due::Expiry, Due::Start, Due::Deadline], "{advanced}");
    assert_eq!(late.result().await.unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(unserved.result().await.unwrap_err().kind(), ErrorKind::Expired);
    Ok(())
}

#[durable_test::test]
async fn what_a_paused_queue_holds_back_does_not_keep_the_clock(test: Test) -> Result<()> {
    test.worker().register(Sleeper).start().await?;
    test.client().queue("default").pause().await?;
    let held = test.start::<Sleeper>(1).await?;
    test.advance(days(3)).await?;
    let error = held.result().await.unwrap_err().to_string();
    assert!(error.contains("queue `default` is paused"), "{error}");
    test.client().queue("default").resume().await?;
    assert_eq!(held.result().await?, 1);
    Ok(())
}

#[durable_test::test]
async fn a_rate_lets_one_begin_at_a_time(test: Test) -> Result<()> {
    let limits = durable::QueueLimits::default().rate(1, hours(1));
    test.worker().register(Sleeper).configure(move |builder| builder.queue_limits("default", limits)).start().await?;
    let executions = [test.start::<Sleeper>(0).await?, test.start::<Sleeper>(0).await?, test.start::<Sleeper>(0).await?];
    let advanced = test.advance(hours(3)).await?;
    for execution in &executions {
        assert_eq!(execution.result().await?, 0, "{advanced}");
    }
    Ok(())
}
