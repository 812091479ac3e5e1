//! The dashboard inside an application: below a path of its own, with the application's sign-in and with roles.
//!
//! `cargo run -p durable-dashboard --example dashboard`
//!
//! It starts some executions, so that there is something to see, and serves until Ctrl-C. Without a terminal it only reads its own
//! first page and ends.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

use std::io::IsTerminal;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use durable::migrate::{SchemaName, migrate};
use durable::prelude::*;
use durable_dashboard::{Access, Dashboard};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a customer wants changed.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Change {
    /// Who confirms it.
    name: String,
    /// How many people travel.
    #[schemars(range(min = 1, max = 9))]
    seats: u32,
    class: Class,
    note: Option<String>,
    stops: Vec<Stop>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Class {
    First,
    Second,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Stop {
    city: String,
}

struct BookTrip;

#[workflow(queue = "trips")]
impl BookTrip {
    async fn run(&self, cx: &Context, city: String) -> Result<String> {
        cx.tag("city", city.clone()).await?;
        let seat = self.reserve(&city).await?;
        let change: Change = cx.wait_for_input("change").prompt(format!("How is the trip to {city} to be booked?")).await?;
        self.pay(&seat, change.seats).await
    }

    #[step(retry(max_attempts = 3, base = "200ms"))]
    async fn reserve(&self, city: &str) -> Result<String> {
        if durable::step().attempt() == 1 {
            return Err(Error::new("the airline does not answer"));
        }
        Ok(format!("a seat to {city}"))
    }

    #[step]
    async fn pay(&self, seat: &str, seats: u32) -> Result<String> {
        if seats > 6 {
            return Err(Error::permanent(format!("the card pays for 6 times {seat}, and not for {seats}")));
        }
        Ok(format!("{seats} times {seat} are paid"))
    }
}

struct Report;

#[workflow(queue = "reports", schedule = "0 6 * * mon-fri", timezone = "Europe/Berlin")]
impl Report {
    async fn run(&self, cx: &Context, reader: Option<String>) -> Result<String> {
        cx.sleep(seconds(1)).await?;
        Ok(format!("the report for {}", reader.as_deref().unwrap_or("everyone")))
    }
}

/// Who may do what. The application knows its people: here by a cookie that anyone can set, in earnest by a session.
fn access(headers: &HeaderMap) -> Access {
    let cookies = headers.get(COOKIE).and_then(|cookies| cookies.to_str().ok()).unwrap_or_default();
    match cookies.split("; ").find_map(|cookie| cookie.strip_prefix("person=")) {
        Some("ada") => Access::admin().by("ada"),
        Some("grace") => Access::operator().by("grace"),
        Some("guest") => Access::viewer(),
        _ => Access::denied(),
    }
}

async fn home() -> Html<&'static str> {
    Html(
        "<!doctype html><title>Travel agency</title><h1>Travel agency</h1><p>Sign in as <a href=\"/sign-in/ada\">ada, who may do \
         everything</a>, <a href=\"/sign-in/grace\">grace, who answers and repairs</a>, or <a href=\"/sign-in/guest\">a guest, who \
         looks</a>.",
    )
}

async fn sign_in(Path(person): Path<String>) -> impl IntoResponse {
    let person: String = person.chars().filter(char::is_ascii_alphabetic).collect();
    let cookie = format!("person={person}; Path=/; HttpOnly; SameSite=Lax");
    (StatusCode::SEE_OTHER, [(SET_COOKIE, cookie), (LOCATION, "/ops/durable".to_owned())])
}

#[tokio::main]
async fn main() -> Result<()> {
    // Starting a server blocks.
    let url = tokio::task::spawn_blocking(durable_postgres::database_url).await??;
    migrate(&url, &SchemaName::default()).await?;
    let durable = Durable::builder().database_url(&url).register(BookTrip).register(Report).start().await?;
    for city in ["Lyon", "Köln", "Porto"] {
        durable.start::<BookTrip>(city.to_owned()).await?;
    }
    durable.start::<Report>(Some("ada".to_owned())).await?;

    let dashboard = Dashboard::new(durable.clone()).authorize(|request| access(&request.headers));
    let application = Router::new()
        .route("/", get(home))
        .route("/sign-in/{person}", get(sign_in))
        .nest("/ops/durable", dashboard.into_router());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("The travel agency is at http://{address}, and its dashboard is at http://{address}/ops/durable");
    let served = tokio::spawn(async move { axum::serve(listener, application).await });

    if std::io::stdin().is_terminal() {
        println!("Ctrl-C ends it.");
        durable.run_until_signal().await?;
    } else {
        println!("ada sees {}", title(address).await?);
        durable.shutdown().await?;
    }
    served.abort();
    Ok(())
}

/// The title of the first page, as ada sees it.
async fn title(address: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request =
        format!("GET /ops/durable/executions HTTP/1.1\r\nhost: {address}\r\ncookie: person=ada\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut page = String::new();
    stream.read_to_string(&mut page).await?;
    let title = page.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).map(|(title, _)| title.to_owned());
    title.ok_or_else(|| Error::new(format!("the dashboard has no title: {page}")))
}
