//! Keeps every span, as an exporter would send it off, and prints a trace as a tree.

use std::sync::{Arc, Mutex, PoisonError};

use durable::prelude::*;
use opentelemetry::trace::{SpanId, Status, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;

/// The spans that have ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spans(Arc<Mutex<Vec<SpanData>>>);

/// Collects every span of this program, and those of the library with what is logged in them.
pub(crate) fn collect() -> Result<Spans> {
    let spans = Spans::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("telemetry"));
    let wanted = Targets::new().with_targets([("durable", LevelFilter::INFO), ("telemetry", LevelFilter::INFO)]);
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(wanted).with(layer))?;
    Ok(spans)
}

impl SpanExporter for Spans {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(batch);
        Ok(())
    }
}

impl Spans {
    /// Prints the trace that began with a span of that name.
    pub(crate) fn print_trace_of(&self, name: &str) {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        spans.sort_by_key(|span| span.start_time);
        for root in spans.iter().filter(|span| span.name == name && span.parent_span_id == SpanId::INVALID) {
            println!("trace {}", root.span_context.trace_id());
            print(&spans, root, 1);
        }
    }
}

/// Prints a span and those inside it.
fn print(spans: &[SpanData], span: &SpanData, depth: usize) {
    let field = |name: &str| {
        let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
        found.map(|attribute| format!(" {}={}", name.trim_start_matches("durable."), attribute.value)).unwrap_or_default()
    };
    let fields: String = ["durable.epoch", "durable.attempt", "durable.outcome", "error.type"].map(field).concat();
    let why = if let Status::Error { description } = &span.status { format!(" ({description})") } else { String::new() };
    println!("{}{}{fields}{why}", "  ".repeat(depth), span.name);
    for event in span.events.iter() {
        println!("{}- {}", "  ".repeat(depth + 1), event.name);
    }
    for inside in spans.iter().filter(|inside| inside.parent_span_id == span.span_context.span_id()) {
        print(spans, inside, depth + 1);
    }
}
