//! Schedules, queues, workers and health: what they show, and their verbs.

use crate::support::workflows::{Echo, worker};
use crate::support::{Site, database, eventually};

#[tokio::test]
async fn a_schedule_is_shown_disabled_enabled_and_triggered() {
    let database = database().await;
    let durable = worker(&database).await;
    durable.schedule::<Echo>("nightly & co", "0 9 * * mon-fri", (1, "a".to_owned())).await.unwrap();
    let site = Site::local(&durable).await;
    let page = site.get("/schedules").await.page();
    for part in ["nightly &amp; co", "0 9 * * mon-fri", "schedules/act?verb=trigger&amp;name=nightly+%26+co", "verb=disable"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let page = site.get("/schedules/act?verb=disable&name=nightly+%26+co").await.page();
    assert!(page.contains("durable schedule disable &#39;nightly &amp; co&#39;"), "{page}");
    let form = [("verb", "disable"), ("name", "nightly & co"), ("reason", "holidays")];
    assert_eq!(site.post("/schedules/act", &form).await.location(), "../schedules?did=disable");
    let page = site.get("/schedules?did=disable").await.page();
    assert!(page.contains("The schedule is disabled.") && page.contains("holidays") && page.contains("verb=enable"), "{page}");
    site.post("/schedules/act", &[("verb", "enable"), ("name", "nightly & co")]).await.location();
    let triggered = site.post("/schedules/act", &[("verb", "trigger"), ("name", "nightly & co")]).await;
    let to = triggered.location().strip_prefix("..").unwrap();
    let page = site.get(to).await.page();
    assert!(page.contains("The schedule was triggered.") && page.contains("nightly &amp; co"), "{page}");
    let twin = site.json("/schedules").await;
    assert_eq!(twin["schedules"][0]["firings"].as_array().unwrap().len(), 1, "{twin}");
    let unknown = site.get("/schedules/act?verb=trigger&name=weekly").await.refused(404);
    assert!(unknown.contains("weekly"), "{unknown}");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_queue_is_paused_drained_and_resumed() {
    let database = database().await;
    let durable = worker(&database).await;
    durable.start::<Echo>((1, "a".to_owned())).await.unwrap().result().await.unwrap();
    durable.queue("default").set_limits(durable::QueueLimits::default().concurrency(7)).await.unwrap();
    let site = Site::local(&durable).await;
    let page = site.get("/queues").await.page();
    assert!(page.contains("7 at once") && page.contains("queues/act?verb=pause&amp;name=default"), "{page}");
    assert_eq!(site.post("/queues/act", &[("verb", "drain"), ("name", "default")]).await.location(), "../queues?did=drained");
    let page = site.get("/queues?did=drained").await.page();
    assert!(page.contains("nothing of it runs") && page.contains("verb=resume"), "{page}");
    let waits = durable.start::<Echo>((2, "b".to_owned())).await.unwrap();
    let page = site.get(&format!("/executions/{}", waits.id())).await.page();
    assert!(page.contains("Its queue `default` is paused") && page.contains("href=\"../queues\""), "{page}");
    site.post("/queues/act", &[("verb", "resume"), ("name", "default")]).await.location();
    waits.result().await.unwrap();
    let wrong = site.post("/queues/act", &[("verb", "drop"), ("name", "default")]).await.refused(400);
    assert!(wrong.contains("pause, resume, drain"), "{wrong}");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_worker_is_shown_and_deprecated() {
    let database = database().await;
    let durable = worker(&database).await;
    let site = Site::local(&durable).await;
    let page = site.get("/workers").await.page();
    assert!(page.contains("release-7") && page.contains("echo@1") && page.contains("Deprecate"), "{page}");
    let id = durable.workers().await.unwrap()[0].id.to_string();
    site.post("/workers/act", &[("verb", "deprecate"), ("name", &id)]).await.location();
    eventually("deprecated", async || site.get("/workers").await.page().contains("deprecated")).await;
    let wrong = site.get("/workers/act?verb=deprecate&name=7").await;
    assert!(matches!(wrong.status, 400 | 422), "{wrong:#?}");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn health_shows_what_the_doctor_finds() {
    let database = database().await;
    let durable = database.client().await;
    let site = Site::local(&durable).await;
    let page = site.get("/health").await.page();
    assert!(page.contains("Nothing is wrong"), "{page}");
    durable.start::<Echo>((1, "a".to_owned())).await.unwrap();
    let page = site.get("/health").await.page();
    assert!(page.contains("queues") && page.contains("default"), "{page}");
    assert!(!site.json("/health").await["findings"].as_array().unwrap().is_empty());
    assert_eq!(site.get("/livez").await.page(), "ok\n");
    assert_eq!(site.get("/readyz").await.page(), "ok\n");
    durable.shutdown().await.unwrap();
}
