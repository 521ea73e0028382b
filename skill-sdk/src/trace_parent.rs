//! Places in traces (W3C Trace Context, <https://www.w3.org/TR/trace-context/>, version 00).

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The flag of a trace that somebody keeps.
const SAMPLED: u8 = 1;

/// A span in a trace, as the header `traceparent` says it: who calls.
///
/// ```
/// use skill_sdk::TraceParent;
///
/// let caller: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
/// let own = caller.child();
/// assert_eq!(own.trace_id(), caller.trace_id());
/// assert_ne!(own.span_id(), caller.span_id());
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TraceParent {
    trace: u128,
    span: u64,
    flags: u8,
}

impl TraceParent {
    /// A span of an invocation that nobody's trace leads to. Its trace has the activation's id where that is a UUID, so that
    /// whoever knows the one finds the other, and one of its own otherwise. That the trace is kept by somebody may be so.
    pub fn of_activation(id: &str) -> Self {
        let trace = Uuid::try_parse(id).map_or(0, |id| id.as_u128());
        let trace = if trace == 0 { fastrand::u128(1..) } else { trace };
        Self { trace, span: fastrand::u64(1..), flags: SAMPLED }
    }

    /// Another span of the same trace, with an id of its own.
    pub fn child(self) -> Self {
        Self { span: fastrand::u64(1..), ..self }
    }

    /// The span as the numbers that it is: trace, span and flags.
    pub(crate) fn numbers(self) -> ([u64; 2], u64, u8) {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
        let trace = [(self.trace >> 64) as u64, self.trace as u64];
        (trace, self.span, self.flags)
    }

    /// Reads the [`numbers`](Self::numbers) of a span; `None` when the id of the trace or of the span is zero.
    pub(crate) fn from_numbers([higher, lower]: [u64; 2], span: u64, flags: u8) -> Option<Self> {
        let trace = u128::from(higher) << 64 | u128::from(lower);
        (trace != 0 && span != 0).then_some(Self { trace, span, flags })
    }

    /// The id of the trace; never zero.
    pub fn trace_id(self) -> u128 {
        self.trace
    }

    /// The id of the span; never zero.
    pub fn span_id(self) -> u64 {
        self.span
    }

    /// Whether the caller says that somebody keeps the trace.
    pub fn is_sampled(self) -> bool {
        self.flags & SAMPLED != 0
    }
}

impl fmt::Display for TraceParent {
    /// Writes the value of the header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, self.flags & SAMPLED)
    }
}

/// A text that is no `traceparent`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a traceparent of W3C Trace Context")]
pub struct InvalidTraceParent;

impl FromStr for TraceParent {
    type Err = InvalidTraceParent;

    /// Reads the value of the header. Of versions to come, what version 00 knows is read (section 3.2.1 of the recommendation).
    fn from_str(text: &str) -> Result<Self, InvalidTraceParent> {
        let mut parts = text.split('-');
        let mut part = |length| parts.next().filter(|part| part.len() == length && part.bytes().all(is_hex_digit));
        let (version, trace, span, flags) = (part(2), part(32), part(16), part(2));
        let version = version.filter(|version| *version != "ff").ok_or(InvalidTraceParent)?;
        if version == "00" && parts.next().is_some() {
            return Err(InvalidTraceParent);
        }
        let trace = trace.and_then(|digits| u128::from_str_radix(digits, 16).ok()).filter(|id| *id != 0);
        let span = span.and_then(|digits| u64::from_str_radix(digits, 16).ok()).filter(|id| *id != 0);
        let flags = flags.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (trace, span, flags) {
            (Some(trace), Some(span), Some(flags)) => Ok(Self { trace, span, flags }),
            _ => Err(InvalidTraceParent),
        }
    }
}

/// The recommendation knows no upper case.
fn is_hex_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_header_has_the_form_of_the_standard() {
        let caller: TraceParent = CALLER.parse().unwrap();
        assert_eq!(caller.to_string(), CALLER);
        assert!(caller.is_sampled());
        let later: TraceParent = format!("01{}-more", &CALLER[2..]).parse().unwrap();
        assert_eq!(later, caller);
        let unsampled: TraceParent = CALLER.replace("-01", "-00").parse().unwrap();
        assert!(!unsampled.is_sampled() && !unsampled.child().is_sampled());
        let unknown: TraceParent = CALLER.replace("-01", "-ff").parse().unwrap();
        assert_eq!(unknown.to_string(), CALLER);
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let other = [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ];
        for text in other {
            assert_eq!(text.parse::<TraceParent>(), Err(InvalidTraceParent), "{text}");
        }
    }

    #[test]
    fn numbers_cross() {
        let caller: TraceParent = CALLER.parse().unwrap();
        let (trace, span, flags) = caller.numbers();
        assert_eq!(trace, [0x4bf9_2f35_77b3_4da6, 0xa3ce_929d_0e0e_4736]);
        assert_eq!(TraceParent::from_numbers(trace, span, flags), Some(caller));
        assert_eq!(TraceParent::from_numbers([0, 0], span, flags), None);
        assert_eq!(TraceParent::from_numbers(trace, 0, flags), None);
    }

    #[test]
    fn a_trace_has_the_id_of_an_activation_that_is_a_uuid() {
        let id = "6f1d6a52-93a0-4a1e-8a8b-0c5f1f3c2d10";
        assert!(TraceParent::of_activation(id).to_string().starts_with("00-6f1d6a5293a04a1e8a8b0c5f1f3c2d10-"));
        let other = ["", "test", "00000000-0000-0000-0000-000000000000", "6f1d6a52-93a0-4a1e-8a8b-0c5f1f3c2d1"];
        for id in other {
            assert_ne!(TraceParent::of_activation(id).trace_id(), TraceParent::of_activation(id).trace_id(), "{id}");
        }
    }
}
