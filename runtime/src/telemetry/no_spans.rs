//! What a build without the feature `otlp` has in the place of spans.

use std::time::Duration;

use skill_sdk::{Code, Error, Message, TraceParent};

use crate::outcome::Outcome;

/// Refuses: there is nothing to export spans with.
pub(super) fn export_to(_: &str) -> Result<(), Error> {
    let detail =
        "--otlp-endpoint needs a program that was built with the feature `otlp` of skill-runtime; this one was not";
    Err(Error::new(Code::Internal, detail))
}

/// There is none.
pub(crate) enum InvocationSpan {}

impl InvocationSpan {
    pub(crate) fn begin(_: &Message, _: &str, _: TraceParent, _: Option<TraceParent>) -> Option<Self> {
        None
    }

    pub(crate) fn end(self, _: &Outcome) {
        match self {}
    }
}

pub(super) fn shut_down(_: Duration) {}
