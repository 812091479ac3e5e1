//! The page of one execution.

use durable::ExecutionState;

use crate::support::workflows::{Break, Fetch, Lead, worker};
use crate::support::{Site, attributes, database, link, until};

#[tokio::test]
async fn an_execution_that_waits_says_for_what_and_how_to_go_on() {
    let database = database().await;
    let durable = worker(&database).await;
    let fetch = durable.start::<Fetch>("acme".to_owned()).await.unwrap();
    until(&durable, fetch.id(), ExecutionState::Waiting).await;
    let site = Site::local(&durable).await;
    let id = fetch.id();

    let page = site.get(&format!("/executions/{id}")).await.page();
    for part in [
        "It waits, and holds no worker.",
        "Event `go` must be sent",
        &format!("durable event send {id} go PAYLOAD"),
        &format!("href=\"{id}/act?verb=event&amp;name=go\""),
        &format!("durable execution cancel {id}"),
        "tenant=acme",
        "progress",
        "value, revision 1",
        "<bdi>event go</bdi>",
        "<rect class=\"waiting\"",
        "durable-graph",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let twin = site.json(&format!("/executions/{id}")).await;
    assert_eq!(twin["blockers"][0]["kind"], "event", "{twin}");
    assert!(twin["why"][0].as_str().unwrap().starts_with("Event `go` must be sent"), "{twin}");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_failure_has_its_attempts_and_its_causes() {
    let database = database().await;
    let durable = worker(&database).await;
    let broken = durable.start::<Break>("the cup".to_owned()).await.unwrap();
    until(&durable, broken.id(), ExecutionState::Failed).await;
    let site = Site::local(&durable).await;
    let page = site.get(&format!("/executions/{}", broken.id())).await.page();
    for part in [
        "the cup is broken",
        "failed, attempt 2",
        "<rect class=\"back-off\"",
        "<rect class=\"completed\"",
        "<rect class=\"failed\"",
        "verb=retry",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("verb=cancel"), "what has ended cannot be cancelled: {page}");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_long_journal_is_shown_in_windows_and_a_child_is_linked() {
    let database = database().await;
    let durable = worker(&database).await;
    let lead = durable.start::<Lead>(450).await.unwrap();
    lead.result().await.unwrap();
    let site = Site::local(&durable).await;

    let mut path = format!("/executions/{}", lead.id());
    let mut keys = Vec::new();
    let mut windows = Vec::new();
    loop {
        let page = site.get(&path).await.page();
        let rows: Vec<String> =
            page.split("<td class=\"key\"><bdi>").skip(1).map(|rest| rest.split_once('<').unwrap().0.to_owned()).collect();
        assert!(rows.len() <= 200, "{}", rows.len());
        assert!(page.matches('<').count() / 2 < 4000, "a page of a long journal stays small");
        windows.push(rows.len());
        keys.extend(rows);
        match link(&page, "next") {
            Some(next) => path = format!("/executions/{next}"),
            None => {
                let child = durable.get_execution(lead.id()).await.unwrap().children[0].id.to_string();
                assert!(attributes(&page, "href").contains(&child.as_str()), "{page}");
                let page = site.get(&format!("/executions/{child}")).await.page();
                assert!(attributes(&page, "href").contains(&lead.id().to_string().as_str()), "{page}");
                break;
            }
        }
    }
    assert_eq!(windows, [200, 200, 51]);
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 451, "each call once");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_execution_that_is_not_there_and_an_id_that_is_none_are_told_apart() {
    let database = database().await;
    let durable = database.client().await;
    let site = Site::local(&durable).await;
    let missing = site.get("/executions/01989f2c-7b12-7000-8000-00000000002a").await.refused(404);
    assert!(missing.contains("There is no execution 01989f2c"), "{missing}");
    let wrong = site.get("/executions/order-42").await.refused(422);
    assert!(wrong.contains("`order-42`"), "{wrong}");
    let twin = site.send("GET", "/executions/order-42", &[("accept", "application/json")], "").await;
    assert_eq!(twin.status, 422);
    assert_eq!(twin.json()["error"]["status"], 422);
    durable.shutdown().await.unwrap();
}
