//! One connection: HTTP/1.1, or HTTP/2 without encryption by a client that knows that it is spoken here (RFC 9113, section 3.3).

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::activity::{Activity, Noticing};
use super::answer::Answer;
use super::daemon::Daemon;
use super::health::Phase;

/// Most bytes of a request's head, and of what is read at once.
const HEAD: u32 = 64 << 10;
/// Requests at a time on a connection of HTTP/2.
const STREAMS: u32 = 128;
/// How often a silent client of HTTP/2 is asked whether it is there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);

/// How a connection begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Runs the requests of HTTP/2, each a task of its own. They end when their connection does, a moment later.
#[derive(Clone)]
struct Streams(TaskTracker);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        drop(self.0.spawn(stream));
    }
}

/// Answers the requests of a connection until it ends. When `ending` is cancelled those that have come are answered, and no
/// further one.
pub(super) async fn serve(
    tcp: TcpStream,
    protocol: Protocol,
    daemon: Arc<Daemon>,
    activity: Arc<Activity>,
    ending: CancellationToken,
) {
    // Answers are small; waiting to fill a packet only delays them.
    let _: io::Result<()> = tcp.set_nodelay(true);
    let service = {
        let (daemon, activity) = (Arc::clone(&daemon), Arc::clone(&activity));
        service_fn(move |request| answer(Arc::clone(&daemon), Arc::clone(&activity), request))
    };
    let done = match protocol {
        Protocol::Http1 => {
            let stream = TokioIo::new(Noticing { tcp, activity: Some(activity) });
            // Of header fields it takes 100. For any other limit, room is made for each request.
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEAD as usize);
            let mut connection = std::pin::pin!(builder.serve_connection(stream, service));
            tokio::select! {
                biased;
                done = connection.as_mut() => done,
                () = ending.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }
        Protocol::Http2 => {
            let stream = TokioIo::new(Noticing { tcp, activity: None });
            let mut builder = http2::Builder::new(Streams(daemon.streams.clone()));
            builder
                .timer(TokioTimer::new())
                .max_concurrent_streams(STREAMS)
                .max_header_list_size(HEAD)
                .keep_alive_interval(PING)
                .keep_alive_timeout(PING);
            let mut connection = std::pin::pin!(builder.serve_connection(stream, service));
            tokio::select! {
                biased;
                done = connection.as_mut() => done,
                () = ending.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        }
    };
    if let Err(error) = done {
        tracing::debug!(%error, "a connection broke");
    }
}

/// Answers one request, and notes on the connection that it does.
async fn answer(
    daemon: Arc<Daemon>,
    activity: Arc<Activity>,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    let answering = activity.answering();
    let is_http1 = request.version() < Version::HTTP_2;
    let mut response = daemon.answer(request).await;
    if is_http1 && daemon.health.phase() >= Phase::Leaving {
        // Whoever would ask again on this connection is to look for another host.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.body_mut().until_written.sending = Some(answering.sending());
    Ok(response)
}
