//! A body that breaks off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use axum::http::header;
use axum::response::Response;
use bytes::{Buf, Bytes};
use hyper::body::{Frame, SizeHint};

/// The beginning of a body, with the size of the whole. Its connection ends where it breaks off.
pub(crate) struct Cut {
    body: Body,
    /// Bytes that are still sent; `None` where the size is not known: then that is the first piece.
    left: Option<u64>,
    end: End,
}

/// How far the end is.
#[derive(PartialEq)]
enum End {
    Ahead,
    /// What came before it is being sent, which an error would prevent.
    Flushing,
    Broken,
}

impl Cut {
    /// Sends a part of the body of an answer, from 0 to 1; never all of it.
    pub(crate) fn answer(answer: Response, part: f64) -> Response {
        // A stream does not know what its head says.
        let length = answer.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        answer.map(|body| {
            let size = length.or(body.size_hint().exact());
            Body::new(Self::new(body, size, part))
        })
    }

    fn new(body: Body, size: Option<u64>, part: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a part of a size is between nothing and that size, and need not be exact"
        )]
        let part_of = |size: u64| ((size as f64 * part) as u64).min(size.saturating_sub(1));
        Self { body, left: size.map(part_of), end: End::Ahead }
    }

    fn break_off<T>(&mut self, cx: &Context<'_>) -> Poll<Option<Result<T, axum::Error>>> {
        if self.end == End::Ahead {
            self.end = End::Flushing;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.end = End::Broken;
        Poll::Ready(Some(Err(axum::Error::new(io::Error::from(io::ErrorKind::ConnectionAborted)))))
    }
}

impl HttpBody for Cut {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.end == End::Broken {
            return Poll::Ready(None);
        }
        if self.left == Some(0) {
            return self.break_off(cx);
        }
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => {
                let mut data = match frame.into_data() {
                    Ok(data) => data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                };
                match &mut self.left {
                    Some(left) => {
                        let kept = usize::try_from(*left).unwrap_or(usize::MAX).min(data.remaining());
                        data.truncate(kept);
                        *left -= kept as u64;
                    }
                    left @ None => *left = Some(0),
                }
                Poll::Ready(Some(Ok(Frame::data(data))))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            None => self.break_off(cx),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use std::future::poll_fn;

    async fn sent(body: Body, part: f64) -> (Vec<u8>, bool) {
        let size = body.size_hint().exact();
        let mut cut = Cut::new(body, size, part);
        let mut sent = Vec::new();
        loop {
            match poll_fn(|cx| Pin::new(&mut cut).poll_frame(cx)).await {
                Some(Ok(frame)) => sent.extend_from_slice(frame.data_ref().unwrap()),
                Some(Err(_)) => return (sent, true),
                None => return (sent, false),
            }
        }
    }

    #[tokio::test]
    async fn it_never_ends_well() {
        assert_eq!(sent(Body::from("0123456789"), 0.5).await, (b"01234".to_vec(), true));
        assert_eq!(sent(Body::from("0123456789"), 0.0).await, (Vec::new(), true));
        assert_eq!(sent(Body::from("0"), 0.99).await, (Vec::new(), true));
        assert_eq!(sent(Body::empty(), 0.5).await, (Vec::new(), true));
        let unknown = Cut::new(Body::from("ab"), None, 0.5);
        assert!(to_bytes(Body::new(unknown), 9).await.is_err());
    }
}
