//! The trace that calls belong to.

use reqwest::header::{HeaderName, HeaderValue};

use crate::trace_parent::TraceParent;

/// The header that says to which trace a request belongs.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Where the calls of a client belong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trace {
    /// To this trace, each as a span of its own.
    Apart(TraceParent),
    /// Below this span, which somebody knows.
    Below(TraceParent),
}

impl Trace {
    /// A trace of its own.
    pub(super) fn new() -> Self {
        Self::of("")
    }

    /// The trace of an invocation.
    pub(super) fn of(activation_id: &str) -> Self {
        Self::Apart(TraceParent::of_activation(activation_id))
    }

    /// The header of one request.
    pub(super) fn header(self) -> Option<HeaderValue> {
        let parent = match self {
            Self::Apart(trace) => trace.child(),
            Self::Below(span) => span,
        };
        HeaderValue::try_from(parent.to_string()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_below_a_span_or_apart() {
        let (trace, span) = (Trace::of("6f1d6a52-93a0-4a1e-8a8b-0c5f1f3c2d10"), TraceParent::of_activation(""));
        let one = trace.header().unwrap();
        assert!(one.to_str().unwrap().starts_with("00-6f1d6a5293a04a1e8a8b0c5f1f3c2d10-"), "{one:?}");
        assert_ne!(one, trace.header().unwrap());
        assert_eq!(Trace::Below(span).header().unwrap().to_str().unwrap(), span.to_string());
    }
}
