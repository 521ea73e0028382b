//! The trace that calls belong to (W3C Trace Context, version 00).

use reqwest::header::{HeaderName, HeaderValue};
use uuid::Uuid;

/// The header that says to which trace a request belongs.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The id of a trace. It is never zero.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Trace(u128);

impl Trace {
    /// A trace of its own.
    pub(super) fn new() -> Self {
        Self(fastrand::u128(1..))
    }

    /// The trace of an invocation: that of its activation id where it is a UUID, so that whoever knows the one finds the other.
    pub(super) fn of(activation_id: &str) -> Option<Self> {
        let id = Uuid::try_parse(activation_id).ok()?.as_u128();
        (id != 0).then_some(Self(id))
    }

    /// The header of one request: each has a span of its own. That the trace is kept by somebody (flag 01) may be so.
    pub(super) fn parent(self) -> Option<HeaderValue> {
        let span = fastrand::u64(1..);
        HeaderValue::try_from(format!("00-{:032x}-{span:016x}-01", self.0)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_the_form_of_the_standard() {
        let trace = Trace::of("6f1d6a52-93a0-4a1e-8a8b-0c5f1f3c2d10").unwrap();
        let header = trace.parent().unwrap();
        let parts: Vec<&str> = header.to_str().unwrap().split('-').collect();
        assert_eq!((parts[0], parts[1], parts[3]), ("00", "6f1d6a5293a04a1e8a8b0c5f1f3c2d10", "01"));
        assert!(parts[2].len() == 16 && parts[2].bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{parts:?}");
        assert_ne!(trace.parent(), trace.parent());
        assert_ne!(Trace::new(), Trace::new());
    }

    #[test]
    fn only_a_uuid_is_the_id_of_a_trace() {
        for id in ["", "test-activation", "00000000-0000-0000-0000-000000000000", "6f1d6a52-93a0-4a1e-8a8b-0c5f1f3c2d1"]
        {
            assert_eq!(Trace::of(id), None, "{id}");
        }
    }
}
