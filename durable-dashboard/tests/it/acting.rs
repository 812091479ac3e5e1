//! Actions on one execution: confirmed, done, and refused if they come too late.

use durable::ExecutionState;
use durable::prelude::*;

use crate::support::workflows::{Break, Fetch, worker};
use crate::support::{Site, database, until};

#[tokio::test]
async fn an_execution_is_paused_resumed_sent_an_event_and_shown() {
    let database = database().await;
    let durable = worker(&database).await;
    let fetch = durable.start::<Fetch>("acme".to_owned()).await.unwrap();
    let id = fetch.id();
    until(&durable, id, ExecutionState::Waiting).await;
    let site = Site::local(&durable).await;
    let act = format!("/executions/{id}/act");

    let page = site.get(&format!("{act}?verb=pause")).await.page();
    assert!(
        page.contains("It begins nothing new until it is resumed.") && page.contains(&format!("durable execution pause {id}")),
        "{page}"
    );
    let done = site.post(&act, &[("verb", "pause")]).await;
    assert_eq!(done.location(), format!("../{id}?did=pause"));
    let page = site.get(&format!("/executions/{id}?did=pause")).await.page();
    assert!(page.contains("It was paused.") && page.contains("verb=resume"), "{page}");
    let twice = site.get(&format!("{act}?verb=pause")).await.refused(409);
    assert!(twice.contains("This execution is paused. In this state it cannot be paused."), "{twice}");
    site.post(&act, &[("verb", "resume")]).await.location();
    until(&durable, id, ExecutionState::Waiting).await;

    let page = site.get(&format!("{act}?verb=event&name=go")).await.page();
    assert!(page.contains("name=\"name\" value=\"go\""), "{page}");
    let wrong = site.post(&act, &[("verb", "event"), ("name", "go"), ("payload", "{\"a\": <b>")]).await.refused(422);
    assert!(wrong.contains("The payload is not JSON") && wrong.contains("{&quot;a&quot;: &lt;b&gt;"), "{wrong}");
    let kept = site.post(&act, &[("verb", "event"), ("name", "later"), ("payload", "1")]).await;
    assert_eq!(kept.location(), format!("../{id}?did=event_kept"));
    let sent = site.post(&act, &[("verb", "event"), ("name", "go"), ("payload", "9007199254740993")]).await;
    assert_eq!(sent.location(), format!("../{id}?did=event"));
    assert_eq!(fetch.result().await.unwrap().to_string(), "9007199254740993");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_action_that_comes_too_late_changes_nothing_and_says_so() {
    let database = database().await;
    let durable = worker(&database).await;
    let fetch = durable.start::<Fetch>("acme".to_owned()).await.unwrap();
    let id = fetch.id();
    until(&durable, id, ExecutionState::Waiting).await;
    let site = Site::local(&durable).await;
    let act = format!("/executions/{id}/act");
    // The page is open while the execution ends.
    site.get(&format!("{act}?verb=cancel")).await.page();
    durable.send_event(id, "go", &1).await.unwrap();
    fetch.result().await.unwrap();
    for form in [
        vec![("verb", "cancel"), ("reason", "too slow")],
        vec![("verb", "pause")],
        vec![("verb", "event"), ("name", "go"), ("payload", "2")],
    ] {
        let late = site.post(&act, &form).await.refused(409);
        assert!(late.contains("Nothing was changed: the action came too late"), "{form:?}: {late}");
    }
    assert_eq!(durable.get_execution(id).await.unwrap().execution.state, ExecutionState::Completed);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_cancelled_and_a_failed_execution_are_retried_as_new_ones() {
    let database = database().await;
    let durable = worker(&database).await;
    let site = Site::local(&durable).await;
    let broken = durable.start::<Break>("cup".to_owned()).await.unwrap();
    until(&durable, broken.id(), ExecutionState::Failed).await;
    let done = site.post(&format!("/executions/{}/act", broken.id()), &[("verb", "retry")]).await;
    let to = done.location();
    let retry: ExecutionId = to.strip_prefix("../").unwrap().strip_suffix("?did=retry").unwrap().parse().unwrap();
    assert_ne!(retry, broken.id());
    let page = site.get(&format!("/executions/{retry}?did=retry")).await.page();
    assert!(page.contains("This is the retry") && page.contains(&format!("<a href=\"{0}\">{0}</a>", broken.id())), "{page}");

    let fetch = durable.start::<Fetch>("acme".to_owned()).await.unwrap();
    until(&durable, fetch.id(), ExecutionState::Waiting).await;
    let act = format!("/executions/{}/act", fetch.id());
    site.post(&act, &[("verb", "cancel"), ("reason", "not <needed>")]).await.location();
    let page = site.get(&format!("/executions/{}", fetch.id())).await.page();
    assert!(page.contains("not &lt;needed&gt;"), "{page}");
    let rolled = durable.start::<Fetch>("acme".to_owned()).await.unwrap();
    until(&durable, rolled.id(), ExecutionState::Waiting).await;
    site.post(&format!("/executions/{}/act", rolled.id()), &[("verb", "rollback")]).await.location();
    let unknown = site.post(&act, &[("verb", "delete")]).await.refused(400);
    assert!(unknown.contains("cancel, rollback, pause, resume, retry, event"), "{unknown}");
    durable.shutdown().await.unwrap();
}
