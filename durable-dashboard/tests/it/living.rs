//! Live pages: they are told of changes, and cost the database no more the more there are.

use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::support::workflows::Echo;
use crate::support::{Site, database, soon};

/// Reads a stream of events until it has this text.
async fn until_it_says(stream: &mut TcpStream, text: &str) {
    let mut heard = String::new();
    let read = async {
        while !heard.contains(text) {
            let mut buffer = [0; 4096];
            let length = stream.read(&mut buffer).await.unwrap();
            assert!(length > 0, "the stream has ended: {heard}");
            heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    };
    soon(text, read).await;
}

#[tokio::test]
async fn a_page_is_told_of_a_change() {
    let database = database().await;
    let durable = database.client().await;
    let site = Site::local(&durable).await;
    let mut ticks = site.open("GET", "/ticks", &[], "").await;
    until_it_says(&mut ticks, "text/event-stream").await;
    // The poller compares with its first mark, which may come after the first start.
    let starts = async {
        loop {
            durable.start::<Echo>((1, "a".to_owned())).await.unwrap();
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    tokio::select! {
        () = until_it_says(&mut ticks, "event: tick") => {}
        () = starts => {}
    }
    let page = site.get("/executions").await.page();
    assert!(
        page.contains("data-live") && page.contains("hx-trigger=\"durable:tick\"") && page.contains("data-ticks=\"./ticks\""),
        "{page}"
    );
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_hundred_idle_pages_cost_as_many_statements_as_one() {
    let database = database().await;
    let durable = database.client().await;
    let site = Site::local(&durable).await;
    let counted = "select calls from (select sum(xact_commit)::bigint as calls from pg_stat_database where datname = current_database()) as s";
    let mut pages = vec![site.open("GET", "/ticks", &[], "").await];
    let mut costs = Vec::new();
    for count in [1, 100] {
        while pages.len() < count {
            pages.push(site.open("GET", "/ticks", &[], "").await);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = database.number(counted).await;
        tokio::time::sleep(Duration::from_secs(6)).await;
        costs.push(database.number(counted).await - before);
    }
    // Some ten statements for the poller, and some for the engine's own duties.
    assert!(costs[1] <= costs[0] + 25, "{costs:?}");
    drop(pages);
    durable.shutdown().await.unwrap();
}
