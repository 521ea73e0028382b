//! What is sent back.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use serde_json::{Value, json};
use skill_sdk::{Code, Error};

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

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Answer {
    bytes: Vec<u8>,
    /// What holds on to it. Once the body is taken, that goes with its bytes, and ends when the last of them is written.
    pub(super) until_written: UntilWritten,
}

/// What lasts until an answer is written.
#[derive(Debug, Default)]
pub(super) struct UntilWritten {
    /// Its bytes, if they count.
    pub(super) held: Option<Held>,
    /// The invocation that it answers.
    pub(super) accepted: Option<Accepted>,
    /// The connection that it is sent on.
    pub(super) sending: Option<Sending>,
}

/// Bytes that are being written.
struct Writing {
    bytes: Vec<u8>,
    _until_written: UntilWritten,
}

impl AsRef<[u8]> for Writing {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Answer {
    /// Its size in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }
}

impl Drop for Answer {
    /// An answer whose bytes nobody has taken was not given.
    fn drop(&mut self) {
        if let Some(accepted) = self.until_written.accepted.as_mut().filter(|_| !self.bytes.is_empty()) {
            accepted.not_taken();
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        let (bytes, until_written) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.until_written));
        let writing = Writing { bytes, _until_written: until_written };
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_owner(writing)))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.size() as u64)
    }
}

fn of(status: StatusCode, content_type: HeaderValue, bytes: impl Into<Vec<u8>>) -> Response<Answer> {
    let mut response = Response::new(Answer { bytes: bytes.into(), until_written: UntilWritten::default() });
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
        (None, None) => of(StatusCode::INTERNAL_SERVER_ERROR, PROBLEM, Vec::new()),
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

/// A whole answer of HTTP/1.1 to an invocation that no worker answers.
pub(super) fn left_behind() -> Vec<u8> {
    let error = Error::new(Code::ShuttingDown, "the host was told to stop, and the skill did not yield");
    let outcome = Outcome::new(String::new(), None, Err(error));
    let response = of_outcome(&outcome);
    // Each value is one of the fixed ones above.
    let fields =
        response.headers().iter().map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap_or_default()));
    let (status, fields, length) = (response.status(), fields.collect::<String>(), response.body().size());
    let head = format!("HTTP/1.1 {status}\r\n{fields}connection: close\r\ncontent-length: {length}\r\n\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(&response.body().bytes);
    bytes
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

#[cfg(test)]
mod tests {
    use super::super::counts::{Counts, Fate};
    use super::*;
    use std::sync::Arc;

    #[test]
    fn an_answer_that_nobody_takes_was_not_given() {
        let counts = Arc::new(Counts::default());
        let accepted = |fate| {
            let mut accepted = counts.accept();
            accepted.set(fate);
            let mut response = of(StatusCode::OK, JSON, "1");
            response.body_mut().until_written.accepted = Some(accepted);
            response.into_body()
        };
        let mut taken = accepted(Fate::Finished);
        let frame = Pin::new(&mut taken).poll_frame(&mut Context::from_waker(std::task::Waker::noop()));
        drop(taken);
        assert_eq!(counts.totals().finished, 0, "it is being written");
        drop(frame);
        drop([Fate::Finished, Fate::Failed, Fate::CancelledByDrain].map(accepted));
        let totals = counts.totals();
        let seen = (totals.finished, totals.failed, totals.cancelled, totals.cancelled_by_drain, totals.dropped());
        assert_eq!(seen, (1, 0, 3, 1, 0));
    }
}
