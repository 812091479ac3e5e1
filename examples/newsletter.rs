//! Progress: a workflow that sets values, and callers that watch them while it runs.
//!
//! `cargo run --example newsletter`
//!
//! One caller draws a bar from every update of the execution. Another waits for one value. Both are notified, and both could be
//! in other processes than the worker.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

#[path = "support/database.rs"]
mod database;

use durable::prelude::*;
use durable::{ExecutionValue, Update};

/// How wide the bar is.
const WIDTH: usize = 20;

struct SendNewsletter;

#[workflow]
impl SendNewsletter {
    async fn run(&self, cx: &Context, readers: Vec<String>) -> Result<usize> {
        for (sent, reader) in readers.iter().enumerate() {
            cx.set("percent", &(100 * sent / readers.len())).await?;
            self.send(reader).await?;
        }
        cx.set("percent", &100).await?;
        Ok(readers.len())
    }

    #[step(retry(max_attempts = 3, base = "50ms"))]
    async fn send(&self, reader: &str) -> Result<()> {
        if reader == "Linus" && durable::step().attempt() == 1 {
            return Err(Error::new("the mail server is busy"));
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let durable = Durable::builder().database_url(database::ready().await?).register(SendNewsletter).start().await?;
    let readers = ["Ada", "Grace", "Linus", "Margaret"].map(str::to_owned).to_vec();
    let newsletter = durable.start::<SendNewsletter>(readers).await?;
    let (drawn, half) = tokio::join!(draw(&durable, newsletter.id()), half(&durable, newsletter.id()));
    drawn?;
    println!("somebody else was told at {} %", half?);
    println!("{} letters were sent", newsletter.result().await?);
    durable.shutdown().await
}

/// Draws what happens, until the end.
async fn draw(durable: &Durable, id: ExecutionId) -> Result<()> {
    let mut watch = durable.watch(id);
    while let Some(update) = watch.next().await {
        match update? {
            Update::Snapshot(details) => details.values.into_iter().try_for_each(bar)?,
            Update::Value(value) => bar(*value)?,
            Update::Step(step) if step.attempts.len() > 1 => println!("{} needed {} attempts", step.key, step.attempts.len()),
            Update::Execution(execution) => println!("it is {}", execution.state),
            _ => {}
        }
    }
    Ok(())
}

fn bar(value: ExecutionValue) -> Result<()> {
    let percent = value.decode::<usize>()?.value;
    let done = "#".repeat(percent * WIDTH / 100);
    println!("[{done:.<WIDTH$}] {percent} %");
    Ok(())
}

/// Returns once half of the letters are sent.
async fn half(durable: &Durable, id: ExecutionId) -> Result<usize> {
    let mut percent = durable.wait_for_value::<usize>(id, "percent").await?;
    while percent.value < 50 {
        percent = durable.wait_for_value(id, "percent").newer_than(percent.revision).timeout(minutes(1)).await?;
    }
    Ok(percent.value)
}
