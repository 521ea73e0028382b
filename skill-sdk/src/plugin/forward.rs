//! Sends the events of a library to its host.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Once;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Span, Subscriber, span};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use super::{Bytes, Host, LogRecord};

/// The span around every invocation, and the field of it that says which one it is.
const SPAN: &str = "invocation";
const ACTIVATION_ID: &str = "activationId";

/// Sends events and panics of this library to the host. Only the first call has an effect.
pub(super) fn install(host: Host) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let filter = match host.max_level {
            0 => return,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        };
        let subscriber = tracing_subscriber::registry().with(Forward { host }.with_filter(filter));
        // An author who has set another subscriber in this library wants it.
        if tracing::subscriber::set_global_default(subscriber).is_ok() {
            std::panic::set_hook(Box::new(report_panic));
        }
    });
}

/// The standard hook writes to stderr by itself, past the host's log and its format.
fn report_panic(info: &std::panic::PanicHookInfo<'_>) {
    let text = info.payload_as_str().unwrap_or("a panic without a text");
    let place = info.location().map(ToString::to_string);
    tracing::error!(location = place, "panicked: {}", crate::redact(text));
}

/// The span of an invocation.
pub(super) fn span(activation_id: Option<&str>) -> Span {
    // The level is that of the least detailed events, so that they know their invocation as long as there are any.
    tracing::error_span!("invocation", activationId = activation_id)
}

struct Forward {
    host: Host,
}

/// The fields of a span, kept in the registry.
struct SpanFields(Map<String, Value>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Forward {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields.map));
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(span) = context.span(id)
            && let Some(SpanFields(map)) = span.extensions_mut().get_mut()
        {
            map.extend(fields.map);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        let mut activation_id = None;
        for span in context.event_scope(event).into_iter().flatten().collect::<Vec<_>>().into_iter().rev() {
            let extensions = span.extensions();
            let Some(SpanFields(map)) = extensions.get::<SpanFields>() else { continue };
            if span.name() == SPAN {
                activation_id = map.get(ACTIVATION_ID).and_then(Value::as_str).map(str::to_owned);
            } else {
                fields.map.extend(map.clone());
            }
        }
        event.record(&mut fields);
        let metadata = event.metadata();
        let json = Value::Object(fields.map).to_string();
        (self.host.log)(&LogRecord {
            level: level_number(*metadata.level()),
            target: Bytes::of(metadata.target().as_bytes()),
            message: Bytes::of(fields.message.as_bytes()),
            fields: Bytes::of(json.as_bytes()),
            activation_id: activation_id.as_deref().into(),
        });
    }
}

fn level_number(level: Level) -> u32 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    map: Map<String, Value>,
}

impl Fields {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.map.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.insert(field, value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        } else {
            self.insert(field, format!("{value:?}"));
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }
}
