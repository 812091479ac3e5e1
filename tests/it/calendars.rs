//! Sleeping until times as people say them, in their time zone, over the nights when clocks change.

use durable::calendar::{self, Weekday, at};
use durable::chrono::{DateTime, Utc};
use durable::prelude::*;

use crate::support::{self, clock, soon};

/// Waits for the next business day at nine, then for Sunday at half past two, then for the end of that day; says when each came.
struct OfficeHours;

#[workflow]
impl OfficeHours {
    async fn run(&self, cx: &Context, zone: String) -> Result<Vec<DateTime<Utc>>> {
        let calendar = calendar::in_zone(&zone)?;
        let mut woken = Vec::new();
        cx.sleep_until(calendar.next_business_day(cx.now().await?, at(9, 0)?)).await?;
        woken.push(cx.now().await?);
        cx.sleep_until(calendar.next_weekday(cx.now().await?, Weekday::Sun, at(2, 30)?)).await?;
        woken.push(cx.now().await?);
        cx.sleep_until(calendar.end_of_day(cx.now().await?)).await?;
        woken.push(cx.now().await?);
        Ok(woken)
    }
}

/// Runs it in the zone from the Thursday at noon UTC on which it begins.
async fn woken(zone: &str, thursday: &str) -> Vec<DateTime<Utc>> {
    let database = support::database().await;
    let thursday: DateTime<Utc> = thursday.parse().unwrap();
    let now = clock::freeze(&database).await;
    clock::turn(&database, (thursday - now).to_std().unwrap()).await;
    let durable = database.builder().register(OfficeHours).start().await.unwrap();
    let handle = durable.start::<OfficeHours>(zone.to_owned()).await.unwrap();
    clock::advance(&database, days(5)).await;
    let woken = soon("the end of the week", handle.result()).await.unwrap();
    durable.shutdown().await.unwrap();
    woken
}

fn utc(times: [&str; 3]) -> Vec<DateTime<Utc>> {
    times.into_iter().map(|time| time.parse().unwrap()).collect()
}

#[tokio::test]
async fn berlin_wakes_on_time_in_the_week_of_23_hours() {
    let woken = woken("Europe/Berlin", "2040-03-22T12:00:00Z").await;
    assert_eq!(woken, utc(["2040-03-23T08:00:00Z", "2040-03-25T01:00:00Z", "2040-03-25T22:00:00Z"]));
}

#[tokio::test]
async fn new_york_wakes_on_time_in_the_week_of_25_hours() {
    let woken = woken("America/New_York", "2040-11-01T12:00:00Z").await;
    assert_eq!(woken, utc(["2040-11-02T13:00:00Z", "2040-11-04T07:30:00Z", "2040-11-05T05:00:00Z"]));
}

#[tokio::test]
async fn lord_howe_wakes_on_time_when_half_an_hour_is_skipped() {
    // 2:30 exists there: clocks go from 2:00 to it.
    let woken = woken("Australia/Lord_Howe", "2040-10-04T12:00:00Z").await;
    assert_eq!(woken, utc(["2040-10-04T22:30:00Z", "2040-10-06T15:30:00Z", "2040-10-07T13:00:00Z"]));
}

#[tokio::test]
async fn an_unknown_zone_fails_the_execution_with_what_to_give() {
    let database = support::database().await;
    let durable = database.builder().register(OfficeHours).start().await.unwrap();
    let handle = durable.start::<OfficeHours>("Mars/Olympus".to_owned()).await.unwrap();
    let error = soon("the failure", handle.result()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("`Mars/Olympus` is no time zone; give a name"), "{error}");
    durable.shutdown().await.unwrap();
}
