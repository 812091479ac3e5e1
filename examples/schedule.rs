//! Schedules: workflows that the clock starts, each due time once, over any number of processes.
//!
//! `cargo run --example schedule`
//!
//! Two engines work here, as two machines would, and neither leads. A measurement is due every second; one takes longer than that, so the
//! next due time is left out. The nightly report is not waited for: it is triggered by hand, and filled in for three nights of the past.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

#[path = "support/database.rs"]
mod database;

use std::time::Duration;

use durable::chrono::{DateTime, Utc};
use durable::prelude::*;
use durable::{FiringCause, Overlap};

/// How many measurements are waited for.
const MEASUREMENTS: usize = 4;

struct Measure;

#[workflow(queue = "measurements")]
impl Measure {
    async fn run(&self, cx: &Context, probe: String) -> Result<()> {
        let due = cx.scheduled_for().unwrap_or(cx.now().await?);
        self.read(probe, due).await?;
        // Every third one takes a while; an execution that waits is a row in the database.
        let slow = due.timestamp() % 3 == 0;
        cx.sleep(if slow { Duration::from_millis(1500) } else { Duration::from_millis(1) }).await
    }

    #[step]
    async fn read(&self, probe: String, due: DateTime<Utc>) -> Result<()> {
        println!("  {}: {probe} measures", due.format("%T"));
        Ok(())
    }
}

struct NightlyReport;

#[workflow(queue = "reports", schedule = "30 2 * * *", timezone = "Europe/Berlin", max_failures = 3)]
impl NightlyReport {
    async fn run(&self, cx: &Context, reader: Option<String>) -> Result<String> {
        let night = cx.scheduled_for().unwrap_or(cx.now().await?).format("%F");
        Ok(format!("the report of {night} for {}", reader.as_deref().unwrap_or("everyone")))
    }
}

async fn engine(url: &str) -> Result<Durable> {
    Durable::builder().database_url(url).register(Measure).register(NightlyReport).start().await
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = database::ready().await?;
    let (durable, other) = (engine(&url).await?, engine(&url).await?);

    let made = durable.schedule::<Measure>("probe", "every 1s", "the probe".to_owned()).overlap(Overlap::Skip).await?;
    durable.enable_schedule("probe").await?;
    let first = durable.get_schedule("probe").await?.next_due_at;
    println!("`{}` is due {}", made.name, made.description);
    while started_since(&durable, first).await? < MEASUREMENTS {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    durable.disable_schedule("probe", "enough for an example").await?;
    for firing in durable.schedule_firings("probe").await?.iter().rev().filter(|firing| Some(firing.due_at) >= first) {
        println!("  {}: {:?}", firing.due_at.format("%T"), firing.outcome);
    }

    let nightly = durable.get_schedule("nightly_report").await?;
    println!("`{}`: {} Next times:", nightly.name, nightly.description);
    for due in durable.next_due_times("nightly_report", 3).await? {
        println!("  {due}");
    }
    let by_hand = durable.trigger_schedule("nightly_report").input("the board").await?;
    println!("Triggered by hand: {}", durable.handle::<NightlyReport>(by_hand).result().await?);
    fill_in(&durable).await?;

    other.shutdown().await?;
    durable.shutdown().await
}

async fn started_since(durable: &Durable, first: Option<DateTime<Utc>>) -> Result<usize> {
    let firings = durable.schedule_firings("probe").limit(20).await?;
    Ok(firings.iter().filter(|firing| Some(firing.due_at) >= first && firing.execution_id.is_some()).count())
}

/// Fills in three nights of the past; a second run of the example finds them there.
async fn fill_in(durable: &Durable) -> Result<()> {
    let night = |day: u32| format!("2026-03-{day}T12:00:00Z").parse::<DateTime<Utc>>();
    let count = durable.backfill_schedule("nightly_report", night(27)?..night(30)?).await?;
    println!("Filled in {count} nights around the change of clocks:");
    for firing in durable.schedule_firings("nightly_report").await?.iter().rev() {
        if let (FiringCause::Backfill, Some(id)) = (firing.cause, firing.execution_id) {
            println!("  due at {}: {}", firing.due_at, durable.handle::<NightlyReport>(id).result().await?);
        }
    }
    Ok(())
}
