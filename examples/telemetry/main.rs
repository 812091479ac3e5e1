//! Telemetry: one execution on two workers is one trace with the request that began it; what happened is counted.
//!
//! `cargo run --example telemetry --features opentelemetry`
//!
//! A request starts an order on one worker, which is shut down while the order waits; another goes on with it. An application would
//! export spans to a collector and metrics to Prometheus; here both are kept, and printed at the end.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

#[path = "../support/database.rs"]
mod database;
mod metrics;
mod spans;

use std::time::Duration;

use durable::prelude::*;
use durable::telemetry::OpenTelemetry;
use tracing::Instrument;

struct ProcessOrder;

#[workflow]
impl ProcessOrder {
    async fn run(&self, cx: &Context, cents: u64) -> Result<String> {
        let payment = self.charge(cents).await?;
        let parcel: String = cx.wait_for_event("picked_up").await?;
        let (label, ()) = durable::try_join!(self.print_label(&parcel), self.thank(&payment)).await?;
        Ok(label)
    }

    #[step(retry(max_attempts = 3, base = "50ms"))]
    async fn charge(&self, cents: u64) -> Result<String> {
        tracing::info!("asking the bank");
        if durable::step().attempt() == 1 {
            return Err(Error::new("the bank is busy"));
        }
        Ok(format!("payment of {cents}"))
    }

    #[step]
    async fn print_label(&self, parcel: &str) -> Result<String> {
        // What a request to another service would carry in its headers.
        let context = durable::step().trace_context();
        let place = context.as_ref().map_or("no trace", |context| context.traceparent());
        Ok(format!("label of {parcel}, printed at {place}"))
    }

    #[step]
    async fn thank(&self, _payment: &str) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(())
    }
}

async fn worker(url: &str) -> Result<Durable> {
    Durable::builder().database_url(url).register(ProcessOrder).telemetry(OpenTelemetry).start().await
}

#[tokio::main]
async fn main() -> Result<()> {
    let (spans, metrics) = (spans::collect()?, metrics::collect()?);
    let url = database::ready().await?;

    let first = worker(&url).await?;
    let request = tracing::info_span!("POST /orders");
    let order = first.start::<ProcessOrder>(1999).into_future().instrument(request).await?;
    let id = order.id();
    while first.get_execution(id).await?.execution.state != ExecutionState::Waiting {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    first.shutdown().await?;

    let second = worker(&url).await?;
    second.send_event(id, "picked_up", "parcel 7").await?;
    println!("{}\n", second.handle::<ProcessOrder>(id).result().await?);
    second.shutdown().await?;

    spans.print_trace_of("POST /orders");
    println!();
    metrics.print();
    Ok(())
}
