//! Request bodies: read with a limit on silence, or thrown away.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use bytes::Bytes;
use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep, timeout};

use crate::answer::Refusal;

/// The longest silence between two pieces of a body.
const IDLE: Duration = Duration::from_secs(30);
/// How long a refused body is read; the platform answers within a second (fabric-api section 13).
const DRAIN: Duration = Duration::from_secs(1);

/// Makes the body of a request fail once its client was silent for 30 s.
pub(crate) async fn limit_silence(request: Request) -> Request {
    request.map(|body| Body::from_stream(Impatient::new(body, IDLE)))
}

/// The next piece of a body; `None` at its proper end.
pub(crate) async fn next(body: &mut BodyDataStream) -> Result<Option<Bytes>, Refusal> {
    match std::future::poll_fn(|cx| Pin::new(&mut *body).poll_next(cx)).await {
        None => Ok(None),
        Some(Ok(bytes)) => Ok(Some(bytes)),
        Some(Err(error)) => Err(broken(&error).unwrap_or_else(|| Refusal::bad_request("the body broke off"))),
    }
}

/// Reads what the client of a refused request still sends, for at most a second.
///
/// Closing a connection with unread bytes resets it, and the client would see that instead of the refusal. A client
/// that sent `Expect` waits for the answer before it sends anything.
pub(crate) async fn drain(request: Request) {
    if request.headers().contains_key(header::EXPECT) {
        return;
    }
    let mut body = request.into_body().into_data_stream();
    let _ = timeout(DRAIN, async { while let Ok(Some(_)) = next(&mut body).await {} }).await;
}

/// The refusal for a body that fell silent, if that is what the error comes from.
pub(crate) fn broken(error: &(dyn Error + 'static)) -> Option<Refusal> {
    let mut chain = std::iter::successors(Some(error), |&error| error.source());
    let silent = chain
        .any(|error| error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut));
    silent.then(|| Refusal::new(StatusCode::REQUEST_TIMEOUT, "nothing more of the body arrived"))
}

/// A body that fails when nothing arrives for `idle` while somebody waits for it.
struct Impatient {
    body: BodyDataStream,
    idle: Duration,
    timer: Pin<Box<Sleep>>,
    waiting: bool,
}

impl Impatient {
    fn new(body: Body, idle: Duration) -> Self {
        Self { body: body.into_data_stream(), idle, timer: Box::pin(sleep(idle)), waiting: false }
    }
}

impl Stream for Impatient {
    type Item = Result<Bytes, axum::BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Poll::Ready(item) = Pin::new(&mut this.body).poll_next(cx) {
            this.waiting = false;
            return Poll::Ready(item.map(|item| item.map_err(Into::into)));
        }
        // The time a slow disk takes between two polls is not the client's.
        if !this.waiting {
            this.waiting = true;
            this.timer.as_mut().reset(Instant::now() + this.idle);
        }
        ready!(this.timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;

    struct Silent(Option<Bytes>);

    impl Stream for Silent {
        type Item = Result<Bytes, io::Error>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(bytes))))
        }
    }

    #[tokio::test]
    async fn a_silent_client_times_out() {
        let body = Body::from_stream(Silent(Some(Bytes::from_static(b"first"))));
        let impatient = Impatient::new(body, Duration::from_millis(5));
        let mut body = Body::from_stream(impatient).into_data_stream();
        assert_eq!(next(&mut body).await.unwrap().as_deref(), Some(&b"first"[..]));
        let refusal = next(&mut body).await.unwrap_err();
        assert_eq!(refusal.into_response().status(), StatusCode::REQUEST_TIMEOUT);
    }
}
