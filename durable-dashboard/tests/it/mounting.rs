//! The dashboard below any path: every link and every file of every page is found.

use std::collections::BTreeSet;

use axum::Router;
use durable::ExecutionState;
use durable_dashboard::Dashboard;

use crate::support::workflows::{Book, Lead, worker};
use crate::support::{Site, attributes, database, until};

/// The path to which a browser resolves a relative URL on the page at `base`.
fn resolve(base: &str, href: &str) -> String {
    let path = base.split('?').next().unwrap();
    if href.starts_with('?') {
        return format!("{path}{href}");
    }
    let (href, query) = href.split_once('?').map_or((href, ""), |(href, query)| (href, query));
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in href.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    format!("{}{query}", parts.join("/"))
}

#[tokio::test]
async fn every_link_of_every_page_works_below_every_prefix() {
    let database = database().await;
    let durable = worker(&database).await;
    durable.start::<Lead>(3).await.unwrap().result().await.unwrap();
    let book = durable.start::<Book>("Where to?".to_owned()).await.unwrap();
    until(&durable, book.id(), ExecutionState::Waiting).await;
    durable.schedule::<Lead>("leads", "every 1h", 1).await.unwrap();

    for prefix in ["", "/x", "/a/b"] {
        let dashboard = Dashboard::new(durable.clone()).into_router();
        let router = match prefix {
            "" => dashboard,
            "/x" => Router::new().nest(prefix, dashboard),
            prefix => Router::new().nest_service(prefix, dashboard),
        };
        let site = Site::serve(router).await;
        let first = site.get(if prefix.is_empty() { "/" } else { prefix }).await;
        let start = resolve(if prefix.is_empty() { "/" } else { prefix }, first.location());
        assert_eq!(start, format!("{prefix}/executions"));
        if prefix != "/x" {
            // `nest` leaves the path with a `/` at its end to the application.
            let slash = site.get(&format!("{prefix}/")).await;
            assert_eq!(resolve(&format!("{prefix}/"), slash.location()), start);
        }

        let (mut known, mut open) = (BTreeSet::from([start.clone()]), vec![start]);
        while let Some(path) = open.pop() {
            let reply = site.get(&path).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
            if !reply.headers["content-type"].starts_with("text/html") {
                continue;
            }
            for attribute in ["href", "src", "action", "data-ticks", "hx-get"] {
                for href in attributes(&reply.body, attribute) {
                    if href.starts_with(['#']) || href.starts_with("data:") {
                        continue;
                    }
                    assert!(!href.starts_with('/') && !href.contains("://"), "{path}: {href}");
                    let to = resolve(&path, &href.replace("&amp;", "&"));
                    assert!(to.starts_with(prefix), "{path}: {href}");
                    // The stream of ticks has no end, and an action's own path takes only POST.
                    let is_followed = attribute != "action" && !to.ends_with("/ticks");
                    if is_followed && known.insert(to.clone()) {
                        open.push(to);
                    }
                }
            }
        }
        assert!(known.len() > 20, "{known:#?}");
        let lost = site.get(&format!("{prefix}/nowhere/at/all")).await.refused(404);
        assert!(lost.contains("There is no such page."), "{lost}");
        let style = attributes(&lost, "href").into_iter().find(|href| href.ends_with(".css")).unwrap().to_owned();
        site.get(&resolve(&format!("{prefix}/nowhere/at/all"), &style)).await.page();
    }
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_file_of_another_release_is_answered_but_not_kept() {
    let database = database().await;
    let durable = database.client().await;
    let site = Site::local(&durable).await;
    let page = site.get("/executions").await.page();
    let files: Vec<String> = attributes(&page, "href")
        .into_iter()
        .chain(attributes(&page, "src"))
        .filter(|path| path.contains("assets/"))
        .map(str::to_owned)
        .collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in &files {
        let current = site.get(&format!("/{}", file.trim_start_matches("./"))).await;
        assert!(current.headers["cache-control"].contains("immutable"), "{current:#?}");
        let name = file.rsplit('/').next().unwrap();
        let stale = site.get(&format!("/assets/0123456789abcdef/{name}")).await;
        assert_eq!((stale.headers["cache-control"].as_str(), &stale.body), ("no-cache", &current.body));
    }
    site.get("/assets/0123456789abcdef/other.js").await.refused(404);
    durable.shutdown().await.unwrap();
}
