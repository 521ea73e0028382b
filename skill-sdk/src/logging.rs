//! How the events of `tracing` become log records, in a host and in a library alike.
//!
//! A host writes records; a library sends them to its host. Skill authors use `tracing::info!` and its like and need nothing
//! of this module.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Span, Subscriber, span};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::message::Message;

/// The name of the [`invocation_span`].
pub const INVOCATION: &str = "invocation";

/// The field of the span, and of a record, that says which invocation speaks.
const ACTIVATION_ID: &str = "activationId";

/// The span around an invocation of a skill.
///
/// Tasks that a handler spawns are inside it when they are instrumented with it: `task.in_current_span()`, of
/// `tracing::Instrument`.
pub fn invocation_span(message: &Message, skill: &str) -> Span {
    // The level is that of the least detailed events: as long as there are any, they know their invocation.
    tracing::error_span!(
        INVOCATION,
        activationId = message.activation_id(),
        sessionId = message.session_id(),
        project = message.project_id(),
        skill
    )
}

/// An event and what is known about its surroundings.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// How grave it is.
    pub level: Level,
    /// The module that speaks.
    pub target: &'a str,
    /// What it says.
    pub message: &'a str,
    /// Its fields, and those of the spans around it.
    pub fields: Map<String, Value>,
    /// The invocation it belongs to, where it is known.
    pub activation_id: Option<&'a str>,
}

/// Turns events into [`Record`]s and hands them to a function, on the thread of the event.
pub struct RecordLayer<F>(F);

impl<F: Fn(&Record<'_>) + 'static> RecordLayer<F> {
    /// A layer that hands records to the function.
    pub fn new(take: F) -> Self {
        Self(take)
    }
}

/// The fields of a span, kept in the registry.
struct SpanFields(Map<String, Value>);

impl<S, F> Layer<S> for RecordLayer<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: Fn(&Record<'_>) + 'static,
{
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
        event.record(&mut fields);
        // What is nearer to the event wins.
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(SpanFields(map)) = span.extensions().get() {
                for (name, value) in map {
                    fields.map.entry(name).or_insert_with(|| value.clone());
                }
            }
        }
        let activation_id = match fields.map.shift_remove(ACTIVATION_ID) {
            Some(Value::String(id)) => Some(id),
            _ => None,
        };
        let metadata = event.metadata();
        (self.0)(&Record {
            level: *metadata.level(),
            target: metadata.target(),
            message: &fields.message,
            fields: fields.map,
            activation_id: activation_id.as_deref(),
        });
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

/// Reports panics as events instead of writing them to stderr past the log and its format.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        let text = info.payload_as_str().unwrap_or("a panic without a text");
        let place = info.location().map(ToString::to_string);
        tracing::error!(place, "panicked: {}", crate::redact(text));
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use serde_json::json;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::layer::SubscriberExt;

    #[test]
    fn a_record_knows_its_invocation_and_its_fields() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = seen.clone();
        let layer = RecordLayer::new(move |record: &Record<'_>| {
            let line = json!({
                "level": record.level.as_str(), "message": record.message, "fields": record.fields,
                "activationId": record.activation_id,
            });
            sink.lock().unwrap().push(line);
        });
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::warn!("outside");
            let _invocation = invocation_span(&testing::message(&1), "s").entered();
            let inner = tracing::info_span!("inner", step = 1, later = tracing::field::Empty).entered();
            inner.record("later", "now");
            tracing::info!(count = 3u64, name = "n", value = ?Some(1), "said {}", "so");
        });
        assert_eq!(
            *seen.lock().unwrap(),
            [
                json!({"level": "WARN", "message": "outside", "fields": {}, "activationId": null}),
                json!({
                    "level": "INFO", "message": "said so", "activationId": "test-activation",
                    "fields": {
                        "count": 3, "name": "n", "value": "Some(1)", "step": 1, "later": "now", "skill": "s",
                        "project": "test-project", "sessionId": "test-activation"
                    }
                }),
            ]
        );
    }
}
