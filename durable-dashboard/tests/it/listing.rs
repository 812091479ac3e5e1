//! The list of executions: filters, pages, counts, and changes of many at once.

use std::collections::BTreeSet;

use durable::ExecutionState;
use durable::prelude::*;

use crate::support::workflows::{Break, Echo, Fetch, worker};
use crate::support::{Site, attributes, database, link, percent, until};

/// The ids of the rows of a page.
fn ids(page: &str) -> Vec<String> {
    attributes(page, "href")
        .into_iter()
        .filter_map(|href| href.strip_prefix("executions/"))
        .filter(|rest| rest.len() == 36)
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn pages_have_every_execution_once() {
    let database = database().await;
    let durable = database.client().await;
    let started: Vec<ExecutionHandle<Echo>> =
        durable.start_many::<Echo>((0..130).map(|number| (number, String::new()))).await.unwrap();
    let site = Site::local(&durable).await;

    let mut path = "/executions?limit=50&queue=default".to_owned();
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let page = site.get(&path).await.page();
        assert!(page.contains("<span class=\"count\">130</span>"), "{page}");
        seen.extend(ids(&page));
        pages += 1;
        match link(&page, "next") {
            Some(next) => path = format!("/{next}"),
            None => break,
        }
    }
    assert_eq!((pages, seen.len()), (3, 130));
    let known: BTreeSet<String> = started.iter().map(|handle| handle.id().to_string()).collect();
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), known);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn filters_stand_in_the_url_and_in_the_form_and_on_the_command_line() {
    let database = database().await;
    let durable = worker(&database).await;
    let fetch = durable.start::<Fetch>("acme & sons".to_owned()).key("key-1").await.unwrap();
    let echo = durable.start::<Echo>((1, "a".to_owned())).await.unwrap();
    echo.result().await.unwrap();
    until(&durable, fetch.id(), ExecutionState::Waiting).await;
    let site = Site::local(&durable).await;

    let tag = percent("tenant=acme & sons");
    for filter in ["state=waiting", "workflow=fetch", "key=key-1", &format!("tag={tag}"), &format!("id={}", fetch.id())] {
        let page = site.get(&format!("/executions?{filter}")).await.page();
        assert_eq!(ids(&page), [fetch.id().to_string()], "{filter}");
    }
    let page = site.get(&format!("/executions?tag={tag}&state=waiting&state=failed&from=2020-01-01")).await.page();
    assert!(page.contains("value=\"tenant=acme &amp; sons\""), "{page}");
    assert!(page.contains("value=\"waiting\" checked"), "{page}");
    assert!(
        page.contains(
            "durable execution list --state waiting,failed --tag &#39;tenant=acme &amp; sons&#39; --from 2020-01-01T00:00:00Z"
        ),
        "{page}"
    );
    assert!(page.contains("<title>Executions · waiting, failed · Durable</title>"), "{page}");

    let none = site.get("/executions?workflow=unheard_of").await.page();
    assert!(none.contains("No execution passes these filters."), "{none}");
    let twin = site.json("/executions?workflow=echo").await;
    assert_eq!((twin["count"].as_u64(), twin["executions"][0]["id"].as_str()), (Some(1), Some(echo.id().to_string().as_str())));
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_empty_database_says_what_to_do_first() {
    let database = database().await;
    let durable = database.client().await;
    let site = Site::local(&durable).await;
    for (path, part) in [
        ("/executions", "durable execution start"),
        ("/inbox", "cx.wait_for_approval"),
        ("/schedules", "#[workflow(schedule"),
        ("/queues", "A queue appears when"),
        ("/workers", "No worker runs."),
    ] {
        let page = site.get(path).await.page();
        assert!(page.contains("class=\"empty\"") && page.contains(part), "{path}: {page}");
    }
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn filters_and_cursors_that_make_no_sense_are_refused_with_what_to_write() {
    let database = database().await;
    let durable = database.client().await;
    let site = Site::local(&durable).await;
    for (query, part) in [
        ("state=gone", "`gone`"),
        ("after=7", "`7`"),
        ("limit=0", "1 to 200 rows"),
        ("limit=1000000", "1 to 200 rows"),
        ("from=yesterday", "2026-11-30"),
        ("tag=tenant", "tenant=acme"),
        ("tag=a%3D1&tag=b%3D1&tag=c%3D1&tag=d%3D1&tag=e%3D1", "5 tags"),
    ] {
        let reply = site.get(&format!("/executions?{query}")).await;
        assert!(matches!(reply.status, 400 | 422), "{query}: {reply:#?}");
        assert!(reply.body.contains(part), "{query}: {}", reply.body);
    }
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn many_are_retried_after_a_page_that_says_what_and_how_many() {
    let database = database().await;
    let durable = worker(&database).await;
    for what in ["cup", "plate"] {
        let broken = durable.start::<Break>(what.to_owned()).await.unwrap();
        until(&durable, broken.id(), ExecutionState::Failed).await;
    }
    let site = Site::local(&durable).await;

    let list = site.get("/executions?workflow=break&state=failed").await.page();
    assert!(list.contains("href=\"executions/bulk?"), "{list}");
    let page = site.get("/executions/bulk?workflow=break&state=failed").await.page();
    assert!(page.contains("Retry 2") && page.contains("2 executions that pass these filters are retried."), "{page}");
    assert!(page.contains("durable execution retry-all --state failed --workflow break --yes"), "{page}");

    let form = [("verb", "retry"), ("workflow", "break"), ("state", "failed")];
    let done = site.post("/executions/bulk", &form).await.page();
    assert!(done.contains("2 executions were retried."), "{done}");
    let again = site.post("/executions/bulk", &form).await.page();
    assert!(again.contains("retried."), "{again}");
    let unfiltered = site.post("/executions/bulk", &[("verb", "cancel")]).await.refused(422);
    assert!(unfiltered.contains("has no filter"), "{unfiltered}");
    let unknown = site.post("/executions/bulk", &[("verb", "delete"), ("workflow", "break")]).await.refused(400);
    assert!(unknown.contains("retry, resume or cancel"), "{unknown}");
    durable.shutdown().await.unwrap();
}
