//! Invocations as spans, exported over OTLP/HTTP (<https://opentelemetry.io/docs/specs/otlp/>, protobuf).
//!
//! The standard's variables say what no option says: `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
//! `OTEL_EXPORTER_OTLP_HEADERS`, and `OTEL_BSP_...` for batches and the queue, which is bounded: spans over it are dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, Key, KeyValue};
use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanData, SpanEvents, SpanExporter, SpanLinks, SpanProcessor as _};
use skill_sdk::{Code, Error, Message, TraceParent, redact};

use crate::outcome::Outcome;
use collector::{Collector, Endpoint};

mod collector;

/// The service that spans are of, unless the environment says otherwise.
const SERVICE: &str = "skill-runtime";

/// How long failed exports are not told of again.
const SILENCE: Duration = Duration::from_mins(1);

/// Takes spans, and exports them on a thread of its own.
static PROCESSOR: OnceLock<BatchSpanProcessor> = OnceLock::new();

/// Begins to export spans to a collector, given by the URL that `/v1/traces` is under. Only the first call has an effect.
///
/// # Errors
///
/// [`Code::Internal`] when the URL, or one of the standard's variables, makes no sense. The URL is not repeated: it may hold a
/// password.
pub(super) fn export_to(url: &str) -> Result<(), Error> {
    let endpoint = Endpoint::of(url)?;
    let traces = endpoint.traces.clone();
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(Collector::new(endpoint))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(traces)
        .build()
        .map_err(|error| Error::new(Code::Internal, "spans cannot be exported").with_source(error))?;
    let exporter = Exporter { exporter, failures: Mutex::default() };
    let mut processor = BatchSpanProcessor::builder(exporter).build();
    processor.set_resource(&resource());
    // Of two, the first is as good.
    let _ = PROCESSOR.set(processor);
    Ok(())
}

/// What the spans are of.
fn resource() -> Resource {
    let named = Resource::builder().build();
    match named.get(&Key::new("service.name")) {
        Some(name) if !name.as_str().starts_with("unknown_service") => named,
        _ => Resource::builder().with_service_name(SERVICE).build(),
    }
}

/// Exports what is left, for that long at most. Only the first call has an effect: nobody waits twice for a collector.
pub(super) fn shut_down(timeout: Duration) {
    static ENDED: AtomicBool = AtomicBool::new(false);
    if let Some(processor) = PROCESSOR.get().filter(|_| !ENDED.swap(true, Ordering::AcqRel)) {
        // What cannot be exported in time is nobody's problem but that of whoever reads spans, and was told of.
        let _ = processor.shutdown_with_timeout(timeout);
    }
}

/// The span of an invocation that is going on. When it is dropped before its end, the invocation was given up.
pub(crate) struct InvocationSpan(Option<Box<SpanData>>);

impl InvocationSpan {
    /// Begins a span, if somebody keeps it. `own` is what the invocation calls itself in its trace.
    pub(crate) fn begin(message: &Message, skill: &str, own: TraceParent, parent: Option<TraceParent>) -> Option<Self> {
        PROCESSOR.get()?;
        if !own.is_sampled() {
            return None;
        }
        let texts = [
            ("skill.activation_id", message.activation_id()),
            ("skill.session_id", message.session_id()),
            ("skill.project", message.project_id()),
            ("skill.name", Some(skill).filter(|name| !name.is_empty())),
        ];
        let attribute =
            |(key, text): (&'static str, Option<&str>)| Some(KeyValue::new(key, shortened(&redact(text?)).to_owned()));
        let (trace, span) = (TraceId::from(own.trace_id()), SpanId::from(own.span_id()));
        let began = SystemTime::now();
        Some(Self(Some(Box::new(SpanData {
            span_context: SpanContext::new(trace, span, TraceFlags::SAMPLED, false, TraceState::default()),
            parent_span_id: parent.map_or(SpanId::INVALID, |parent| SpanId::from(parent.span_id())),
            parent_span_is_remote: parent.is_some(),
            span_kind: SpanKind::Server,
            name: if skill.is_empty() { "invocation".into() } else { skill.to_owned().into() },
            start_time: began,
            end_time: began,
            attributes: texts.into_iter().filter_map(attribute).collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder(SERVICE).build(),
        }))))
    }

    /// Ends it with what came of the invocation. The detail of a failure is clean already.
    pub(crate) fn end(mut self, outcome: &Outcome) {
        self.finish(outcome.code().map(|code| (code.as_str(), outcome.detail().unwrap_or_default())));
    }

    fn finish(&mut self, failure: Option<(&'static str, &str)>) {
        let Some((mut span, processor)) = self.0.take().zip(PROCESSOR.get()) else { return };
        span.end_time = SystemTime::now();
        let (outcome, status) = match failure {
            None => ("ok", Status::Ok),
            Some((code, detail)) => {
                span.attributes.push(KeyValue::new("error.type", code));
                (code, Status::error(shortened(detail).to_owned()))
            }
        };
        span.attributes.push(KeyValue::new("skill.outcome", outcome));
        span.status = status;
        processor.on_end(*span);
    }
}

impl Drop for InvocationSpan {
    fn drop(&mut self) {
        self.finish(Some(("cancelled", "nobody waited for the invocation any more")));
    }
}

/// Longest text of a span, in bytes. Many spans wait to be exported, and callers choose ids of any length.
const LONGEST: usize = 1024;

/// The beginning of a text.
fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}

/// Tells, once in a while, of what cannot be exported.
#[derive(Debug)]
struct Exporter {
    exporter: opentelemetry_otlp::SpanExporter,
    failures: Mutex<Failures>,
}

#[derive(Debug, Default)]
struct Failures {
    told: Option<Instant>,
    /// Spans that were lost and not yet told of.
    spans: usize,
}

impl Failures {
    /// Counts spans that were lost, and gives all that are to be told of now.
    fn count(&mut self, spans: usize) -> Option<usize> {
        self.spans += spans;
        if self.told.is_some_and(|told| told.elapsed() < SILENCE) {
            return None;
        }
        self.told = Some(Instant::now());
        Some(std::mem::take(&mut self.spans))
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.exporter.export(batch).await;
        if let Err(error) = &result {
            let told = self.failures.lock().unwrap_or_else(PoisonError::into_inner).count(spans);
            if let Some(spans) = told {
                tracing::warn!(spans, %error, "spans could not be exported");
            }
        }
        result
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.exporter.shutdown()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_short() {
        let long = "ü".repeat(LONGEST);
        assert_eq!(shortened(&long), "ü".repeat(LONGEST / 2));
        assert_eq!(shortened(&format!("x{long}")).len(), LONGEST - 1);
        assert_eq!(shortened("short"), "short");
    }

    #[test]
    fn failures_are_told_of_once_in_a_while() {
        let mut failures = Failures::default();
        assert_eq!(failures.count(3), Some(3));
        assert_eq!((failures.count(4), failures.count(5)), (None, None));
        failures.told = Instant::now().checked_sub(SILENCE);
        assert!(failures.told.is_none() || failures.count(1) == Some(10));
    }
}
