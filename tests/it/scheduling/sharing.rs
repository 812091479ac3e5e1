//! Many workers, many schedules: each due time starts one execution, whoever tries, and whatever is done to the clock or the row.

use super::*;

/// Makes copies of a schedule, a thousand in all.
async fn thousand(database: &Database, name: &str) {
    database
        .run(&format!(
            "insert into durable.schedules
             select (jsonb_populate_record(s, jsonb_build_object('schedule', s.schedule || ' ' || n))).*
             from durable.schedules as s, generate_series(2, 1000) as n
             where s.schedule = '{name}'"
        ))
        .await;
}

#[tokio::test]
async fn five_workers_fire_a_thousand_schedules_once_each() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let mut workers = Vec::new();
    for _ in 0..5 {
        workers.push(database.builder().register(Tick::default()).start().await.unwrap());
    }
    let first = hourly(&workers[0], &database, "crowd").await;
    thousand(&database, "crowd").await;
    for hour in 1..=2 {
        clock::turn(&database, HOUR).await;
        let completed = "select count(*) from durable.executions where state = 'completed'";
        eventually("all completed", async || database.count(completed).await >= 1000 * hour).await;
        assert_eq!(database.count("select count(*) from durable.executions").await, 1000 * hour);
        let distinct = "select count(distinct (schedule, scheduled_for)) from durable.executions";
        assert_eq!(database.count(distinct).await, 1000 * hour);
    }
    let latest: DateTime<Utc> = database.value("select max(scheduled_for) from durable.executions").await;
    assert_eq!(latest, first + TimeDelta::hours(1));
    for worker in workers {
        worker.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_due_time_that_has_fired_does_not_fire_again_when_its_schedule_is_set_back() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let durable = database.builder().register(Tick::default()).start().await.unwrap();
    let first = hourly(&durable, &database, "chime").await;
    clock::advance(&database, HOUR).await;
    until_fired(&durable, "chime", 1).await;
    // As a restored backup, or a person, might do.
    database.run(&format!("update durable.schedules set next_due_at = '{first}'")).await;
    eventually("due later again", async || durable.get_schedule("chime").await.unwrap().next_due_at > Some(first)).await;
    clock::advance(&database, HOUR).await;
    until_fired(&durable, "chime", 2).await;
    assert_eq!(database.count("select count(*) from durable.executions").await, 2);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn whoever_found_a_schedule_as_it_no_longer_is_fires_nothing() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let client = database.client().await;
    let first = hourly(&client, &database, "chime").await;
    clock::turn(&database, HOUR).await;
    let fire = |revision: i32, was_due: DateTime<Utc>| {
        format!(
            "select count(*) from durable.fire_schedules('{{chime}}', '{{{revision}}}', array['{was_due}'::timestamptz],
             array['{}'::timestamptz], '{{chime}}', array['{first}'::timestamptz], array['{first}'::timestamptz])",
            was_due + TimeDelta::hours(1),
        )
    };
    for (why, stale) in [
        ("another revision", fire(2, first)),
        ("another due time", fire(1, first - TimeDelta::hours(1))),
        ("a later due time", fire(1, first + TimeDelta::hours(1))),
    ] {
        assert_eq!(database.count(&stale).await, 0, "{why}");
        assert_eq!(client.get_schedule("chime").await.unwrap().next_due_at, Some(first), "{why}");
    }
    client.disable_schedule("chime", "why").await.unwrap();
    assert_eq!(database.count(&fire(1, first)).await, 0, "disabled");
    client.update_schedule("chime").missed(durable::Missed::All).await.unwrap();
    database.run("update durable.schedules set enabled = true, disabled_reason = null").await;
    assert_eq!(database.count(&fire(1, first)).await, 0, "changed meanwhile");
    assert_eq!(fired(&client, "chime").await, 0);

    assert_eq!(database.count(&fire(2, first)).await, 1);
    assert_eq!(database.count(&fire(2, first)).await, 0, "fired already");
    assert_eq!(fired(&client, "chime").await, 1);
}
