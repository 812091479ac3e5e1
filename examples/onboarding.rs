//! A graph whose inputs arrive in any order: each step runs as soon as what it takes is there, and again when it has changed.
//!
//! `cargo run --example onboarding`
//!
//! The customer's name is corrected before the e-mail address is known: a badge that was printed is printed again, and the greeting
//! is sent once. A timer reminds the customer of the address a second after the name was given, or corrected.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

#[path = "support/database.rs"]
mod database;

use durable::chrono::{DateTime, Utc};
use durable::prelude::*;

struct Onboarding;

#[workflow(queue = "customers")]
impl Onboarding {
    #[input]
    fn name(&self) -> String;

    #[input]
    fn email(&self) -> String;

    /// A friend who gets a present.
    #[input(optional)]
    fn recommended_by(&self) -> String;

    #[step]
    async fn badge(&self, name: &str) -> Result<String> {
        println!("  printed a badge for {name}");
        Ok(format!("badge of {name}"))
    }

    /// When the customer is reminded of the address. It is computed anew when the name changes.
    #[timer]
    async fn reminder(&self, name: &str) -> Result<Due> {
        println!("  {name} is reminded in a second");
        Ok(Due::after(seconds(1)))
    }

    /// Runs when the timer fires.
    #[step]
    async fn remind(&self, name: &str, reminder: &DateTime<Utc>) -> Result<String> {
        println!("  reminded {name}: please tell us your e-mail address");
        Ok(format!("reminded at {}", reminder.format("%H:%M:%S")))
    }

    #[step(retry(max_attempts = 3), timeout = "30s")]
    async fn account(&self, email: &str) -> Result<u64> {
        println!("  opened an account for {email}");
        Ok(42)
    }

    #[step]
    async fn present(&self, recommended_by: &str) -> Result<String> {
        println!("  sent a present to {recommended_by}");
        Ok(format!("a present for {recommended_by}"))
    }

    #[output]
    #[step]
    async fn greeting(&self, name: &str, email: &str, account: u64, badge: &str, present: Option<&str>) -> Result<String> {
        let present = present.unwrap_or("no present");
        Ok(format!("Hello, {name} <{email}>! Account {account}, {badge}, {present}."))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let durable = Durable::builder().database_url(database::ready().await?).register(Onboarding).start().await?;

    let onboarding = durable.start::<Onboarding>(OnboardingInputs { name: Some("Maria".into()), ..Default::default() }).await?;
    let id = onboarding.id();
    println!("the name was misspelt, and a friend is named in the same revision:");
    durable.set_inputs(id).set("name", "Mario").set("recommended_by", "Luigi").await?;

    durable.wait_for_value::<String>(id, "remind").await?;
    println!("the address arrives:");
    durable.set_inputs(id).set("email", "mario@example.org").await?;
    println!("{}", onboarding.result().await?);

    println!("what the steps of all onboardings took:");
    for workflow in durable.list_executions().workflow("onboarding").analytics().await? {
        for node in &workflow.nodes {
            println!("  {}: called {} times in {} executions, {} failures", node.node, node.calls, node.reached, node.failures);
        }
    }
    durable.shutdown().await
}
