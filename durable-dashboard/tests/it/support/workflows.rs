//! Workflows to look at.

use std::time::Duration;

use durable::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Database;

/// What a person is asked for: everything that a form has fields for.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Details {
    pub(crate) name: String,
    /// How many people travel.
    #[schemars(range(min = 1, max = 9))]
    pub(crate) seats: u64,
    pub(crate) class: Class,
    pub(crate) note: Option<String>,
    pub(crate) address: Address,
    pub(crate) stops: Vec<Stop>,
    pub(crate) payment: Payment,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    First,
    Second,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Address {
    #[schemars(regex(pattern = "^[0-9]{5}$"))]
    pub(crate) zip: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Stop {
    pub(crate) city: String,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Payment {
    Cash,
    Card { number: String },
}

/// Says back what it was told.
pub(crate) struct Echo;

#[workflow]
impl Echo {
    async fn run(&self, _cx: &Context, told: (u64, String)) -> Result<(u64, String)> {
        self.repeat(told).await
    }

    #[step]
    async fn repeat(&self, told: (u64, String)) -> Result<(u64, String)> {
        Ok(told)
    }
}

/// Asks for details, and returns them.
pub(crate) struct Book;

#[workflow]
impl Book {
    async fn run(&self, cx: &Context, prompt: String) -> Result<Details> {
        cx.wait_for_input("details").prompt(prompt).await
    }
}

/// Waits for an event.
pub(crate) struct Fetch;

#[workflow]
impl Fetch {
    async fn run(&self, cx: &Context, tenant: String) -> Result<serde_json::Value> {
        cx.tag("tenant", tenant).await?;
        cx.set("progress", &"waiting").await?;
        cx.wait_for_event("go").await
    }
}

/// Fails at its second step.
pub(crate) struct Break;

#[workflow]
impl Break {
    async fn run(&self, _cx: &Context, what: String) -> Result<()> {
        self.touch().await?;
        self.break_it(what).await
    }

    #[step]
    async fn touch(&self) -> Result<()> {
        Ok(())
    }

    #[step(retry(max_attempts = 2, base = "5ms"))]
    async fn break_it(&self, what: String) -> Result<()> {
        Err(Error::new(format!("{what} is broken")))
    }
}

/// Starts a child and waits for it.
pub(crate) struct Lead;

#[workflow]
impl Lead {
    async fn run(&self, cx: &Context, steps: u64) -> Result<u64> {
        for number in 0..steps {
            self.count(number).await?;
        }
        cx.child::<Echo>((steps, "from the parent".to_owned())).await?;
        Ok(steps)
    }

    #[step]
    async fn count(&self, number: u64) -> Result<u64> {
        Ok(number)
    }
}

/// An engine that runs all of these.
pub(crate) async fn worker(database: &Database) -> Durable {
    let builder = Durable::builder().database_url(&database.url).max_connections(6).poll_interval(Duration::from_millis(100));
    let builder = builder.register(Echo).register(Book).register(Fetch).register(Break).register(Lead);
    builder.version("release-7").start().await.unwrap()
}
