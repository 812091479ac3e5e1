//! Listening: where notices no longer arrive, work is found later, and all of it is.

use std::time::Duration;

use durable::prelude::*;

use crate::support::proxy::{Fate, Moment, Proxy, Trap};
use crate::support::{self, Database, eventually, soon};

/// Never comes within a test.
const NEVER: Duration = Duration::from_secs(3600);

/// Waits for an event, as others do that are started elsewhere.
struct Heard;

#[workflow]
impl Heard {
    async fn run(&self, cx: &Context, _: ()) -> Result<u32> {
        cx.wait_for_event("word").await
    }
}

/// Has a worker run what another process starts and tells.
async fn one_is_heard(database: &Database, number: u32) {
    let client = database.client().await;
    let handle = client.start::<Heard>(()).await.unwrap();
    client.send_event(handle.id(), "word", &number).await.unwrap();
    assert_eq!(soon("at its end", handle.result()).await.unwrap(), number);
    client.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_listening_connection_that_is_cut_is_replaced_and_what_was_missed_is_looked_for() {
    let database = support::database().await;
    let worker = database.builder().poll_interval(NEVER).register(Heard).start().await.unwrap();
    let listening = "from pg_stat_activity where datname = current_database() and query ilike 'listen %'";
    for number in 0..3 {
        eventually("it listens", async || database.count(&format!("select count(*) {listening}")).await == 1).await;
        database.run(&format!("select pg_terminate_backend(pid) {listening}")).await;
        one_is_heard(&database, number).await;
    }
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_listening_connection_that_has_gone_silent_costs_a_poll_interval_and_no_more() {
    let database = support::database().await;
    let proxy = Proxy::before(&database).await;
    let worker = Database::at(proxy.url().to_owned()).builder().register(Heard).start().await.unwrap();
    proxy.deafen();
    for number in 0..3 {
        one_is_heard(&database, number).await;
    }
    assert!(proxy.swallowed() > 0, "the test has swallowed nothing");
    worker.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_listening_connection_that_never_comes_about_hangs_nobody() {
    let database = support::database().await;
    let proxy = Proxy::before(&database).await;
    proxy.set(Trap { statements: vec!["listen".to_owned()], nth: 1, moment: Moment::Before, fate: Fate::Held });
    let worker = Database::at(proxy.url().to_owned()).builder().register(Heard).start().await.unwrap();
    assert_eq!(proxy.caught().await, "listen");
    one_is_heard(&database, 7).await;
    worker.shutdown().await.unwrap();
}
