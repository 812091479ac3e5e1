//! Keeps the spans and events of a thread, to be looked at.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// The fields of a span or an event, as text.
pub(super) type Fields = BTreeMap<&'static str, String>;

/// A span that has ended.
#[derive(Debug, Clone)]
pub(super) struct EndedSpan {
    /// The name under which `tracing` knows it.
    pub(super) span: &'static str,
    pub(super) fields: Fields,
    /// The fields that it may have.
    pub(super) declared: Vec<&'static str>,
    /// What exporters call the span that it was in.
    pub(super) parent: Option<String>,
    /// What the test's own code logged in it, and not in a span inside it.
    pub(super) messages: Vec<String>,
}

impl EndedSpan {
    /// What exporters call it.
    pub(super) fn name(&self) -> &str {
        &self["otel.name"]
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }
}

impl std::ops::Index<&str> for EndedSpan {
    type Output = str;

    fn index(&self, field: &str) -> &str {
        self.fields.get(field).unwrap_or_else(|| panic!("no {field} in {self:?}"))
    }
}

/// The library's spans that have ended, in the order in which they did.
#[derive(Debug, Clone, Default)]
pub(super) struct Recorder {
    ended: Arc<Mutex<Vec<EndedSpan>>>,
}

impl Recorder {
    /// Records what is traced on this thread while the guard lives.
    pub(super) fn install(&self) -> DefaultGuard {
        tracing::subscriber::set_default(tracing_subscriber::registry().with(self.clone()))
    }

    pub(super) fn ended(&self) -> Vec<EndedSpan> {
        self.ended.lock().unwrap().clone()
    }

    /// Those that exporters call so.
    pub(super) fn named(&self, name: &str) -> Vec<EndedSpan> {
        self.ended().into_iter().filter(|span| span.name() == name).collect()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().target() != "durable" {
            return;
        }
        let mut fields = Fields::new();
        attributes.record(&mut Reader(&mut fields));
        let span = context.span(id).unwrap();
        let parent = span.parent().and_then(|parent| parent.extensions().get::<EndedSpan>().map(|span| span.name().to_owned()));
        let declared = attributes.metadata().fields().iter().map(|field| field.name()).collect();
        let ended = EndedSpan { span: attributes.metadata().name(), fields, declared, parent, messages: Vec::new() };
        span.extensions_mut().insert(ended);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        if let Some(span) = span.extensions_mut().get_mut::<EndedSpan>() {
            values.record(&mut Reader(&mut span.fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target().starts_with("durable") {
            return;
        }
        let mut fields = Fields::new();
        event.record(&mut Reader(&mut fields));
        if let Some(span) = context.event_span(event)
            && let Some(span) = span.extensions_mut().get_mut::<EndedSpan>()
        {
            span.messages.extend(fields.remove("message"));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let span = context.span(&id).unwrap();
        if let Some(ended) = span.extensions_mut().remove::<EndedSpan>() {
            self.ended.lock().unwrap().push(ended);
        }
    }
}

struct Reader<'fields>(&'fields mut Fields);

impl Visit for Reader<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
