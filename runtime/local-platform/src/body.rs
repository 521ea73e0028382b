//! Request bodies: read with a limit on silence and size, or thrown away.

use std::error::Error;
use std::io::Read;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use flate2::read::MultiGzDecoder;
use futures_core::Stream;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::timeout;
use tower_http::timeout::{TimeoutBody, TimeoutError};

use crate::answer::Refusal;

/// The longest silence between two pieces of a body.
const IDLE: Duration = Duration::from_secs(30);
/// How long a refused body is read; the platform answers within a second (fabric-api section 13).
const DRAIN: Duration = Duration::from_secs(1);
/// Levels of arrays and objects in JSON. Parsers stop at 128, and what is kept or answered has some more around it: without this
/// limit there would be records that can be written and not be read.
pub(crate) const DEEPEST: usize = 100;
/// Bytes of a form between two fields, with the heads of those: when more are gathered, no more are read.
const GATHERED: usize = 64 * 1024;

/// Makes the body of a request fail once its client was silent for 30 s.
pub(crate) async fn limit_silence(request: Request) -> Request {
    request.map(|body| Body::new(TimeoutBody::new(IDLE, body)))
}

/// The next piece of a body; `None` at its proper end.
pub(crate) async fn next(body: &mut BodyDataStream) -> Result<Option<Bytes>, Refusal> {
    match std::future::poll_fn(|cx| Pin::new(&mut *body).poll_next(cx)).await {
        None => Ok(None),
        Some(Ok(bytes)) => Ok(Some(bytes)),
        Some(Err(error)) => Err(broken(&error).unwrap_or_else(|| Refusal::bad_request("the body broke off"))),
    }
}

/// Reads the body as a whole before anything else looks at the request, so that it is read however the request is refused:
/// at most as many bytes as the limit, packed and unpacked (cdf-iam section 1: clients pack JSON with gzip).
pub(crate) async fn buffer(State(limit): State<usize>, request: Request, next: Next) -> Response {
    match buffered(limit, request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// The request with its body as a whole. A refused one was drained.
pub(crate) async fn buffered(limit: usize, request: Request) -> Result<Request, Refusal> {
    let (head, body) = limit_silence(request).await.into_parts();
    let expects = head.headers.contains_key(header::EXPECT);
    let declared = head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let mut body = body.into_data_stream();
    let gathered = match declared {
        Some(size) if size > limit => Err(Refusal::too_large("request", Some(size), limit)),
        _ => gather(&mut body, limit).await,
    };
    let unpacked = match (gathered, head.headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes)) {
        (Ok(bytes), Some(encoding)) if encoding.eq_ignore_ascii_case(b"gzip") => unpack(&bytes, limit),
        (Ok(_), Some(encoding)) if !encoding.eq_ignore_ascii_case(b"identity") => {
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the only content encoding is gzip"))
        }
        (gathered, _) => gathered,
    };
    match unpacked {
        Ok(bytes) => Ok(Request::from_parts(head, bytes.into())),
        Err(refusal) => {
            if !expects {
                drain_rest(&mut body).await;
            }
            Err(refusal)
        }
    }
}

async fn gather(body: &mut BodyDataStream, limit: usize) -> Result<Bytes, Refusal> {
    let mut gathered = BytesMut::new();
    while let Some(bytes) = next(body).await? {
        if gathered.len() + bytes.len() > limit {
            return Err(Refusal::too_large("request", None, limit));
        }
        gathered.extend_from_slice(&bytes);
    }
    Ok(gathered.freeze())
}

fn unpack(packed: &[u8], limit: usize) -> Result<Bytes, Refusal> {
    let mut unpacked = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(packed).take(one_more).read_to_end(&mut unpacked);
    read.map_err(|_| Refusal::bad_request("the body is not gzip as it says"))?;
    if unpacked.len() > limit {
        return Err(Refusal::too_large("unpacked request", None, limit));
    }
    Ok(unpacked.into())
}

/// A JSON body, whatever type its request names: clients vary. An empty one is refused like any other that is not JSON.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let bytes = Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|rejection| Refusal::bad_request(rejection.body_text()))?;
        if is_too_deep(&bytes) {
            return Err(Refusal::bad_request(format!("the body has more than {DEEPEST} levels of arrays and objects")));
        }
        let value = serde_json::from_slice(&bytes);
        // The parser's own words could quote a secret value.
        value.map(Self).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let what = match error.classify() {
                // This text is one of ours, with the name of the field.
                serde_json::error::Category::Data if error.to_string().starts_with("missing field `") => {
                    return Refusal::bad_request(format!("the body: {error}"));
                }
                serde_json::error::Category::Data => "has a value of the wrong type",
                _ => "is not JSON",
            };
            Refusal::bad_request(format!("the body {what} (line {line}, column {column})"))
        })
    }
}

/// The value that a text of a body makes. The parser that found the text has not looked at all of it.
pub(crate) fn value_of(what: &str, text: &RawValue) -> Result<Value, Refusal> {
    serde_json::from_str(text.get()).map_err(|_| {
        Refusal::bad_request(format!(
            "the {what} holds what no value can: a number out of range, or half of a character"
        ))
    })
}

/// Whether JSON has more levels than can be kept.
pub(crate) fn is_too_deep(json: &[u8]) -> bool {
    let (mut levels, mut in_text, mut is_escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => levels += 1,
            b']' | b'}' if !in_text => levels = levels.saturating_sub(1),
            _ => {}
        }
        if levels > DEEPEST {
            return true;
        }
    }
    false
}

/// Reads what the client of a refused request still sends, for at most a second.
///
/// Closing a connection with unread bytes resets it, and the client would see that instead of the refusal. A client
/// that sent `Expect` waits for the answer before it sends anything.
pub(crate) async fn drain(request: Request) {
    if request.headers().contains_key(header::EXPECT) {
        return;
    }
    drain_rest(&mut request.into_body().into_data_stream()).await;
}

/// As [`drain`], for a body that was begun.
pub(crate) async fn drain_rest(body: &mut BodyDataStream) {
    let _ = timeout(DRAIN, async { while let Ok(Some(_)) = next(body).await {} }).await;
}

/// The body of a form: fed to a parser piece by piece, with a limit on what the parser may gather.
///
/// The parser itself reads all there is before it looks at any of it, and gathers a body in which it finds no
/// boundary as a whole.
#[derive(Clone)]
pub(crate) struct FormBody(Arc<Mutex<Form>>);

struct Form {
    body: BodyDataStream,
    /// Bytes the parser took since it last yielded something.
    gathered: usize,
    /// How often the parser was sent back to look at what it has.
    looks: u8,
}

/// The parser found neither a field nor bytes of one in what it gathered.
#[derive(Debug, thiserror::Error)]
#[error("the form has more than {GATHERED} bytes outside its fields")]
struct Shapeless;

impl FormBody {
    /// The body, and the request that a parser reads it from.
    pub(crate) fn split(request: Request) -> (Self, Request) {
        let (head, body) = request.into_parts();
        let form = Form { body: body.into_data_stream(), gathered: 0, looks: 0 };
        let form = Self(Arc::new(Mutex::new(form)));
        let request = Request::from_parts(head, Body::from_stream(form.clone()));
        (form, request)
    }

    /// Is called for all that the parser yields: a field, or a chunk of one.
    pub(crate) fn yielded(&self) {
        let mut form = self.lock();
        (form.gathered, form.looks) = (0, 0);
    }

    /// As [`drain`], once the parser is gone.
    pub(crate) async fn drain(self) {
        if let Some(form) = Arc::into_inner(self.0) {
            drain_rest(&mut form.into_inner().unwrap_or_else(PoisonError::into_inner).body).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Form> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for FormBody {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut form = self.lock();
        // Twice, because the first time it may have looked already, in the same call.
        if form.looks < 2 {
            form.looks += 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if form.gathered > GATHERED {
            return Poll::Ready(Some(Err(axum::Error::new(Shapeless))));
        }
        let piece = ready!(Pin::new(&mut form.body).poll_next(cx));
        if let Some(Ok(bytes)) = &piece {
            form.gathered += bytes.len();
            form.looks = 0;
        }
        Poll::Ready(piece)
    }
}

/// The refusal for a body that fell silent or is no form, if that is what the error comes from.
pub(crate) fn broken(error: &(dyn Error + 'static)) -> Option<Refusal> {
    let mut chain = std::iter::successors(Some(error), |&error| error.source());
    chain.find_map(|error| {
        if error.is::<TimeoutError>() {
            return Some(Refusal::new(StatusCode::REQUEST_TIMEOUT, "nothing more of the body arrived"));
        }
        error.downcast_ref::<Shapeless>().map(|error| Refusal::bad_request(error.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;

    struct Silent(Option<Bytes>);

    impl Stream for Silent {
        type Item = Result<Bytes, axum::Error>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(bytes))))
        }
    }

    #[test]
    fn levels_are_those_outside_of_texts() {
        let levels = |open: &str, close: &str, levels| format!("{}{}", open.repeat(levels), close.repeat(levels));
        for fine in [
            levels("[", "]", 100),
            levels("{\"a\":[", "]}", 50),
            format!("[{}0]", "[],".repeat(1000)),
            format!(r#"["\"{}", "\\"]"#, "[".repeat(1000)),
            "]]]".to_owned() + &levels("[", "]", 100),
        ] {
            assert!(!is_too_deep(fine.as_bytes()), "{fine}");
        }
        for deep in [
            levels("[", "]", 101),
            levels("{\"a\":[", "]}", 51),
            "[".repeat(101),
            format!(r#"["\\", "\"", {}"#, "[".repeat(100)),
        ] {
            assert!(is_too_deep(deep.as_bytes()), "{deep}");
        }
    }

    #[tokio::test]
    async fn a_silent_client_times_out() {
        let body = Body::from_stream(Silent(Some(Bytes::from_static(b"first"))));
        let mut body = Body::new(TimeoutBody::new(Duration::from_millis(5), body)).into_data_stream();
        assert_eq!(next(&mut body).await.unwrap().as_deref(), Some(&b"first"[..]));
        let refusal = next(&mut body).await.unwrap_err();
        assert_eq!(refusal.into_response().status(), StatusCode::REQUEST_TIMEOUT);
    }
}
