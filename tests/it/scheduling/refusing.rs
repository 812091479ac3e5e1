//! What makes no sense is refused with what to give instead, and changes nothing.

use super::*;

use durable::{Missed, PutSchedule};

async fn refused(put: PutSchedule<'_>, part: &str) {
    let error = put.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains(part), "{error} says nothing of {part}");
}

#[tokio::test]
async fn a_schedule_that_makes_no_sense_is_refused_and_nothing_is_written() {
    let database = support::database().await;
    let client = database.client().await;
    let with = |rule: &str| client.schedule::<Tick>("tick", rule, String::new());
    for rule in ["", "0 9 * *", "0 25 * * *", "@fortnightly", "every 0s", "0 0 30 2 *", "0 9 * * * * 2026"] {
        refused(with(rule), "is not a schedule: ").await;
    }
    refused(with("@daily").timezone("Mars/Olympus"), "`Mars/Olympus` is no time zone; give a name").await;
    refused(with("@daily").queue(""), "the queue of schedule `tick` has 1 to 1000 bytes").await;
    refused(with("@daily").version(0), "give 1 or more").await;
    refused(with("@daily").max_failures(0), "give at least 1").await;
    refused(with("@daily").jitter(Duration::MAX), "over ten years").await;
    refused(with("@daily").missed(Missed::Window(Duration::MAX)), "over ten years").await;
    let now = clock::now(&database).await;
    refused(with("@daily").starts_at(now).ends_at(now - TimeDelta::hours(1)), "cannot end").await;
    refused(client.schedule::<Tick>("", "@daily", String::new()), "1 to 500 bytes").await;
    refused(client.schedule::<Tick>("x".repeat(501), "@daily", String::new()), "1 to 500 bytes").await;
    refused(client.schedule_workflow("tick", "", "@daily", &()), "names no workflow").await;
    let payload = client.schedule::<Tick>("tick", "@daily", "a\0b".to_owned()).await.unwrap_err();
    assert_eq!(payload.kind(), ErrorKind::Payload);
    assert_eq!(database.count("select count(*) from durable.schedules").await, 0);

    with("@daily").await.unwrap();
    refused(client.update_schedule("tick").rule("never"), "`never` is not a schedule").await;
    let unchanged = client.get_schedule("tick").await.unwrap();
    assert_eq!((unchanged.revision, unchanged.rule.as_str()), (1, "@daily"));
}

#[tokio::test]
async fn a_schedule_that_is_not_there_is_named() {
    let database = support::database().await;
    let client = database.client().await;
    let now = clock::now(&database).await;
    for error in [
        client.get_schedule("gone").await.map(drop).unwrap_err(),
        client.update_schedule("gone").rule("@daily").await.map(drop).unwrap_err(),
        client.enable_schedule("gone").await.unwrap_err(),
        client.disable_schedule("gone", "why").await.unwrap_err(),
        client.delete_schedule("gone").await.unwrap_err(),
        client.trigger_schedule("gone").await.map(drop).unwrap_err(),
        client.backfill_schedule("gone", now..now).await.map(drop).unwrap_err(),
        client.next_due_times("gone", 1).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("there is no schedule `gone`"), "{error}");
    }
    assert_eq!(database.count("select count(*) from durable.schedules").await, 0);
}

#[tokio::test]
async fn a_range_with_too_many_due_times_is_refused() {
    let database = support::database().await;
    let client = database.client().await;
    client.schedule::<Tick>("tick", "* * * * *", String::new()).await.unwrap();
    let start = "2025-03-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let error = client.backfill_schedule("tick", start..start + TimeDelta::minutes(1001)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("backfill a shorter range"), "{error}");
    assert_eq!(fired(&client, "tick").await, 0);
    assert_eq!(client.backfill_schedule("tick", start..start + TimeDelta::minutes(1000)).await.unwrap(), 1000);
    let error = client.next_due_times("tick", 1001).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_backfill_into_the_future_is_refused_and_starts_nothing() {
    let database = support::database().await;
    let now = clock::freeze(&database).await;
    let client = database.client().await;
    client.schedule::<Tick>("tick", "* * * * *", String::new()).await.unwrap();
    let error = client.backfill_schedule("tick", now - TimeDelta::minutes(3)..now + TimeDelta::minutes(3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("still to come; backfill a range that ends by"), "{error}");
    let by_hand =
        "select durable.backfill_schedule('tick', 1, array[durable.now() - interval '1 h', durable.now() + interval '1 s'])";
    let error = sqlx::query(by_hand).execute(database.pool()).await.unwrap_err();
    assert!(error.to_string().contains("still to come"), "{error}");
    assert_eq!(fired(&client, "tick").await, 0);
    assert_eq!(client.backfill_schedule("tick", now - TimeDelta::minutes(3)..now).await.unwrap(), 3);
}

struct Unknown;

#[workflow]
impl Unknown {
    async fn run(&self, _cx: &Context) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_workflow_that_is_not_registered_here_is_refused_where_others_are() {
    let database = support::database().await;
    let durable = database.builder().register(Tick::default()).start().await.unwrap();
    refused(durable.schedule::<Unknown>("unknown", "@daily", ()), "`unknown` version 1 is not registered here").await;
    assert_eq!(database.count("select count(*) from durable.schedules").await, 0);
    // A client without workflows cannot know.
    database.client().await.schedule::<Unknown>("unknown", "@daily", ()).await.unwrap();
    durable.shutdown().await.unwrap();
}
