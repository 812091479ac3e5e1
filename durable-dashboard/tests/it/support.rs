//! What the tests stand on: a server for the whole run, a database for each test, a dashboard, and a plain HTTP client.

pub(crate) mod workflows;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use durable::migrate::{SchemaName, migrate};
use durable::prelude::*;
use durable_dashboard::Dashboard;
use durable_postgres::{Cluster, ClusterOptions, Lifetime};
use serde_json::Value;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Executor, PgPool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;

/// Longer than anything here takes on a busy machine; only a test that fails waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// The headers with which a browser sends a form of a page.
pub(crate) const FROM_OWN_PAGE: (&str, &str) = ("sec-fetch-site", "same-origin");

/// A database of its own for one test.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) url: String,
    pool: PgPool,
}

impl Database {
    fn at(url: String) -> Self {
        let pool = PgPoolOptions::new().max_connections(2).acquire_timeout(PATIENCE).connect_lazy(&url).unwrap();
        Self { url, pool }
    }

    /// A client without a worker.
    pub(crate) async fn client(&self) -> Durable {
        Durable::builder().database_url(&self.url).max_connections(4).start().await.unwrap()
    }

    /// Runs statements that return nothing of interest; `sql` is this test's own text.
    pub(crate) async fn run(&self, sql: &str) {
        self.pool.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// One number from the database.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }
}

/// A dashboard that is served, and where.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Reply {
    /// The body of an answer that is as it should be.
    pub(crate) fn page(self) -> String {
        assert_eq!(self.status, 200, "{self:#?}");
        self.body
    }

    /// The body of an answer with this status.
    pub(crate) fn refused(self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:#?}");
        self.body
    }

    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// Where an answer sends the browser.
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, 303, "{self:#?}");
        &self.headers["location"]
    }
}

impl Site {
    /// Serves a dashboard at the root of a server; on a busy machine, too, the database is not away.
    pub(crate) async fn of(dashboard: Dashboard) -> Self {
        Self::serve(dashboard.patience(PATIENCE).into_router()).await
    }

    /// A dashboard with the rule for those who have none: this machine may do everything.
    pub(crate) async fn local(durable: &Durable) -> Self {
        Self::of(Dashboard::new(durable.clone())).await
    }

    pub(crate) async fn serve(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { address }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let reply = self.send("GET", path, &[("accept", "application/json")], "").await;
        assert_eq!(reply.headers["content-type"], "application/json", "{reply:#?}");
        reply.json()
    }

    /// Sends a form as a browser does from a page of the dashboard.
    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Reply {
        let mut encoded = String::new();
        for (name, value) in form {
            encoded.push_str(&format!("{}={}&", percent(name), percent(value)));
        }
        self.send(
            "POST",
            path,
            &[FROM_OWN_PAGE, ("content-type", "application/x-www-form-urlencoded")],
            encoded.trim_end_matches('&'),
        )
        .await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut stream = self.open(method, path, headers, body).await;
        let mut bytes = Vec::new();
        soon("the answer", stream.read_to_end(&mut bytes)).await.unwrap();
        read(&String::from_utf8(bytes).unwrap())
    }

    /// Sends a request and leaves the answer in the stream.
    pub(crate) async fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "host") {
            request.push_str(&format!("host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

fn read(answer: &str) -> Reply {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("not an answer: {answer}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_owned(), value.to_owned()));
    Reply { status, headers: headers.collect(), body: body.to_owned() }
}

/// The text as it stands in a URL.
pub(crate) fn percent(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => (byte as char).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// The values of an attribute in a page, in order.
pub(crate) fn attributes<'page>(page: &'page str, attribute: &str) -> Vec<&'page str> {
    let start = format!(" {attribute}=\"");
    page.split(&start).skip(1).filter_map(|rest| rest.split_once('"')).map(|(value, _)| value).collect()
}

/// The link with this relation, as a URL.
pub(crate) fn link(page: &str, rel: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("<a rel=\"{rel}\" href=\""))?;
    Some(rest.split_once('"')?.0.replace("&amp;", "&"))
}

/// A migrated database on the server of this test run.
pub(crate) async fn database() -> Database {
    static CREATED: AtomicU32 = AtomicU32::new(0);
    let server = server().await;
    let name = format!("dashboard_{}", CREATED.fetch_add(1, Ordering::SeqCst));
    Database::at(server.url()).run(&format!("create database {name}")).await;
    let database = Database::at(server.database_url(&name));
    migrate(&database.url, &SchemaName::default()).await.unwrap();
    database
}

/// Waits until the condition holds, and fails saying `what` did not come about.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let held = async {
        while !condition().await {
            tokio::time::sleep(GLANCE).await;
        }
    };
    soon(what, held).await;
}

/// Waits until the execution is shown in this state.
pub(crate) async fn until(durable: &Durable, id: ExecutionId, state: ExecutionState) {
    eventually(&format!("{state}"), async || durable.get_execution(id).await.unwrap().execution.state == state).await;
}

/// The future's output, or a failure after a generous time.
pub(crate) async fn soon<T>(what: &str, future: impl IntoFuture<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future.into_future()).await.unwrap_or_else(|_| panic!("after {PATIENCE:?}: not yet {what}"))
}

async fn server() -> &'static Cluster {
    static SERVER: OnceCell<Cluster> = OnceCell::const_new();
    SERVER
        .get_or_init(|| async {
            let hasty = [("fsync", "off"), ("synchronous_commit", "off"), ("max_connections", "300")];
            let options = ClusterOptions {
                name: "dashboard-tests".to_owned(),
                in_memory: true,
                lifetime: Lifetime::Temporary,
                settings: hasty.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
                ..ClusterOptions::default()
            };
            tokio::task::spawn_blocking(|| Cluster::start(options)).await.unwrap().unwrap()
        })
        .await
}
