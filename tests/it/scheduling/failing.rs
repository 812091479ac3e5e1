//! A schedule whose executions fail: it counts failures in a row, forgets them at a success, and is disabled after too many.

use super::*;

#[tokio::test]
async fn a_schedule_is_disabled_after_too_many_failures_in_a_row_and_a_success_forgives_them() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let tick = Tick::default();
    let failing = tick.failing.clone();
    let durable = database.builder().register(tick).start().await.unwrap();
    hourly(&durable, &database, "shaky").await;
    durable.update_schedule("shaky").max_failures(2).await.unwrap();
    let mut firings = 0;
    let mut next_hour = async |fails: bool| {
        failing.store(fails, Ordering::SeqCst);
        firings += 1;
        clock::advance(&database, HOUR).await;
        until_fired(&durable, "shaky", firings).await;
        clock::quiet(&database).await;
        durable.get_schedule("shaky").await.unwrap()
    };

    // Ends are counted at the next due time.
    assert_eq!(next_hour(true).await.failures, 0);
    let once = next_hour(false).await;
    assert_eq!((once.failures, once.last_error.unwrap().message.as_str()), (1, "told to fail"));
    assert_eq!(next_hour(true).await.failures, 0, "a success starts the count anew");
    assert_eq!(next_hour(true).await.failures, 1);

    clock::advance(&database, HOUR).await;
    eventually("disabled", async || !durable.get_schedule("shaky").await.unwrap().enabled).await;
    let disabled = durable.get_schedule("shaky").await.unwrap();
    assert_eq!(disabled.disabled_reason.as_deref(), Some("2 of its executions failed in a row"));
    assert_eq!((disabled.failures, disabled.last_error.unwrap().message.as_str()), (2, "told to fail"));
    assert_eq!(fired(&durable, "shaky").await, 4);

    failing.store(false, Ordering::SeqCst);
    durable.enable_schedule("shaky").await.unwrap();
    let enabled = durable.get_schedule("shaky").await.unwrap();
    assert_eq!((enabled.enabled, enabled.failures, enabled.disabled_reason), (true, 0, None));
    clock::advance(&database, HOUR).await;
    until_fired(&durable, "shaky", 5).await;
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn without_a_limit_a_schedule_goes_on_failing() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let tick = Tick::default();
    tick.failing.store(true, Ordering::SeqCst);
    let durable = database.builder().register(tick).start().await.unwrap();
    hourly(&durable, &database, "hopeless").await;
    for firings in 1..=4 {
        clock::advance(&database, HOUR).await;
        until_fired(&durable, "hopeless", firings).await;
        clock::quiet(&database).await;
    }
    let hopeless = durable.get_schedule("hopeless").await.unwrap();
    assert_eq!((hopeless.enabled, hopeless.failures), (true, 3));
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_execution_that_is_cancelled_is_neither_a_failure_nor_a_success() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let gate = Gate::closed();
    let tick = Tick { gate: Some(gate.clone()), ..Tick::default() };
    let failing = tick.failing.clone();
    let durable = database.builder().register(tick).start().await.unwrap();
    hourly(&durable, &database, "shaky").await;
    failing.store(true, Ordering::SeqCst);
    gate.let_pass(1);
    clock::advance(&database, HOUR).await;
    until_fired(&durable, "shaky", 1).await;
    clock::quiet(&database).await;
    clock::turn(&database, HOUR).await;
    gate.until_inside(1).await;
    let running = durable.schedule_firings("shaky").await.unwrap()[0].execution_id.unwrap();
    durable.cancel(running, "by hand").await.unwrap();
    clock::turn(&database, HOUR).await;
    until_fired(&durable, "shaky", 3).await;
    assert_eq!(durable.get_schedule("shaky").await.unwrap().failures, 1);
    gate.let_pass(1);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_retry_of_what_a_schedule_started_is_for_the_same_due_time() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let tick = Tick::default();
    let failing = tick.failing.clone();
    failing.store(true, Ordering::SeqCst);
    let durable = database.builder().register(tick).start().await.unwrap();
    let first = hourly(&durable, &database, "shaky").await;
    clock::advance(&database, HOUR).await;
    until_fired(&durable, "shaky", 1).await;
    clock::quiet(&database).await;
    failing.store(false, Ordering::SeqCst);
    let failed = durable.schedule_firings("shaky").await.unwrap()[0].execution_id.unwrap();
    let again = durable.retry(failed).await.unwrap();
    let scheduled_for = soon("its end", durable.handle::<Tick>(again).result()).await.unwrap();
    assert_eq!(scheduled_for, Some(first));
    assert_eq!(durable.get_execution(again).await.unwrap().execution.schedule.as_deref(), Some("shaky"));
    durable.shutdown().await.unwrap();
}
