//! Due times at which no worker was there, under each policy; lines that are unreadable or refused hold nobody else up.

use super::*;

use durable::Missed;

/// How often each policy fires when workers are back half an hour after three hourly due times.
async fn made_up(missed: Missed) -> usize {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    let first = hourly(&client, &database, "missed").await;
    client.update_schedule("missed").missed(missed).await.unwrap();
    clock::turn(&database, minutes(210)).await;
    let durable = database.builder().register(Tick::default()).start().await.unwrap();
    let next = first + TimeDelta::hours(3);
    eventually("dealt with", async || durable.get_schedule("missed").await.unwrap().next_due_at == Some(next)).await;
    let count = fired(&durable, "missed").await;
    clock::quiet(&database).await;
    assert_eq!(database.count("select count(*) from durable.executions where state = 'completed'").await, count as i64);

    // Whatever was made of the past, what is due now fires.
    clock::advance(&database, minutes(30)).await;
    until_fired(&durable, "missed", count + 1).await;
    durable.shutdown().await.unwrap();
    count
}

#[tokio::test]
async fn missed_times_are_skipped() {
    assert_eq!(made_up(Missed::Skip).await, 0);
}

#[tokio::test]
async fn the_last_missed_time_is_made_up_for() {
    assert_eq!(made_up(Missed::One).await, 1);
}

#[tokio::test]
async fn all_missed_times_are_made_up_for() {
    assert_eq!(made_up(Missed::All).await, 3);
}

#[tokio::test]
async fn missed_times_within_a_window_are_made_up_for() {
    assert_eq!(made_up(Missed::Window(hours(2))).await, 2);
}

#[tokio::test]
async fn after_a_long_night_the_last_thousand_times_of_each_schedule_are_made_up_for() {
    let database = support::database().await;
    let now = clock::freeze(&database).await;
    let client = database.client().await;
    for name in ["a", "b", "c"] {
        let schedule = client.schedule::<Tick>(name, "every 1s", name.to_owned()).missed(Missed::All);
        schedule.queue("without a worker").starts_at(now + TimeDelta::seconds(1)).await.unwrap();
    }
    clock::turn(&database, hours(8)).await;
    let durable = database.builder().register(Tick::default()).start().await.unwrap();
    for name in ["a", "b", "c"] {
        until_fired(&durable, name, 1000).await;
        let latest = durable.schedule_firings(name).limit(1).await.unwrap().remove(0);
        assert_eq!(latest.due_at, now + TimeDelta::hours(8));
    }
    assert_eq!(database.count("select count(*) from durable.executions").await, 3000);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_rule_that_cannot_be_read_holds_nobody_up() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let durable = database.builder().register(Tick::default()).start().await.unwrap();
    let first = hourly(&durable, &database, "of a later release").await;
    hourly(&durable, &database, "chime").await;
    database.run("update durable.schedules set rule = 'when the moon is full' where schedule = 'of a later release'").await;
    clock::advance(&database, HOUR).await;
    until_fired(&durable, "chime", 1).await;
    let unread = durable.get_schedule("of a later release").await.unwrap();
    assert_eq!((unread.next_due_at, unread.enabled), (Some(first), true), "left to workers that can read it");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_schedule_that_the_database_refuses_to_fire_holds_nobody_up() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let durable = database.builder().register(Tick::default()).start().await.unwrap();
    hourly(&durable, &database, "chime").await;
    hourly(&durable, &database, "refused").await;
    database.run("alter table durable.schedule_firings add constraint refuses check (schedule <> 'refused') not valid").await;
    clock::advance(&database, HOUR).await;
    until_fired(&durable, "chime", 1).await;
    database.run("alter table durable.schedule_firings drop constraint refuses").await;
    until_fired(&durable, "refused", 1).await;
    durable.shutdown().await.unwrap();
}
