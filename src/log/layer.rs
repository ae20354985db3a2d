//! What turns events of `tracing` into entries.

use super::{Level, Logs, with_causes};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Debug;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

pub(super) struct Collector {
    logs: Logs,
}

/// The request a span belongs to.
struct RequestId(String);

impl Collector {
    pub(super) fn new(logs: Logs) -> Self {
        Self { logs }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collector {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        // Spans carry the request's id and are always wanted; an error may turn out to be critical.
        metadata.is_span() || self.logs.admits(&node(metadata.target()), gravest(metadata.level()))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let hint = match self.logs.0.nodes.least() {
            Level::Trace => LevelFilter::TRACE,
            Level::Debug => LevelFilter::DEBUG,
            // Spans that carry the request's id are made at level info.
            _ => LevelFilter::INFO,
        };
        Some(hint)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut seen = Seen::default();
        attributes.record(&mut seen);
        remember(&context, id, seen);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut seen = Seen::default();
        values.record(&mut seen);
        remember(&context, id, seen);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut seen = Seen::default();
        event.record(&mut seen);
        let node = node(event.metadata().target());
        let level = match gravest(event.metadata().level()) {
            Level::Critical if !seen.critical => Level::Error,
            level => level,
        };
        if !self.logs.admits(&node, level) {
            return;
        }
        let request_id = seen.request_id.or_else(|| {
            let spans = context.event_scope(event)?;
            spans.into_iter().find_map(|span| span.extensions().get::<RequestId>().map(|id| id.0.clone()))
        });
        self.logs.push(&node, level, &seen.text, request_id.as_deref(), seen.fields);
    }
}

fn remember<S: Subscriber + for<'a> LookupSpan<'a>>(context: &Context<'_, S>, id: &Id, seen: Seen) {
    if let (Some(span), Some(request)) = (context.span(id), seen.request_id) {
        span.extensions_mut().replace(RequestId(request));
    }
}

/// `portcullis::identity` → `portcullis.identity`.
fn node(target: &str) -> Cow<'_, str> {
    if target.contains("::") { Cow::Owned(target.replace("::", ".")) } else { Cow::Borrowed(target) }
}

/// The gravest that an event of this level can be.
fn gravest(level: &tracing::Level) -> Level {
    match *level {
        tracing::Level::TRACE => Level::Trace,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::INFO => Level::Info,
        tracing::Level::WARN => Level::Warning,
        tracing::Level::ERROR => Level::Critical,
    }
}

/// The fields of one event or span.
#[derive(Default)]
struct Seen {
    text: String,
    request_id: Option<String>,
    critical: bool,
    fields: Vec<(String, Value)>,
}

impl Seen {
    fn see(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.text = text,
            ("request_id", Value::String(id)) => self.request_id = Some(id),
            ("critical", Value::Bool(critical)) => self.critical = critical,
            (name, value) => self.fields.push((name.to_owned(), value)),
        }
    }
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.see(field, Value::from(format!("{value:?}")));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.see(field, Value::from(value));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.see(field, Value::from(value));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.see(field, Value::from(value));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.see(field, Value::from(value));
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.see(field, Value::from(value));
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.see(field, Value::from(with_causes(value)));
    }
}
