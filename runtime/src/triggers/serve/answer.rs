//! What is sent back.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use serde_json::{Value, json};

use super::activity::Sending;
use super::admission::Held;
use super::counts::Accepted;
use crate::json;
use crate::outcome::{Outcome, Problem};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
/// When whoever is refused may ask again.
const SOON: HeaderValue = HeaderValue::from_static("1");
/// RFC 6750, section 3.
const INVALID_TOKEN: HeaderValue = HeaderValue::from_static(r#"Bearer error="invalid_token""#);

/// The body of an answer, which knows when it was taken.
#[derive(Debug)]
pub(super) struct Answer {
    bytes: Option<Bytes>,
    /// What counts as held until the answer is taken.
    pub(super) held: Option<Held>,
    /// The invocation that it answers.
    pub(super) accepted: Option<Accepted>,
    /// The connection that it is sent on.
    pub(super) sending: Option<Sending>,
}

impl Answer {
    /// Its size in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.as_ref().map_or(0, Bytes::len)
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.size() as u64)
    }
}

fn of(status: StatusCode, content_type: HeaderValue, bytes: impl Into<Bytes>) -> Response<Answer> {
    let bytes = Some(bytes.into()).filter(|bytes| !bytes.is_empty());
    let mut response = Response::new(Answer { bytes, held: None, accepted: None, sending: None });
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// The answer to an invocation: `{"payload": ...}` (contract "fabric-invocation", section 4), or a problem.
pub(super) fn of_outcome(outcome: &Outcome) -> Response<Answer> {
    const START: &str = r#"{"payload":"#;
    match (outcome.response(), outcome.problem()) {
        (Some(payload), _) => {
            let mut body = Vec::with_capacity(START.len() + payload.len() + 1);
            body.extend_from_slice(START.as_bytes());
            body.extend_from_slice(payload.as_bytes());
            body.push(b'}');
            of(StatusCode::OK, JSON, body)
        }
        (None, Some(problem)) => of_problem(&problem),
        (None, None) => of(StatusCode::INTERNAL_SERVER_ERROR, PROBLEM, Bytes::new()),
    }
}

fn of_problem(problem: &Problem<'_>) -> Response<Answer> {
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // Of a struct of texts there is no part that JSON cannot say.
    let body = json::clean(&serde_json::to_string(problem).unwrap_or_default());
    let mut response = of(status, PROBLEM, body);
    match status {
        StatusCode::UNAUTHORIZED => response.headers_mut().insert(WWW_AUTHENTICATE, INVALID_TOKEN),
        StatusCode::SERVICE_UNAVAILABLE => response.headers_mut().insert(RETRY_AFTER, SOON),
        _ => None,
    };
    response
}

/// That there is nothing of that name.
pub(super) fn not_found(what_there_is: &str) -> Response<Answer> {
    http_problem(StatusCode::NOT_FOUND, &format!("there is nothing here of that name; there are {what_there_is}"))
}

/// That what there is takes other methods.
pub(super) fn method_not_allowed(allowed: &str) -> Response<Answer> {
    let detail = format!("this takes only {allowed}");
    let mut response = http_problem(StatusCode::METHOD_NOT_ALLOWED, &detail);
    if let Ok(allowed) = HeaderValue::try_from(allowed) {
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

/// A problem that HTTP itself has a word for (RFC 9457, section 4.2.1): it is about no invocation, and in no error table.
fn http_problem(status: StatusCode, detail: &str) -> Response<Answer> {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
    of(status, PROBLEM, body.to_string())
}

/// What a daemon says of itself.
pub(super) fn of_health((status, body): (u16, Value)) -> Response<Answer> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json::clean(&body.to_string()) + "\n";
    uncached(of(status, JSON, body))
}

/// What a daemon has counted.
pub(super) fn of_metrics(text: String) -> Response<Answer> {
    uncached(of(StatusCode::OK, HeaderValue::from_static(crate::metrics::MEDIA_TYPE), text))
}

fn uncached(mut response: Response<Answer>) -> Response<Answer> {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
