//! The seam between the spans of `tracing` and their exporter.

use std::fmt;

use tracing::Span;

use super::TraceContext;

/// Lets traces cross processes: reads the place of a span in its trace, and sets the parent of a span.
///
/// The feature `opentelemetry` has one, `durable::telemetry::OpenTelemetry`. An application that exports spans by other
/// means, or through other versions of OpenTelemetry, writes these three functions; [`Builder::telemetry`] installs them.
///
/// [`Builder::telemetry`]: crate::client::Builder::telemetry
pub trait Propagation: fmt::Debug + Send + Sync + 'static {
    /// The place of the span in its trace; `None` if it is in no trace, for example if nothing records it.
    fn context_of(&self, span: &Span) -> Option<TraceContext>;

    /// Makes the span continue `parent`, which may be of another process. Called before the span is entered.
    fn set_parent(&self, span: &Span, parent: &TraceContext);

    /// The span has to do with `other`, and is not a part of it. Called before the span is entered.
    fn add_link(&self, span: &Span, other: &TraceContext);
}
