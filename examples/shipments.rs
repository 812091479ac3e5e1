//! A parent with children: an order whose lines are shipped by executions of their own.
//!
//! `cargo run --example shipments`
//!
//! A child has its own journal, queue, retries and state, so it can run in another process and be looked at by itself. Here one
//! line is out of stock: its child fails, and the parent decides what that means. The invoice is a child that nobody waits for.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

#[path = "support/database.rs"]
mod database;

use std::time::Duration;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    product: String,
    quantity: u32,
}

struct ShipOrder;

#[workflow(queue = "orders")]
impl ShipOrder {
    async fn run(&self, cx: &Context, lines: Vec<Line>) -> Result<Vec<String>> {
        let invoice = cx.start_child::<SendInvoice>(lines.clone()).detach().await?;
        println!("  execution {invoice} writes the invoice, and nobody waits for it");

        // Two at a time, each in the warehouse's queue; `settled` gives the result of each instead of the first error.
        let shipped = cx.map(lines).concurrency(2).each(|line| cx.child::<ShipLine>(line).timeout(minutes(1))).settled().await?;
        Ok(shipped.into_iter().map(status).collect())
    }
}

fn status(shipped: Result<Option<String>>) -> String {
    match shipped {
        Ok(Some(parcel)) => parcel,
        Ok(None) => "took too long, and was cancelled".to_owned(),
        Err(error) => format!("back-ordered, because {error}"),
    }
}

/// Ships one line of an order.
struct ShipLine;

#[workflow(queue = "warehouse")]
impl ShipLine {
    async fn run(&self, _cx: &Context, line: Line) -> Result<String> {
        self.pick(&line).await?;
        self.pack(&line).await
    }

    #[step]
    async fn pick(&self, line: &Line) -> Result<()> {
        if line.product == "umbrella" {
            return Err(Error::permanent("there are no umbrellas left"));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        println!("  picked {} × {}", line.quantity, line.product);
        Ok(())
    }

    #[step]
    async fn pack(&self, line: &Line) -> Result<String> {
        let parcel = durable::step().idempotency_key().simple().to_string();
        Ok(format!("{} × {} in parcel {}", line.quantity, line.product, &parcel[..8]))
    }
}

/// Writes the invoice. Detached, it would go on even if the order was cancelled.
struct SendInvoice;

#[workflow(queue = "office")]
impl SendInvoice {
    async fn run(&self, _cx: &Context, lines: Vec<Line>) -> Result<String> {
        self.send(lines.len()).await
    }

    #[step]
    async fn send(&self, lines: usize) -> Result<String> {
        println!("  sent an invoice of {lines} lines");
        Ok("sent".to_owned())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = database::ready().await?;
    // One process works on all three queues here; there could be one for each.
    let builder = Durable::builder().database_url(&url);
    let durable = builder.register(ShipOrder).register(ShipLine).register(SendInvoice).start().await?;

    let lines = [("lamp", 2), ("umbrella", 1), ("kettle", 1), ("mug", 6)];
    let lines: Vec<Line> = lines.map(|(product, quantity)| Line { product: product.to_owned(), quantity }).into();
    println!("An order of {} lines:", lines.len());
    let order = durable.start::<ShipOrder>(lines).await?;
    for line in order.result().await? {
        println!("{line}");
    }

    println!("\nThe parent knows its children:");
    let children = durable.get_execution(order.id()).await?.children;
    for child in &children {
        println!("  {:<24}{}  {}", child.key, child.id, child.state);
    }
    if let Some(child) = children.first() {
        let parent = durable.get_execution(child.id).await?.execution.parent;
        println!("and each child its parent: {}", parent.map(|parent| parent.id.to_string()).unwrap_or_default());
        println!("The invoice: {}", durable.handle::<SendInvoice>(child.id).result().await?);
    }
    durable.shutdown().await
}
