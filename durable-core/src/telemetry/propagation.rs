//! The seam between the spans of `tracing` and whatever exports them.

use std::fmt;

use tracing::Span;

use super::TraceContext;

/// Lets traces cross the borders of processes: reads where a span stands in its trace, and says what a span continues.
///
/// The feature `opentelemetry` has one, `durable::telemetry::OpenTelemetry`. Whoever exports spans by other means, or through
/// other versions of OpenTelemetry than that one, writes these three functions; [`Builder::telemetry`] installs them.
///
/// [`Builder::telemetry`]: crate::client::Builder::telemetry
pub trait Propagation: fmt::Debug + Send + Sync + 'static {
    /// Where the span stands in its trace; `None` where it is in none, as when nobody records it.
    fn context_of(&self, span: &Span) -> Option<TraceContext>;

    /// The span continues `parent`, which may be of another process. Called before anybody has entered the span.
    fn set_parent(&self, span: &Span, parent: &TraceContext);

    /// The span has to do with `other`, and is not a part of it. Called before anybody has entered the span.
    fn add_link(&self, span: &Span, other: &TraceContext);
}
