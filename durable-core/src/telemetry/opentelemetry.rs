//! Propagation through OpenTelemetry.

use std::str::FromStr;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{Propagation, TraceContext};

/// Propagation through `opentelemetry` 0.33 and `tracing-opentelemetry` 0.34, whose layer the application adds to its
/// subscriber. With the layer of another version it finds no traces and does nothing: [`Propagation`] is three functions.
///
/// ```no_run
/// use durable::prelude::*;
/// use durable::telemetry::OpenTelemetry;
///
/// # async fn example(url: &str) -> Result<()> {
/// let durable = Durable::builder().database_url(url).telemetry(OpenTelemetry).start().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenTelemetry;

impl Propagation for OpenTelemetry {
    fn context_of(&self, span: &Span) -> Option<TraceContext> {
        let context = span.context();
        let span = context.span();
        let place = span.span_context();
        if !place.is_valid() {
            return None;
        }
        let traceparent = format!("00-{}-{}-{:02x}", place.trace_id(), place.span_id(), place.trace_flags());
        let with_state = TraceContext::new(&traceparent, Some(&place.trace_state().header()));
        // A state that is too long is left behind rather than the trace.
        with_state.or_else(|_| TraceContext::new(&traceparent, None)).ok()
    }

    fn set_parent(&self, span: &Span, parent: &TraceContext) {
        if let Some(parent) = span_context(parent)
            && let Err(error) = span.set_parent(Context::new().with_remote_span_context(parent))
        {
            tracing::debug!(%error, "a span continues no trace");
        }
    }

    fn add_link(&self, span: &Span, other: &TraceContext) {
        span_context(other).into_iter().for_each(|other| span.add_link(other));
    }
}

fn span_context(context: &TraceContext) -> Option<SpanContext> {
    let mut parts = context.traceparent().split('-').skip(1);
    let trace_id = TraceId::from_hex(parts.next()?).ok()?;
    let span_id = SpanId::from_hex(parts.next()?).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(parts.next()?, 16).ok()?);
    let state = context.tracestate().and_then(|state| TraceState::from_str(state).ok()).unwrap_or_default();
    Some(SpanContext::new(trace_id, span_id, flags, true, state))
}
