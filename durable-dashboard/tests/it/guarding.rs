//! Who gets in, which writes are refused, which headers every answer has, and a database that is away.

use std::time::Duration;

use durable::ExecutionState;
use durable::prelude::*;
use durable_dashboard::{Access, Dashboard};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::workflows::{Fetch, worker};
use crate::support::{FROM_OWN_PAGE, Site, database, eventually, until};

#[tokio::test]
async fn without_a_rule_only_this_machine_is_let_in() {
    let database = database().await;
    let durable = database.client().await;
    let site = Site::local(&durable).await;
    site.get("/executions").await.page();
    for header in [("host", "dashboard.example.com"), ("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=203.0.113.7")] {
        let page = site.send("GET", "/executions", &[header], "").await.refused(403);
        assert!(page.contains(".authorize(|request| …)"), "{header:?}: {page}");
    }
    // A server that does not say who asks.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Dashboard::new(durable.clone()).into_router();
    tokio::spawn(async move { axum::serve(listener, router).await });
    let unknown = Site { address };
    let page = unknown.get("/executions").await.refused(403);
    assert!(page.contains("into_make_service_with_connect_info::&lt;SocketAddr&gt;()"), "{page}");
    assert_eq!(unknown.get("/livez").await.page(), "ok\n");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn each_role_does_what_it_may_and_no_more() {
    let database = database().await;
    let durable = worker(&database).await;
    let fetch = durable.start::<Fetch>("acme".to_owned()).await.unwrap();
    until(&durable, fetch.id(), ExecutionState::Waiting).await;
    let site = Site::of(Dashboard::new(durable.clone()).authorize(|request| {
        match request.headers.get("x-role").and_then(|role| role.to_str().ok()) {
            Some("viewer") => Access::viewer().by("Vera"),
            Some("operator") => Access::operator(),
            Some("admin") => Access::admin(),
            _ => Access::denied(),
        }
    }))
    .await;
    let get = async |role, path: &str| site.send("GET", path, &[("x-role", role)], "").await;
    let post = async |role, path: &str, form| site.send("POST", path, &[("x-role", role), FROM_OWN_PAGE], form).await;

    let page = get("stranger", "/executions").await.refused(403);
    assert!(page.contains("You may not see this dashboard."), "{page}");
    let id = fetch.id();
    let (one, act) = (format!("/executions/{id}"), format!("/executions/{id}/act"));
    let page = get("viewer", &one).await.page();
    assert!(page.contains("Vera, viewer") && !page.contains("verb=pause"), "{page}");
    let page = post("viewer", &act, "verb=pause").await.refused(403);
    assert!(page.contains("This needs the role operator, and yours is viewer."), "{page}");
    assert!(get("operator", &one).await.page().contains("verb=pause"));
    post("operator", &act, "verb=pause").await.location();
    for path in ["/executions/bulk", "/queues/act", "/workers/act"] {
        let page = post("operator", path, "verb=cancel&workflow=fetch&name=default").await.refused(403);
        assert!(page.contains("This needs the role admin"), "{path}: {page}");
        get("operator", path).await.refused(403);
    }
    post("admin", "/queues/act", "verb=pause&name=default").await.location();

    let read_only = Site::of(Dashboard::new(durable.clone()).authorize(|_| Access::admin()).read_only()).await;
    let page = read_only.post(&act, &[("verb", "resume")]).await.refused(403);
    assert!(page.contains("This dashboard is read-only."), "{page}");
    assert!(!read_only.get(&one).await.page().contains("verb=resume"));
    assert_eq!(durable.get_execution(id).await.unwrap().execution.state, ExecutionState::Paused);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_write_from_another_site_is_refused() {
    let database = database().await;
    let durable = worker(&database).await;
    let fetch = durable.start::<Fetch>("acme".to_owned()).await.unwrap();
    until(&durable, fetch.id(), ExecutionState::Waiting).await;
    let site = Site::local(&durable).await;
    let act = format!("/executions/{}/act", fetch.id());
    let own = format!("http://{}", site.address);
    let foreign: [&[(&str, &str)]; 6] = [
        &[],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://example.com")],
        &[("sec-fetch-site", "cross-site"), ("origin", &own)],
    ];
    for headers in foreign {
        let page = site.send("POST", &act, headers, "verb=pause").await.refused(403);
        assert!(page.contains("does not come from a page of the dashboard"), "{headers:?}: {page}");
    }
    assert_eq!(durable.get_execution(fetch.id()).await.unwrap().execution.state, ExecutionState::Waiting);
    // A browser on plain HTTP sends only its origin.
    site.send("POST", &act, &[("origin", &own)], "verb=pause").await.location();
    let wrong = site.send("DELETE", "/executions", &[FROM_OWN_PAGE], "").await.refused(405);
    assert!(wrong.contains("does not take this method"), "{wrong}");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn every_answer_has_the_headers_and_no_cookie() {
    let database = database().await;
    let durable = database.client().await;
    let site = Site::local(&durable).await;
    for path in ["/executions", "/inbox", "/nowhere", "/livez", "/executions/7"] {
        let reply = site.get(path).await;
        let policy = &reply.headers["content-security-policy"];
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'self'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(reply.headers["referrer-policy"], "no-referrer", "{path}");
        assert!(!reply.headers.contains_key("set-cookie"), "{path}");
    }
    durable.shutdown().await.unwrap();
}

/// Passes bytes to the database while the switch is on.
async fn bridge(to: String) -> (u16, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (switch, is_on) = watch::channel(true);
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let (to, mut is_on) = (to.clone(), is_on.clone());
            tokio::spawn(async move {
                if !*is_on.borrow_and_update() {
                    return;
                }
                let mut server = TcpStream::connect(to).await.unwrap();
                tokio::select! {
                    _ = copy_bidirectional(&mut client, &mut server) => {}
                    _ = is_on.changed() => {}
                }
            });
        }
    });
    (port, switch)
}

#[tokio::test]
async fn a_database_that_is_away_is_said_and_the_page_comes_back_by_itself() {
    let database = database().await;
    let (before, rest) = database.url.split_once("@127.0.0.1:").unwrap();
    let (port, name) = rest.split_once('/').unwrap();
    let (bridged, switch) = bridge(format!("127.0.0.1:{port}")).await;
    let url = format!("{before}@127.0.0.1:{bridged}/{name}");
    let durable = Durable::builder().database_url(&url).max_connections(3).start().await.unwrap();
    let site = Site::serve(Dashboard::new(durable.clone()).patience(Duration::from_secs(3)).into_router()).await;
    site.get("/executions").await.page();

    switch.send_replace(false);
    let page = site.get("/executions").await.refused(503);
    assert!(page.contains("The database does not answer.") && page.contains("Nothing is lost"), "{page}");
    site.get("/readyz").await.refused(503);
    assert_eq!(site.get("/livez").await.page(), "ok\n");
    let twin = site.send("GET", "/inbox", &[("accept", "application/json")], "").await;
    assert_eq!((twin.status, &twin.json()["error"]["status"]), (503, &serde_json::json!(503)));

    switch.send_replace(true);
    eventually("the page again", async || site.get("/executions").await.status == 200).await;
    durable.shutdown().await.unwrap();
}
