//! A layer for `tracing` that gathers what steps log.

use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer;

use crate::running::ambient;
use crate::telemetry;

/// Keeps what steps log through `tracing` beside their executions; add it to the application's subscriber. Without it no log is
/// kept.
///
/// ```no_run
/// use tracing_subscriber::prelude::*;
///
/// tracing_subscriber::registry().with(durable::StepLogLayer::new()).init();
/// ```
///
/// The layer keeps the events of a step's body. If branches run at once, it keeps each event with the step that logged it. It
/// does not keep events of tasks that a step has spawned, because such a task may outlive the step.
/// [`Builder::step_log_level`](crate::client::Builder::step_log_level) sets the lowest level that is kept, and
/// [`Durable::step_logs`](crate::client::Durable::step_logs) reads the logs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StepLogLayer {}

impl StepLogLayer {
    /// The layer.
    #[expect(clippy::new_without_default, reason = "a layer is made on purpose")]
    pub fn new() -> Self {
        telemetry::note_layer();
        Self {}
    }
}

impl<S: Subscriber> Layer<S> for StepLogLayer {
    fn on_event(&self, event: &Event<'_>, _context: layer::Context<'_, S>) {
        if let Some(step) = ambient::attempt() {
            step.log(event);
        }
    }
}
