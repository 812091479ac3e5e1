//! Odd values: what no execution can live with is refused when it is given, by the client and by the verbs alike.

use std::time::Duration;

use chrono::{DateTime, Utc};
use durable::prelude::*;

use crate::support::{self, PATIENCE, clock, eventually};

/// Sleeps for as long as it can be said.
struct Ages;

#[workflow]
impl Ages {
    async fn run(&self, cx: &Context, how: String) -> Result<String> {
        match how.as_str() {
            "for ever" => cx.sleep(Duration::MAX).await?,
            "for very long" => cx.sleep(days(100_000_000)).await?,
            "until the end" => cx.sleep_until(DateTime::<Utc>::MAX_UTC).await?,
            "since the beginning" => cx.sleep_until(DateTime::<Utc>::MIN_UTC).await?,
            "for a minute" => cx.sleep(minutes(1)).await?,
            "for a message" => return cx.wait_for_event("message").timeout(Duration::MAX).or_fail().await,
            _ => return self.try_in_ages().await,
        }
        Ok(how)
    }

    #[step(retry(max_attempts = 2))]
    async fn try_in_ages(&self) -> Result<String> {
        Err(Error::retry_after(Duration::MAX, "not in this age"))
    }
}

#[tokio::test]
async fn a_wait_for_longer_than_all_time_never_ends_and_stops_no_other() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let worker = database.builder().register(Ages).start().await.unwrap();
    let waits = ["for ever", "for very long", "until the end", "for a message", "for an attempt"];
    for how in waits {
        worker.start::<Ages>(how.to_owned()).await.unwrap();
    }
    let waiting = "select count(*) from durable.executions where state = 'waiting'";
    eventually("all wait", async || database.count(waiting).await == 5).await;
    for how in ["since the beginning", "for a minute"] {
        let handle = worker.start::<Ages>(how.to_owned()).await.unwrap();
        if how == "for a minute" {
            eventually("it waits", async || database.count(waiting).await == 6).await;
            clock::turn(&database, minutes(2)).await;
        }
        assert_eq!(handle.result_within(PATIENCE).await.unwrap(), how);
    }
    clock::turn(&database, days(365_000)).await;
    assert_eq!(database.count(waiting).await, 5);
    worker.shutdown().await.unwrap();
}
