//! How the events of `tracing` become log records, in a host and in a library alike.
//!
//! A host writes records; a library sends them to its host. Skill authors use `tracing::info!` and its like and need nothing
//! of this module.

use std::cell::Cell;
use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Span, Subscriber, span};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::message::Message;
use crate::redact;

pub use fields::{Fields, Member};

mod fields;

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

/// An event and what is known about its surroundings. Tokens stand in none of its texts.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// How grave it is.
    pub level: Level,
    /// The module that speaks.
    pub target: &'a str,
    /// What it says.
    pub message: &'a str,
    /// Its fields, and those of the spans around it.
    pub fields: &'a Fields,
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

/// So much the fields of an invocation's span take as a rule.
const SPAN_SIZE: usize = 192;

impl<S, F> Layer<S> for RecordLayer<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    F: Fn(&Record<'_>) + 'static,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut recorded = Recorded { fields: Fields::with_capacity(SPAN_SIZE), ..Recorded::default() };
            attributes.record(&mut recorded);
            span.extensions_mut().insert(recorded);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(recorded) = span.extensions_mut().get_mut::<Recorded>()
        {
            values.record(recorded);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        thread_local! {
            /// Memory for an event. An event that happens while another is written finds none and gets its own.
            static MEMORY: Cell<Option<Box<Recorded>>> = const { Cell::new(None) };
        }
        let mut recorded = MEMORY.try_with(Cell::take).ok().flatten().unwrap_or_default();
        event.record(&mut *recorded);
        // What is nearer to the event wins.
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(around) = span.extensions().get::<Recorded>() {
                recorded.fields.add(&around.fields);
                if recorded.activation_id.is_empty() {
                    recorded.activation_id.push_str(&around.activation_id);
                }
            }
        }
        let metadata = event.metadata();
        let Recorded { message, fields, activation_id, .. } = &*recorded;
        (self.0)(&Record {
            level: *metadata.level(),
            target: metadata.target(),
            message: &redact(message),
            fields,
            activation_id: (!activation_id.is_empty()).then_some(activation_id),
        });
        recorded.clear();
        // At the end of a thread the memory is gone.
        let _ = MEMORY.try_with(|memory| memory.set(Some(recorded)));
    }
}

/// The largest memory that is kept for the next event of a thread, in bytes of each of its texts.
const KEPT: usize = 16 << 10;

/// What an event or a span says of itself. That of a span is kept in the registry.
#[derive(Default)]
struct Recorded {
    message: String,
    /// Empty where none is said.
    activation_id: String,
    fields: Fields,
    /// Memory for a text.
    text: String,
}

impl Recorded {
    fn clear(&mut self) {
        for text in [&mut self.message, &mut self.activation_id, &mut self.text] {
            text.clear();
            text.shrink_to(KEPT);
        }
        self.fields.clear(KEPT);
    }
}

impl Visit for Recorded {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            ACTIVATION_ID => self.activation_id = redact(value).into_owned(),
            name => self.fields.insert_text(name, value),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = if field.name() == "message" { &mut self.message } else { &mut self.text };
        text.clear();
        // Writing to a string does not fail, and of a value that cannot be written there is what it has written.
        let _ = write!(text, "{value:?}");
        if field.name() != "message" {
            let text = std::mem::take(&mut self.text);
            self.record_str(field, &text);
            self.text = text;
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.insert(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.fields.insert(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.insert(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.insert(field.name(), value);
    }
}

/// Reports panics as events instead of writing them to stderr past the log and its format.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|info| {
        let text = info.payload_as_str().unwrap_or("a panic without a text");
        let place = info.location().map(ToString::to_string);
        tracing::error!(place, "panicked: {}", redact(text));
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
