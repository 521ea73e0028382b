//! What a request says beside its path: the message, and how it is to be run.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, EXPECT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Version};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use jiff::SignedDuration;
use skill_sdk::{Code, Error, TraceParent};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::admission::Held;
use crate::host::message_too_large;

const TIMEOUT: HeaderName = HeaderName::from_static("x-timeout");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Most bytes that are read of a body that is of no use.
const DISCARDED: usize = 8 << 20;

/// How long the next of these bytes may take.
const DISCARDING_PAUSE: Duration = Duration::from_millis(500);

/// Whoever invokes, as a span of a trace. A header that cannot be understood counts as none (W3C Trace Context, section 3.2.2.3),
/// and so do several: nobody knows which of them is meant.
pub(super) fn trace_parent(headers: &HeaderMap) -> Option<TraceParent> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (only, None) = (values.next()?, values.next()) else { return None };
    only.to_str().ok()?.parse().ok()
}

/// The time that the request grants: `X-Timeout`, in seconds, or with a unit such as `500ms`.
///
/// # Errors
///
/// [`Code::InvalidMessage`] for anything else.
pub(super) fn granted(headers: &HeaderMap) -> Result<Option<Duration>, Error> {
    let Some(value) = headers.get(TIMEOUT) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let with_unit = || text.parse::<SignedDuration>().ok().and_then(|signed| Duration::try_from(signed).ok());
    match seconds.or_else(with_unit) {
        Some(granted) if !granted.is_zero() => Ok(Some(granted)),
        _ => {
            let detail =
                "the header X-Timeout must be a time longer than nothing, in seconds or with a unit such as 500ms";
            Err(Error::new(Code::InvalidMessage, detail))
        }
    }
}

/// Reads the body of a request, whatever it says its type is.
///
/// # Errors
///
/// - [`Code::MessageTooLarge`] over the limit; the rest is not read;
/// - [`Code::InvalidMessage`] when it is compressed, breaks off, or takes too long;
/// - [`Code::Overloaded`] when the host holds too many bytes;
/// - [`Code::ShuttingDown`] when `shutdown` is cancelled before all of it is there.
pub(super) async fn message(
    headers: &HeaderMap,
    body: &mut Incoming,
    limit: usize,
    patience: Duration,
    shutdown: &CancellationToken,
    held: &mut Held,
) -> Result<Bytes, Error> {
    if let Some(encoding) = headers.get(CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        let detail = "the body is compressed (Content-Encoding); send the message as it is";
        return Err(Error::new(Code::InvalidMessage, detail));
    }
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(message_too_large("message", &announced.to_string(), limit));
    }
    let no_more = async {
        tokio::select! {
            () = sleep(patience) => {
                let patience = SignedDuration::try_from(patience).unwrap_or(SignedDuration::MAX);
                Error::new(Code::InvalidMessage, format!("the message did not arrive within {patience:#}"))
            }
            () = shutdown.cancelled() => Error::new(Code::ShuttingDown, "the host was told to stop before the message had come"),
        }
    };
    before(no_more, whole(body, limit, held)).await.unwrap_or_else(Err)
}

/// Reads what is left of a body that is of no use, and forgets it: who is still sending when a connection ends does not get to see
/// the answer. That is so in HTTP/1.1 only, and not when the client waits to be told to send. There is an end to it: so many
/// bytes, and so long.
pub(super) async fn discard_rest(head: &Parts, mut body: Incoming, patience: Duration, shutdown: &CancellationToken) {
    let is_too_long = body.size_hint().lower() > DISCARDED as u64;
    if body.is_end_stream() || is_too_long || head.version >= Version::HTTP_2 || head.headers.contains_key(EXPECT) {
        return;
    }
    let discarded = async {
        let mut left = DISCARDED;
        // Who sends nothing waits for the answer.
        while let Ok(Ok(Some(bytes))) = timeout(DISCARDING_PAUSE, piece(&mut body)).await {
            left = left.saturating_sub(bytes.len());
            if left == 0 {
                break;
            }
        }
    };
    let no_more = async {
        tokio::select! {
            () = sleep(patience) => {}
            () = shutdown.cancelled() => {}
        }
    };
    // What is over the end is lost, and with it maybe the answer.
    let _ = before(no_more, discarded).await;
}

/// Waits for a future as long as another has not come. What has come already needs no timer: the future is polled once more before
/// the other is, because a connection reads a body only after somebody has asked for it.
async fn before<T, E>(other: impl Future<Output = E>, future: impl Future<Output = T>) -> Result<T, E> {
    let mut future = pin!(future);
    let mut is_first = true;
    let early = poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if std::mem::take(&mut is_first) => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
        Poll::Pending => Poll::Ready(None),
    });
    if let Some(done) = early.await {
        return Ok(done);
    }
    tokio::select! {
        biased;
        done = future => Ok(done),
        why = other => Err(why),
    }
}

async fn whole(body: &mut Incoming, limit: usize, held: &mut Held) -> Result<Bytes, Error> {
    let Some(first) = piece(body).await? else { return Ok(Bytes::new()) };
    held.add(first.len())?;
    if body.is_end_stream() && first.len() <= limit {
        return Ok(first);
    }
    let mut message = BytesMut::from(first);
    while message.len() <= limit {
        let Some(next) = piece(body).await? else { return Ok(message.freeze()) };
        held.add(next.len())?;
        message.extend_from_slice(&next);
    }
    Err(message_too_large("message", &format!("more than {limit}"), limit))
}

/// The next bytes; `None` at the end.
async fn piece(body: &mut Incoming) -> Result<Option<Bytes>, Error> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Error::new(Code::InvalidMessage, "the message broke off or was not framed as it should be")
                .with_source(error)
        })?;
        // Trailers are no part of the message.
        if let Ok(bytes) = frame.into_data() {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn a_request_grants_time() {
        let of = |value: &str| granted(&headers(TIMEOUT, value)).map_err(|error| error.code());
        assert_eq!(granted(&HeaderMap::new()).unwrap(), None);
        assert_eq!(of("5"), Ok(Some(Duration::from_secs(5))));
        assert_eq!(of(" 0.25 "), Ok(Some(Duration::from_millis(250))));
        assert_eq!(of("200ms"), Ok(Some(Duration::from_millis(200))));
        assert_eq!(of("1m 5s"), Ok(Some(Duration::from_secs(65))));
        for value in ["", "0", "-1", "0s", "-5s", "soon", "NaN", "inf", "1e300"] {
            assert_eq!(of(value), Err(Code::InvalidMessage), "{value}");
        }
    }

    #[tokio::test]
    async fn nobody_is_waited_for_longer_than_said() {
        let never = std::future::pending::<()>;
        assert_eq!(before(never(), async { 1 }).await, Ok(1));
        let late = async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            2
        };
        assert_eq!(before(never(), late).await, Ok(2));
        assert_eq!(before(async { 3 }, never()).await, Err(3));
    }

    #[test]
    fn a_header_that_is_no_trace_counts_as_none() {
        let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(trace_parent(&headers(TRACEPARENT, caller)).unwrap().to_string(), caller);
        assert_eq!(trace_parent(&headers(TRACEPARENT, "x")), None);
        assert_eq!(trace_parent(&HeaderMap::new()), None);
        let mut twice = headers(TRACEPARENT, caller);
        twice.append(TRACEPARENT, caller.parse().unwrap());
        assert_eq!(trace_parent(&twice), None);
    }
}
